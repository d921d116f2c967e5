//! The table is away while the queue works: arrivals travel as messages.

use super::{Running, Stage};
use crate::support::{Answer, acr_push};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

/// Less than two rounds of storage requests would take, and far more than the handler's own limit.
const BUDGET: Duration = Duration::from_secs(20);

/// The settings of a host whose table is somewhere else.
fn table_at(port: u16) -> String {
    let azurite = azurite::shared();
    let nowhere = format!("http://127.0.0.1:{port}/{}", azurite.account());
    azurite.connection_string().replace(&azurite.table_endpoint(), &nowhere)
}

/// Connections are made by the system, and nobody ever reads from them.
fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let table = table_at(listener.local_addr().unwrap().port());
    (listener, table)
}

/// Nobody listens at port 1.
fn closed() -> String {
    table_at(1)
}

async fn start(stage: &Stage, storage: &str) -> Running {
    stage.start_with(&[("AzureWebJobsStorage", storage)]).await.unwrap()
}

async fn is_queued(cut_off: &Running, region: &str, body: &Value) {
    let answer = tokio::time::timeout(BUDGET, cut_off.post(region, body)).await.unwrap();
    assert_eq!((answer.status, answer.json()), (202, json!({ "result": "queued" })));
}

async fn arrivals_travel_by_queue(storage: &str) {
    let stage = Stage::new("northeurope,westeurope");
    let cut_off = start(&stage, storage).await;
    let body = acr_push("1", "app", "v1", 'a');
    is_queued(&cut_off, "northeurope", &body).await;
    is_queued(&cut_off, "westeurope", &body).await;
    let messages = cut_off.messages().await;
    assert_eq!(messages.len(), 2);
    for message in &messages {
        let message: Value = serde_json::from_str(message).unwrap();
        assert_eq!(message["arrival"]["image"]["repository"], "app");
    }
    let status = cut_off.request("GET", "/api/status?image=app:v1");
    assert_eq!(Answer::of(status).await.status, 503);
    cut_off.host.stop().await;

    let healthy = stage.start().await;
    assert_eq!(healthy.drain().await, 2, "whoever records the last one delivers at once");
    let status = healthy.get("/api/status?image=app:v1").await;
    assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("completed")));
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&healthy).await;
}

#[tokio::test]
async fn arrivals_travel_by_queue_while_the_table_refuses() {
    arrivals_travel_by_queue(&closed()).await;
}

#[tokio::test]
async fn arrivals_travel_by_queue_while_the_table_is_silent() {
    let (_listener, storage) = black_hole();
    arrivals_travel_by_queue(&storage).await;
}

#[tokio::test]
async fn all_events_of_a_call_share_the_time_of_one_answer() {
    let (_listener, storage) = black_hole();
    let stage = Stage::new("westeurope").without_slack();
    let cut_off = start(&stage, &storage).await;
    let events: Vec<Value> = (0..200)
        .map(|i| {
            let mut data = acr_push(&i.to_string(), &format!("app{i}"), "v1", 'a');
            data["location"] = json!("westeurope");
            json!({
                "id": i.to_string(), "topic": "t", "subject": "s", "eventTime": "2026-11-20T10:00:00Z",
                "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": data, "dataVersion": "1.0",
            })
        })
        .collect();
    let answer = tokio::time::timeout(BUDGET, cut_off.post("", &json!(events))).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["results"], json!(vec![json!({ "result": "queued" }); 200]));
    assert_eq!(cut_off.queue.count().await.unwrap(), 200);
}

#[tokio::test]
async fn an_arrival_that_was_queued_when_its_push_timed_out_recovers_it() {
    let stage = Stage::new("northeurope,westeurope").with("WebhookTimeout", "1s");
    let (healthy, cut_off) = (stage.start().await, start(&stage, &closed()).await);
    let body = acr_push("1", "app", "v1", 'a');
    let first = healthy.post("northeurope", &body).await;
    assert_eq!(first.brief(), (202, "recorded".to_owned()));
    is_queued(&cut_off, "westeurope", &body).await;
    let push = first.json()["push"].as_str().unwrap().to_owned();
    healthy.tick_until(&push, 504).await;
    healthy.drain().await;
    let status = healthy.get(&format!("/api/status/{push}")).await;
    assert_eq!((status.status, status.json()["status"].as_str()), (200, Some("recovered")));
    let told = stage.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("recovered") && told[1].contains("timed out"), "{told:?}");
    stage.assert_nothing_is_left(&healthy).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_recorded_yet_comes_again() {
    let stage = Stage::new("westeurope");
    let cut_off = start(&stage, &closed()).await;
    is_queued(&cut_off, "westeurope", &acr_push("1", "app", "v1", 'a')).await;
    assert_eq!(cut_off.drain().await, 1);
    assert_eq!(cut_off.messages().await, [""; 0], "it is hidden for a while");
    assert_eq!(cut_off.queue.count().await.unwrap(), 1, "and not lost");
    assert_eq!(cut_off.queue.poison().count().await.unwrap(), 0);
    assert!(cut_off.host.tick("FanInTimer").await.is_err(), "the host logs a tick that failed");
}
