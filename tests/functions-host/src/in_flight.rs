//! Counts what must be finished before the host stops.

use std::sync::Arc;

use tokio::sync::watch;

/// The work in flight; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

/// One piece of work, until it is dropped.
#[derive(Debug)]
pub(crate) struct Work(InFlight);

impl InFlight {
    pub(crate) fn enter(&self) -> Work {
        self.0.send_modify(|count| *count += 1);
        Work(self.clone())
    }

    /// Waits until there is no work.
    pub(crate) async fn is_idle(&self) {
        // An error is impossible while `self` holds the sender.
        let _gone = self.0.subscribe().wait_for(|count| *count == 0).await.is_err();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
