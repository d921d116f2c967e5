//! What travels by queue: bells, and arrivals for which the store was away. A message that cannot be read
//! today cannot be read tomorrow either, so it is dropped.

use crate::app::{App, Bell};
use crate::intake::queued;
use crate::limits::STORAGE_WITHIN;
use crate::ports::{JobId, StoreError};
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

/// The message that is a bell: `{"push":"…"}` or `{"job":"…"}`.
#[must_use]
pub fn to_message(bell: Bell) -> String {
    let message = match bell {
        Bell::Push(id) => json!({ "push": id.to_string() }),
        Bell::Job(id) => json!({ "job": id.to_string() }),
    };
    message.to_string()
}

fn from_message(message: &Value) -> Option<Bell> {
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    let push = text("push").and_then(PushId::parse).map(Bell::Push);
    push.or_else(|| text("job").and_then(JobId::parse).map(Bell::Job))
}

/// Does what a message asks for; none is one that is no JSON.
pub async fn notify(app: &App, message: Option<&Value>) -> Heard {
    let Some(message) = message else { return unreadable() };
    if let Some(bell) = from_message(message) {
        return answer(app, bell).await;
    }
    let Some((event, received)) = queued::from_message(message) else { return unreadable() };
    match app.record_arrival(&event, Some(received), STORAGE_WITHIN).await {
        Ok(recorded) if recorded.ring => answer(app, Bell::Push(recorded.push.id)).await,
        Ok(_) => Heard::Done,
        Err(error) => {
            tracing::error!(%error, "an arrival from the queue was not recorded; it comes again");
            Heard::Again
        }
    }
}

async fn answer(app: &App, bell: Bell) -> Heard {
    match app.answer(bell).await {
        Ok(()) => Heard::Done,
        Err(error @ StoreError::Broken(_)) => {
            tracing::error!(?bell, %error, "a bell cannot be answered");
            Heard::Done
        }
        Err(error) => {
            tracing::warn!(?bell, %error, "a bell comes again");
            Heard::Again
        }
    }
}

fn unreadable() -> Heard {
    tracing::error!("a queue message is neither a bell nor an arrival; it is dropped");
    Heard::Done
}
