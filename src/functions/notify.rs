//! `Notify`: a queue trigger. A message is a bell (`{"push":"…"}`), or an arrival that travels by queue.

use super::envelope::queue_message;
use super::{Handler, Invoked};
use crate::api::notify::{Heard, notify};
use serde_json::json;

pub(super) async fn invoke(handler: &Handler, body: &[u8]) -> Invoked {
    match notify(&handler.app, queue_message(body).as_ref()).await {
        Heard::Done => Invoked::Done(json!({})),
        Heard::Again => Invoked::Failed,
    }
}
