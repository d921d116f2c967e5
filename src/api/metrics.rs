//! `/healthz` and `/metrics`, which only the standalone home has.

use crate::answer::{Answer, Body, Request};
use crate::app::App;
use serde_json::json;

/// 200 while the store answers.
pub async fn health(app: &App, request: &Request) -> Answer {
    if let Some(refusal) = refused(request) {
        return refusal;
    }
    match app.answers().await {
        Ok(_) => Answer::json(200, json!({ "status": "ok" })),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            Answer::json(503, json!({ "status": "the store does not answer" }))
        }
    }
}

#[must_use]
pub fn metrics(app: &App, request: &Request) -> Answer {
    if let Some(refusal) = refused(request) {
        return refusal;
    }
    Answer { status: 200, headers: Vec::new(), body: Body::Text(app.counters().render()) }
}

fn refused(request: &Request) -> Option<Answer> {
    let reads = request.method == "GET" || request.method == "HEAD";
    let refusal = || Answer::error(405, "this is read with GET").with_header("Allow", "GET, HEAD");
    (!reads).then(refusal)
}
