//! `FanInTimer`: a timer trigger with one output, the queue.

use super::envelope::outputs;
use super::{Handler, Invoked, bell_messages};

/// The queue output in `FanInTimer/function.json`.
const QUEUE: &str = "bells";

/// What the host says of the schedule is not needed: a tick that is late, doubled or past due does the same.
pub(super) async fn invoke(handler: &Handler) -> Invoked {
    match handler.app.sweep().await {
        Ok(swept) => {
            Invoked::Done(outputs(None, Some((QUEUE, bell_messages(&swept.bells).collect()))))
        }
        Err(error) => {
            tracing::error!(%error, "the tick could not read what is due");
            Invoked::Failed
        }
    }
}
