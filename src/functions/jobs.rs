//! `Jobs`: an http trigger with two outputs, the answer and the queue.

use super::envelope::{http, outputs};
use super::{Handler, Invoked, bell_messages};
use crate::answer::Answer;
use crate::api::{authorize, jobs};

/// The queue output in `Jobs/function.json`.
const QUEUE: &str = "bells";

pub(super) async fn invoke(handler: &Handler, body: &[u8]) -> Invoked {
    let Some(invocation) = http(body) else {
        return Invoked::Done(outputs(
            Some(&Answer::error(400, "not an http invocation of the Functions host")),
            None,
        ));
    };
    if let Err(refusal) = authorize(&invocation.request, handler.config.read_token.as_ref()) {
        return Invoked::Done(outputs(Some(&refusal), None));
    }
    let asked = jobs::begin(&handler.app, &invocation.request).await;
    let messages = bell_messages(&asked.bells).collect();
    Invoked::Done(outputs(Some(&asked.answer), Some((QUEUE, messages))))
}
