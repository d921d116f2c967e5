//! Where the product lives, as far as those need to know who put load on it.

use crate::alone::Alone;
use crate::check::Observed;
use crate::hook::{Ack, Hook};
use crate::process::Logs;
use crate::proxy::Wire;
use crate::sink::Sink;
use crate::world::{Lost, World};
use futures_util::future::join_all;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) trait Home {
    /// A process lives at most so long after it listens.
    const LIFE_MS: u64;
    /// A disk may be too busy; the table has the queue beside it.
    const MAY_REFUSE: bool;
    /// More than what comes in so long a time would be too much to keep.
    const STRETCH: Duration;

    fn wire(&self) -> &Wire;
    fn slack(&self) -> &Sink;
    fn logs(&self) -> &Logs;
    fn acks(&self) -> &Mutex<Vec<Ack>>;
    /// Starts the process, after the one that runs was killed.
    async fn restart(&self);
    /// Lets time pass where that is possible: leases end, and pushes time out.
    fn pass(&self, seconds: i64);
    /// The longest that a webhook waited for its answer.
    fn longest(&self) -> Duration;
    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost>;
    /// What the host does meanwhile, until it is over or the process is dead.
    async fn tend(&self, ticks: Duration, carriers: usize, over: &AtomicBool);
    /// Until everything is decided and told, of that whose time is over.
    async fn settle(&self);
    /// Until everything that is kept has expired and is purged, where time can pass.
    async fn forget(&self);
    async fn observe(&self) -> Observed;
    async fn markers(&self) -> usize;
    /// A page of the list, as the page before says under `next`.
    async fn page(&self, after: Option<&str>) -> Value;
}

impl Home for World {
    const LIFE_MS: u64 = 400;
    const MAY_REFUSE: bool = false;
    /// Azurite looks for a key in all rows of its partition, and moves the places of all rows at each write;
    /// `docs/RELIABILITY.md` has its times.
    const STRETCH: Duration = Duration::from_secs(90);

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn slack(&self) -> &Sink {
        &self.slack
    }

    fn logs(&self) -> &Logs {
        &self.logs
    }

    fn acks(&self) -> &Mutex<Vec<Ack>> {
        &self.acks
    }

    async fn restart(&self) {
        Self::restart(self).await;
    }

    fn pass(&self, seconds: i64) {
        self.wire.advance(seconds);
    }

    fn longest(&self) -> Duration {
        *self.longest.lock().unwrap()
    }

    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        Self::push(self, hook, region).await
    }

    async fn tend(&self, ticks: Duration, carriers: usize, over: &AtomicBool) {
        const PAUSE: Duration = Duration::from_millis(5);
        let goes_on = || !over.load(Ordering::Relaxed) && !self.wire.has_ended();
        let carry = || async {
            while goes_on() {
                if let Ok(false) = self.notify_one(fastrand::bool()).await {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let tick = async {
            let mut last = None::<Instant>;
            while goes_on() {
                if last.is_none_or(|last| last.elapsed() >= ticks) {
                    last = Some(Instant::now());
                    // One that fails is followed by the next.
                    self.tick().await.unwrap_or_default();
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        futures_util::join!(join_all((0..carriers).map(|_| carry())), tick);
    }

    async fn settle(&self) {
        Self::settle(self).await;
    }

    async fn forget(&self) {
        Self::forget(self).await;
    }

    async fn observe(&self) -> Observed {
        Self::observe(self).await
    }

    async fn markers(&self) -> usize {
        self.table.markers().await.len()
    }

    async fn page(&self, after: Option<&str>) -> Value {
        Self::page(self, after).await
    }
}

impl Home for Alone {
    const LIFE_MS: u64 = 160;
    const MAY_REFUSE: bool = true;
    const STRETCH: Duration = Duration::MAX;

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn slack(&self) -> &Sink {
        &self.slack
    }

    fn logs(&self) -> &Logs {
        &self.logs
    }

    fn acks(&self) -> &Mutex<Vec<Ack>> {
        &self.acks
    }

    async fn restart(&self) {
        Self::restart(self).await;
    }

    fn pass(&self, _: i64) {}

    fn longest(&self) -> Duration {
        *self.longest.lock().unwrap()
    }

    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        Self::push(self, hook, region).await
    }

    /// It ticks and rings by itself.
    async fn tend(&self, _: Duration, _: usize, over: &AtomicBool) {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        while !over.load(Ordering::Relaxed) && !self.wire.has_ended() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn settle(&self) {
        Self::settle(self).await;
    }

    async fn forget(&self) {}

    async fn observe(&self) -> Observed {
        Self::observe(self).await
    }

    async fn markers(&self) -> usize {
        Self::markers(self).await
    }

    async fn page(&self, after: Option<&str>) -> Value {
        Self::page(self, after).await
    }
}
