//! `/api/ImagePush`: takes a webhook, records the arrivals in it, decides at once when one was the last.

use crate::answer::{Answer, Request};
use crate::app::{App, Bell, Bells, Recorded};
use crate::intake::{self, Event, Reading, Rules, queued};
use crate::limits::{RETRY_AFTER_SECONDS, STORAGE_WITHIN};
use crate::ports::StoreError;
use fan_in::mutant::{self, Mutant};
use fan_in::{Region, Verdict};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Entries of one request that are recorded side by side.
const SIDE_BY_SIDE: usize = 16;

/// Where an arrival goes when the store does not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Through the queue: the message is the record until the store is back.
    Queue,
    /// Back to its sender.
    Refuse,
}

#[derive(Debug)]
pub struct Pushed {
    pub answer: Answer,
    pub bells: Bells,
    /// Messages with arrivals that have to go out through the queue.
    pub queued: Vec<String>,
}

impl From<Answer> for Pushed {
    fn from(answer: Answer) -> Self {
        Self { answer, bells: Bells::new(), queued: Vec::new() }
    }
}

pub async fn image_push(app: &App, rules: &Rules, request: &Request, fallback: Fallback) -> Pushed {
    match intake::read(request, rules) {
        Reading::Answer(answer) => answer.into(),
        Reading::One(event) => one(app, &event, fallback).await,
        Reading::Many(entries) => many(app, entries, fallback).await,
    }
}

async fn one(app: &App, event: &Event, fallback: Fallback) -> Pushed {
    match app.record_arrival(event, None, STORAGE_WITHIN).await {
        Ok(recorded) => {
            let status = if recorded.verdict == Verdict::Recorded { 202 } else { 200 };
            let mut answer = Answer::json(status, body(app, &recorded));
            if status == 202 {
                answer =
                    answer.with_header("Location", format!("/api/status/{}", recorded.push.id));
            }
            let bells =
                if recorded.ring { vec![Bell::Push(recorded.push.id)] } else { Bells::new() };
            Pushed { bells, ..answer.into() }
        }
        Err(_) if mutant::is(Mutant::AckBeforeWrite) => {
            Answer::json(202, json!({ "result": "recorded" })).into()
        }
        Err(error) if travels(&error, fallback) => {
            let queued = vec![queued::to_message(event, app.store().now())];
            Pushed { queued, ..Answer::json(202, json!({ "result": "queued" })).into() }
        }
        Err(error) => unavailable(&error).into(),
    }
}

async fn many(app: &App, entries: Vec<Result<Event, String>>, fallback: Fallback) -> Pushed {
    // All of them share the time of one answer.
    let begun = Instant::now();
    let record = async |entry: Result<Event, String>| match entry {
        Ok(event) => {
            let left = STORAGE_WITHIN.saturating_sub(begun.elapsed());
            let recorded = app.record_arrival(&event, None, left).await;
            Ok((event, recorded))
        }
        Err(reason) => Err(reason),
    };
    let all: Vec<_> = stream::iter(entries).map(record).buffered(SIDE_BY_SIDE).collect().await;
    let (mut results, mut bells, mut queued) = (Vec::<Value>::new(), Bells::new(), Vec::new());
    let mut refused = None;
    for entry in all {
        results.push(match entry {
            Err(reason) => json!({ "result": "ignored", "reason": reason }),
            Ok((_, Ok(recorded))) => {
                if recorded.ring {
                    bells.push(Bell::Push(recorded.push.id));
                }
                body(app, &recorded)
            }
            Ok((event, Err(error))) if travels(&error, fallback) => {
                queued.push(queued::to_message(&event, app.store().now()));
                json!({ "result": "queued" })
            }
            Ok((_, Err(error))) => {
                refused = Some(unavailable(&error));
                Value::Null
            }
        });
    }
    let status = if queued.is_empty() { 200 } else { 202 };
    let answer = refused.unwrap_or_else(|| Answer::json(status, json!({ "results": results })));
    Pushed { answer, bells, queued }
}

const fn travels(error: &StoreError, fallback: Fallback) -> bool {
    matches!(fallback, Fallback::Queue)
        && matches!(error, StoreError::Unavailable(_) | StoreError::Conflict)
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!(%error, "an arrival was not recorded");
    let answer =
        Answer::error(503, "the store does not take the arrival at present; send it again");
    answer.with_header("Retry-After", RETRY_AFTER_SECONDS.to_string())
}

fn body(app: &App, recorded: &Recorded) -> Value {
    let push = &recorded.push;
    let mut arrived: Vec<&str> = push.arrivals.iter().map(|a| a.region.as_str()).collect();
    arrived.sort_unstable();
    let missing = push.missing(&app.policy().regions);
    json!({
        "result": recorded.verdict.as_str(),
        "push": push.id.to_string(),
        "image": push.image.to_string(),
        "digest": push.image.digest.as_ref().map(fan_in::Digest::as_str),
        "status": push.status.as_str(),
        "arrived": arrived,
        "missing": missing.iter().map(Region::as_str).collect::<Vec<_>>(),
    })
}
