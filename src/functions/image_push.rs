//! `ImagePush`: an http trigger with two outputs, the answer and the queue.

use super::envelope::{http, outputs};
use super::{Handler, Invoked, bell_messages};
use crate::answer::Answer;
use crate::api::image_push::{Fallback, image_push};

/// The queue output in `ImagePush/function.json`.
const QUEUE: &str = "bells";

pub(super) async fn invoke(handler: &Handler, body: &[u8]) -> Invoked {
    let Some(invocation) = http(body) else {
        return Invoked::Done(outputs(
            Some(&Answer::error(400, "not an http invocation of the Functions host")),
            None,
        ));
    };
    let pushed =
        image_push(&handler.app, &handler.config.intake, &invocation.request, Fallback::Queue)
            .await;
    let messages = bell_messages(&pushed.bells).chain(pushed.queued).collect();
    Invoked::Done(outputs(Some(&pushed.answer), Some((QUEUE, messages))))
}
