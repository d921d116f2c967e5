//! The webhook's answer comes in time, whatever the store does.

use acr_fanin::answer::{Body, Request};
use acr_fanin::api::image_push::{Fallback, Pushed, image_push};
use acr_fanin::app::{App, Parts};
use acr_fanin::intake::{Rules, queued};
use acr_fanin::limits::ANSWER_WITHIN;
use acr_fanin::ports::{Op, Row, Rows, StoreError, Version};
use acr_fanin::store::Store;
use async_trait::async_trait;
use fan_in::{Correlation, Policy, Region, RegionSet, Retry, Shard, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A store that never says anything.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Rows for Silent {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000)
    }

    async fn get(&self, _: Shard, _: &str) -> Result<Option<Row>, StoreError> {
        std::future::pending().await
    }

    async fn range(&self, _: Shard, _: &str, _: &str, _: usize) -> Result<Vec<Row>, StoreError> {
        std::future::pending().await
    }

    async fn write(&self, _: Shard, _: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        std::future::pending().await
    }
}

fn regions() -> RegionSet {
    RegionSet::from([Region::parse("westeurope").unwrap()])
}

async fn post(body: Value, fallback: Fallback) -> Pushed {
    let app = App::new(Parts {
        store: Store::new(Arc::new(Silent), regions()),
        policy: Policy {
            regions: regions(),
            timeout: Duration::from_secs(600),
            correlation: Correlation::Auto,
            subscriptions: vec![],
        },
        retry: Retry::default(),
        sink_timeout: Duration::from_secs(15),
        retention: Duration::from_secs(30 * 86_400),
        sinks: vec![],
    });
    let rules = Rules { regions: regions(), ..Rules::default() };
    let body = body.to_string().into_bytes();
    let request = Request {
        method: "POST".to_owned(),
        query: vec![("region".to_owned(), "westeurope".to_owned())],
        body_bytes: body.len(),
        body: Some(body),
        ..Request::default()
    };
    let begun = Instant::now();
    let pushed = image_push(&app, &rules, &request, fallback).await;
    assert!(
        begun.elapsed() <= ANSWER_WITHIN,
        "the answer took {:?} of virtual time",
        begun.elapsed()
    );
    pushed
}

fn event(number: usize) -> Value {
    let mut data = crate::support::acr_push(&number.to_string(), "app", &format!("v{number}"), 'a');
    data["location"] = json!("westeurope");
    json!({ "id": "1", "eventType": "Microsoft.ContainerRegistry.ImagePushed", "eventTime": "2026-11-20T10:00:00Z", "data": data })
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_sends_a_webhook_through_the_queue_or_back() {
    let body = crate::support::acr_push("1", "app", "v1", 'a');
    let queued = post(body.clone(), Fallback::Queue).await;
    assert_eq!((queued.answer.status, queued.queued.len()), (202, 1));
    assert_eq!(queued.answer.body, Body::Json(json!({ "result": "queued" })));
    let message: Value = serde_json::from_str(&queued.queued[0]).unwrap();
    let (event, received) = queued::from_message(&message).unwrap();
    assert_eq!((event.id.as_str(), received.as_millis()), ("1", 1_795_000_000_000));
    let refused = post(body, Fallback::Refuse).await;
    assert_eq!((refused.answer.status, refused.queued.len()), (503, 0));
    assert!(refused.answer.headers.iter().any(|(name, _)| *name == "Retry-After"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_events_at_once_share_the_time_of_one_answer() {
    let events: Value = (0..100).map(event).collect();
    let queued = post(events.clone(), Fallback::Queue).await;
    assert_eq!((queued.answer.status, queued.queued.len()), (202, 100));
    assert_eq!(post(events, Fallback::Refuse).await.answer.status, 503);
}
