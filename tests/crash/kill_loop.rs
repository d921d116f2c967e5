//! kill -9 at random times under load, again and again, on either store.

use crate::alone::Alone;
use crate::home::Home;
use crate::registry::{REGIONS, Registry};
use crate::world::World;
use crate::{progress, setting};
use futures_util::future::join_all;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const SENDERS: usize = 4;
const AT_ONCE: usize = 30;
const CARRIERS: usize = 3;
/// In seconds.
const PAST_DEADLINES: i64 = 700;
const TICKS: Duration = Duration::from_millis(50);
static NEVER: AtomicBool = AtomicBool::new(false);

/// Until the process is dead. Half of the senders try once only.
async fn send(home: &impl Home, registry: &Registry) {
    while let Some((hook, region)) = registry.next() {
        match home.push(&hook, region).await {
            Ok(true) => {}
            Ok(false) => registry.again((hook, region)),
            Err(_) => {
                if fastrand::bool() {
                    registry.again((hook, region));
                }
                return;
            }
        }
    }
}

async fn kill_again_and_again<H: Home>(home: &H, name: &str, kills: usize) {
    let registry = Registry::new(AT_ONCE, 0);
    for _ in 0..kills {
        if fastrand::u8(0..8) == 0 {
            home.pass(fastrand::i64(1..=900));
        }
        home.restart().await;
        let load = join_all((0..SENDERS).map(|_| send(home, &registry)));
        let death = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..H::LIFE_MS))).await;
            home.wire().kill();
        };
        futures_util::join!(load, home.tend(TICKS, CARRIERS, &NEVER), death);
    }
    home.pass(PAST_DEADLINES);
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
