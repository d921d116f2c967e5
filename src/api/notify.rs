//! What travels by queue: bells, and arrivals for which the store was away. A message that cannot be read
//! today cannot be read tomorrow either, so it is dropped.

use crate::app::App;
use crate::intake::queued;
use crate::limits::STORAGE_WITHIN;
use crate::ports::StoreError;
use fan_in::PushId;
use serde_json::{Value, json};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has done its work.
    Done,
    /// It has to come again.
    Again,
}

/// The message that tells to deliver a push.
#[must_use]
pub fn bell(push: PushId) -> String {
    json!({ "push": push.to_string() }).to_string()
}

/// Does what a message asks for; none is one that is no JSON.
pub async fn notify(app: &App, message: Option<&Value>) -> Heard {
    let Some(message) = message else { return unreadable() };
    if let Some(push) = message.get("push").and_then(Value::as_str).and_then(PushId::parse) {
        return deliver(app, push).await;
    }
    let Some((event, received)) = queued::from_message(message) else { return unreadable() };
    match app.record_arrival(&event, Some(received), STORAGE_WITHIN).await {
        Ok(recorded) if recorded.ring => deliver(app, recorded.push.id).await,
        Ok(_) => Heard::Done,
        Err(error) => {
            tracing::error!(%error, "an arrival from the queue was not recorded; it comes again");
            Heard::Again
        }
    }
}

async fn deliver(app: &App, push: PushId) -> Heard {
    match app.deliver(push).await {
        Ok(()) => Heard::Done,
        Err(error @ StoreError::Broken(_)) => {
            tracing::error!(%push, %error, "a push cannot be delivered");
            Heard::Done
        }
        Err(error) => {
            tracing::warn!(%push, %error, "a bell comes again");
            Heard::Again
        }
    }
}

fn unreadable() -> Heard {
    tracing::error!("a queue message is neither a bell nor an arrival; it is dropped");
    Heard::Done
}
