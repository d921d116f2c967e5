//! kill -9 at random times under load, again and again, on either store.

use crate::alone::Alone;
use crate::check::Observed;
use crate::hook::Hook;
use crate::process::Logs;
use crate::proxy::Wire;
use crate::sink::Sink;
use crate::world::{Lost, World};
use crate::{progress, setting};
use futures_util::future::join_all;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const REGIONS: &str = "northeurope,westeurope,southeastasia";
const SENDERS: usize = 4;
const CARRIERS: usize = 3;

/// Where the product lives, as far as the loop needs to know.
trait Home {
    /// A process lives at most so long after it listens.
    const LIFE_MS: u64;

    fn wire(&self) -> &Wire;
    fn slack(&self) -> &Sink;
    fn logs(&self) -> &Logs;
    async fn restart(&self);
    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost>;
    /// What the host does meanwhile, until the process is dead.
    async fn tend(&self);
    /// Until everything is decided and told.
    async fn settle(&self);
    async fn observe(&self) -> Observed;
    async fn markers(&self) -> usize;
}

impl Home for World {
    const LIFE_MS: u64 = 400;

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn slack(&self) -> &Sink {
        &self.slack
    }

    fn logs(&self) -> &Logs {
        &self.logs
    }

    async fn restart(&self) {
        // Now and then much time passes: leases end, and pushes time out.
        if fastrand::u8(0..8) == 0 {
            self.wire.advance(fastrand::i64(1..=900));
        }
        Self::restart(self).await;
    }

    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        Self::push(self, hook, region).await
    }

    async fn tend(&self) {
        const PAUSE: Duration = Duration::from_millis(5);
        let carry = || async {
            while !self.wire.has_ended() {
                if let Ok(false) = self.notify_one(fastrand::bool()).await {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let tick = async {
            while self.tick().await != Err(Lost::Gone) {
                tokio::time::sleep(10 * PAUSE).await;
            }
        };
        futures_util::join!(join_all((0..CARRIERS).map(|_| carry())), tick);
    }

    async fn settle(&self) {
        self.wire.advance(700);
        Self::settle(self).await;
    }

    async fn observe(&self) -> Observed {
        Self::observe(self).await
    }

    async fn markers(&self) -> usize {
        self.table.markers().await.len()
    }
}

impl Home for Alone {
    const LIFE_MS: u64 = 160;

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn slack(&self) -> &Sink {
        &self.slack
    }

    fn logs(&self) -> &Logs {
        &self.logs
    }

    async fn restart(&self) {
        Self::restart(self).await;
    }

    async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        Self::push(self, hook, region).await
    }

    async fn tend(&self) {}

    async fn settle(&self) {
        Self::settle(self).await;
    }

    async fn observe(&self) -> Observed {
        Self::observe(self).await
    }

    async fn markers(&self) -> usize {
        Self::markers(self).await
    }
}

/// Webhooks on their way, in no order.
#[derive(Default)]
struct Registry {
    waiting: Mutex<Vec<(Hook, String)>>,
    pushed: AtomicU64,
}

impl Registry {
    fn next(&self) -> (Hook, String) {
        const AT_ONCE: usize = 30;
        let mut waiting = self.waiting.lock().unwrap();
        while waiting.len() < AT_ONCE {
            let number = 1 + self.pushed.fetch_add(1, Ordering::Relaxed);
            let hook = Hook::of_many(number);
            waiting.extend(REGIONS.split(',').map(|region| (hook.clone(), region.to_owned())));
        }
        let at = fastrand::usize(0..waiting.len());
        waiting.swap_remove(at)
    }

    fn again(&self, job: (Hook, String)) {
        self.waiting.lock().unwrap().push(job);
    }

    /// Half of the senders try once only.
    async fn send<H: Home>(&self, home: &H) {
        loop {
            let (hook, region) = self.next();
            match home.push(&hook, &region).await {
                Ok(true) => {}
                Ok(false) => self.again((hook, region)),
                Err(_) => {
                    if fastrand::bool() {
                        self.again((hook, region));
                    }
                    return;
                }
            }
        }
    }
}

async fn kill_again_and_again<H: Home>(home: &H, name: &str, kills: usize) {
    let registry = Registry::default();
    for _ in 0..kills {
        home.restart().await;
        let load = join_all((0..SENDERS).map(|_| registry.send(home)));
        let death = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..H::LIFE_MS))).await;
            home.wire().kill();
        };
        futures_util::join!(load, home.tend(), death);
    }
    home.settle().await;
    let seen = home.observe().await;
    seen.assert_nothing_is_lost();
    seen.assert_decided_well();
    seen.assert_told("slack", home.slack());
    assert_eq!(home.markers().await, 0, "work is left");
    home.logs().assert_clean();
    let notices = home.slack().notices();
    let unknown = home.logs().unknown_outcomes("slack");
    let repeats = home.slack().repeats();
    let same_life = home.slack().repeats_in_one_life();
    assert!(same_life <= unknown, "repeats without a kill between: {same_life} > {unknown}");
    progress(&format!(
        "{name}: {kills} kills, {} webhooks acknowledged, {} pushes, {} notices, {repeats} of them told again, \
         {unknown} calls of unknown outcome; 0 lost, 0 missing, 0 second decisions",
        seen.acks.len(),
        seen.pushes.len(),
        notices.len(),
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_killed_at_random_times_loses_nothing() {
    let home = World::new(&[("WebhookRegions", REGIONS)]).await;
    home.table.create().await;
    kill_again_and_again(&home, "Azurite", setting("FANIN_CRASH_KILLS", 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standalone_server_that_is_killed_at_random_times_loses_nothing() {
    let home = Alone::new(&[("WebhookRegions", REGIONS), ("WebhookTimeout", "1s")]).await;
    kill_again_and_again(&home, "SQLite", setting("FANIN_CRASH_KILLS", 200)).await;
}
