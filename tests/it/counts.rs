//! What the Functions home asks of Table Storage, counted on the way there. `docs/PERFORMANCE.md` has the figures.

use crate::functions::{Running, Stage};
use crate::proxy::{Counted, counting};
use crate::support::{PATIENCE, acr_push};
use serde_json::json;

const REGIONS: [&str; 4] = ["northeurope", "westeurope", "eastus", "southeastasia"];
/// One range read in each shard.
const TICK: usize = 16;

/// A handler whose table is there, and whose first tick, which looks at every open push, is over.
async fn settled(stage: Stage) -> (Stage, Running, Counted) {
    let (storage, counted) = counting().await;
    let stage = stage.with("AzureWebJobsStorage", storage);
    let running = stage.start().await;
    running.tick().await;
    counted.take();
    (stage, running, counted)
}

/// The requests of one tick; one that the store did not answer in time does not count.
async fn tick(running: &Running, counted: &Counted) -> Vec<String> {
    let ticked = async {
        loop {
            counted.take();
            if running.host.tick("FanInTimer").await.is_ok() {
                return counted.take();
            }
        }
    };
    tokio::time::timeout(PATIENCE, ticked).await.unwrap()
}

#[tokio::test]
async fn a_push_to_four_regions_costs_twelve_requests_and_one_message() {
    let (stage, running, counted) = settled(Stage::new(&REGIONS.join(","))).await;
    let body = acr_push("1", "app", "v1", 'a');
    let mut requests = Vec::new();
    for region in REGIONS {
        assert!([200, 202].contains(&running.post(region, &body).await.status));
        requests.push(counted.take());
    }
    assert_eq!(running.drain().await, 1, "one message");
    requests.push(counted.take());
    println!("push to 4 regions: {requests:#?}");
    let counts: Vec<usize> = requests.iter().map(Vec::len).collect();
    assert_eq!(counts, [3, 2, 2, 2, 3], "arrivals, then Notify: {requests:#?}");
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_duplicate_costs_one_request_and_two_when_its_id_is_new() {
    let (_stage, running, counted) = settled(Stage::new("northeurope,westeurope")).await;
    running.post("westeurope", &acr_push("1", "app", "v1", 'a')).await;
    for (id, expected) in [("1", 1), ("2", 2), ("2", 1)] {
        counted.take();
        let answer = running.post("westeurope", &acr_push(id, "app", "v1", 'a')).await;
        assert_eq!(answer.brief(), (200, "duplicate".to_owned()));
        let requests = counted.take();
        println!("duplicate under id {id}: {requests:?}");
        assert_eq!(requests.len(), expected, "{requests:?}");
    }
}

#[tokio::test]
async fn a_tick_costs_what_is_due_and_never_what_was() {
    const PUSHES: usize = 300;
    let (stage, running, counted) = settled(Stage::new("westeurope").without_slack()).await;
    let idle = tick(&running, &counted).await;
    assert_eq!(idle.len(), TICK, "{idle:?}");
    let event = |i: usize| {
        let mut data = acr_push(&i.to_string(), &format!("app{i}"), "v1", 'a');
        data["location"] = json!("westeurope");
        json!({
            "id": i.to_string(), "topic": "t", "subject": "s", "eventTime": "2026-11-20T10:00:00Z",
            "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": data, "dataVersion": "1.0",
        })
    };
    for first in (0..PUSHES).step_by(50) {
        let events: Vec<_> = (first..first + 50).map(event).collect();
        assert!([200, 202].contains(&running.post("", &json!(events)).await.status));
        // On a slow machine some have travelled by queue.
        running.drain().await;
    }
    stage.assert_nothing_is_left(&running).await;
    let after = tick(&running, &counted).await;
    println!("tick: {} requests with no push, {} with {PUSHES} decided", idle.len(), after.len());
    assert_eq!(after, idle);
}

#[tokio::test]
async fn the_first_tick_of_a_process_reads_every_open_push_once() {
    let (_stage, running, counted) = settled(Stage::new("northeurope,westeurope")).await;
    for i in 0..3 {
        running.post("westeurope", &acr_push(&format!("{i}"), &format!("app{i}"), "v1", 'a')).await;
    }
    running.post("westeurope", &acr_push("3", "app3", "v1", 'a')).await;
    running.post("northeurope", &acr_push("3", "app3", "v1", 'a')).await;
    running.drain().await;
    running.host.restart_handler().await;
    let first = tick(&running, &counted).await;
    println!("first tick with 3 open pushes: {} requests", first.len());
    assert_eq!(first.len(), TICK + 3, "{first:?}");
    assert_eq!(tick(&running, &counted).await.len(), TICK);
}
