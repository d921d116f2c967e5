//! `Notify`: a queue trigger. A message is a bell (`{"push":"…"}`), or an arrival that travels by queue.

use super::envelope::queue_message;
use super::{Handler, Invoked};
use crate::intake::queued;
use crate::limits::STORAGE_WITHIN;
use crate::ports::StoreError;
use fan_in::PushId;
use serde_json::{Value, json};

pub(super) async fn invoke(handler: &Handler, body: &[u8]) -> Invoked {
    let Some(message) = queue_message(body) else { return unreadable() };
    if let Some(push) = message.get("push").and_then(Value::as_str).and_then(PushId::parse) {
        return deliver(handler, push).await;
    }
    let Some((event, received)) = queued::from_message(&message) else { return unreadable() };
    match handler.app.record_arrival(&event, Some(received), STORAGE_WITHIN).await {
        Ok(recorded) if recorded.ring => deliver(handler, recorded.push.id).await,
        Ok(_) => done(),
        Err(error) => {
            tracing::error!(%error, "an arrival from the queue was not recorded; it comes again");
            Invoked::Failed
        }
    }
}

async fn deliver(handler: &Handler, push: PushId) -> Invoked {
    match handler.app.deliver(push).await {
        Ok(()) => done(),
        Err(error @ StoreError::Broken(_)) => {
            tracing::error!(%push, %error, "a push cannot be delivered");
            done()
        }
        Err(error) => {
            tracing::warn!(%push, %error, "a bell comes again");
            Invoked::Failed
        }
    }
}

/// Nothing that cannot be read becomes readable by trying again.
fn unreadable() -> Invoked {
    tracing::error!("a queue message is neither a bell nor an arrival; it is dropped");
    done()
}

fn done() -> Invoked {
    Invoked::Done(json!({}))
}
