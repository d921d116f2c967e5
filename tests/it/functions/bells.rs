//! Bells that are lost, doubled or broken, and handlers that are killed.

use super::{Running, Stage};
use crate::support::acr_push;

async fn complete(running: &Running) {
    let body = acr_push("1", "app", "v1", 'a');
    running.post("northeurope", &body).await;
    assert_eq!(running.post("westeurope", &body).await.status, 200);
}

#[tokio::test]
async fn a_bell_that_nobody_heard_is_rung_again_by_the_first_tick_of_a_fresh_handler() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    running.tick().await;
    complete(&running).await;
    running.queue.clear().await.unwrap();
    running.tick().await;
    assert_eq!(running.messages().await, [""; 0], "a bell has some time to be heard");
    running.host.restart_handler().await;
    running.tick().await;
    assert_eq!(running.drain().await, 1);
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_bell_that_comes_again_does_nothing() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    complete(&running).await;
    let bell = running.messages().await.remove(0);
    for _ in 0..3 {
        running.put(&bell).await;
    }
    assert_eq!(running.drain().await, 4);
    running.put(&bell).await;
    assert_eq!(running.drain().await, 1);
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_dropped_with_a_line_in_the_log() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    complete(&running).await;
    let bad = [
        "junk",
        "{}",
        "[]",
        "7",
        "null",
        "\"text\"",
        r#"{"push":"x"}"#,
        r#"{"push":7}"#,
        r#"{"arrival":{}}"#,
        r#"{"arrival":{"received":"canary"}}"#,
    ];
    for text in bad {
        running.put(text).await;
    }
    assert_eq!(running.drain().await, bad.len() + 1);
    let dropped =
        |line: &&serde_json::Value| line["message"].as_str().unwrap().ends_with("it is dropped");
    let logs = running.handler_logs();
    assert_eq!(logs.iter().filter(dropped).count(), bad.len());
    assert!(!format!("{logs:?}").contains("canary"));
    assert_eq!(stage.told().len(), 1, "the bell among them was heard");
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_bell_for_a_push_that_is_not_kept_is_answered() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    complete(&running).await;
    let bell = running.messages().await.remove(0);
    let other = Stage::new("northeurope,westeurope");
    let elsewhere = other.start().await;
    elsewhere.put(&bell).await;
    assert_eq!(elsewhere.drain().await, 1);
    assert_eq!((other.told(), elsewhere.queue.count().await.unwrap()), (vec![], 0));
    running.drain().await;
}

#[tokio::test]
async fn a_handler_that_is_killed_before_the_bell_is_heard_costs_no_notice() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    let body = acr_push("1", "app", "v1", 'a');
    assert_eq!(running.post("northeurope", &body).await.status, 202);
    running.host.kill_handler().await;
    running.host.handler_started(2).await;
    assert_eq!(running.post("westeurope", &body).await.brief(), (200, "completed".to_owned()));
    running.host.kill_handler().await;
    running.host.handler_started(3).await;
    running.drain().await;
    running.tick().await;
    running.drain().await;
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_sink_that_refuses_is_tried_again_by_the_timer() {
    let stage = Stage::new("westeurope").with("FANIN_RETRY", "1s,1s");
    stage.slack.will(503, "no");
    let running = stage.start().await;
    let body = acr_push("1", "app", "v1", 'a');
    let answer = running.post("westeurope", &body).await;
    let push = answer.json()["push"].as_str().unwrap().to_owned();
    running.drain().await;
    let delivery = async || {
        let status = running.get(&format!("/api/status/{push}")).await;
        assert!(!status.text.contains("canary"), "{}", status.text);
        status.json()["deliveries"][0].clone()
    };
    let refused = delivery().await;
    assert_eq!(
        (refused["state"].as_str(), refused["attempts"].as_u64()),
        (Some("pending"), Some(1))
    );
    let told = async {
        while delivery().await["state"] != "done" {
            running.tick().await;
            running.drain().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, told).await.unwrap();
    assert_eq!(stage.told().len(), 2, "once refused, once accepted");
    stage.assert_nothing_is_left(&running).await;
}
