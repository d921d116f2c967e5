//! Logs: not there yet, shortened, gone.

use crate::client::Arm;
use azure_fake::{Behaviour, Fake, samples};
use serde_json::{Value, json};

const IMAGE: &str = "contoso.azurecr.io/shop/job:1";

async fn log(arm: &Arm, below: &str) -> String {
    let received = arm.group("GET", below, &Value::Null).await;
    assert_eq!(received.status, 200);
    received.body["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn there_is_no_log_while_a_container_waits() {
    let fake = Fake::start().await;
    fake.containers_behave(Behaviour::runs().after_waiting(1).logs("hello\n"));
    fake.place(samples::job("work", IMAGE));
    let arm = Arm::new(&fake);
    let refused = arm.group("GET", "work/containers/job/logs", &Value::Null).await;
    assert_eq!((refused.status, refused.code()), (404, "ContainerLogNotAvailable"));
    arm.get("work").await;
    assert_eq!(log(&arm, "work/containers/job/logs").await, "hello\n");
    let absent = arm.group("GET", "work/containers/other/logs", &Value::Null).await;
    assert_eq!((absent.status, absent.code()), (404, "ContainerNotFound"));
}

#[tokio::test]
async fn tail_is_the_last_lines() {
    let fake = Fake::start().await;
    fake.containers_behave(Behaviour::runs().logs("one\ntwo\nthree"));
    fake.place(samples::job("work", IMAGE));
    let arm = Arm::new(&fake);
    assert_eq!(log(&arm, "work/containers/job/logs?tail=2").await, "two\nthree");
    assert_eq!(log(&arm, "work/containers/job/logs?tail=9").await, "one\ntwo\nthree");
}

#[tokio::test]
async fn of_what_has_ended_the_last_16_kb_and_1000_lines_are_kept() {
    let fake = Fake::start().await;
    let wide = "ä".repeat(10_000);
    let many = "x\n".repeat(2_000);
    for (name, text) in [("wide", &wide), ("many", &many)] {
        fake.group(name).container_behaves("job", Behaviour::exits(0, 1).logs(text));
        fake.place(samples::job(name, IMAGE));
    }
    let arm = Arm::new(&fake);
    let lengths = async || {
        let wide = log(&arm, "wide/containers/job/logs").await;
        let many = log(&arm, "many/containers/job/logs").await;
        (wide.len(), many.lines().count())
    };
    assert_eq!(lengths().await, (20_000, 2_000));
    arm.get("wide").await;
    arm.get("many").await;
    assert_eq!(lengths().await, (16 * 1024, 1000));
}

#[tokio::test]
async fn logs_are_gone_with_their_group() {
    let fake = Fake::start().await;
    fake.containers_behave(Behaviour::exits(0, 0).logs("done"));
    fake.place(samples::job("work", IMAGE));
    let arm = Arm::new(&fake);
    assert_eq!(log(&arm, "work/containers/job/logs").await, "done");
    arm.delete("work").await;
    let gone = arm.group("GET", "work/containers/job/logs", &json!(null)).await;
    assert_eq!((gone.status, gone.code()), (404, "ResourceNotFound"));
}
