//! A bad network before the table, and before Slack.

use crate::hook::Hook;
use crate::proxy::Fault;
use crate::world::{Lost, World};
use crate::{progress, setting};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use std::time::Duration;

/// A registry waits five seconds; the product promises 4.0, and a busy machine gets half a second on top.
const ANSWERED_WITHIN: Duration = Duration::from_millis(4_500);
const SIDE_BY_SIDE: usize = 4;
const CARRIERS: usize = 8;
/// Of a hundred requests, while the network is bad now and then.
const NOW_AND_THEN: u8 = 30;

fn hooks(pushes: u64) -> Vec<Hook> {
    (1..=pushes).map(Hook::of_many).collect()
}

/// Webhooks that come at the same time; all have to be taken.
async fn arrive(world: &World, hooks: &[Hook], region: &str) {
    let all = join_all(hooks.iter().map(|hook| world.push(hook, region))).await;
    assert!(all.iter().all(|taken| *taken == Ok(true)), "{all:?}\n{}", world.logs.last());
    let longest = *world.longest.lock().unwrap();
    assert!(longest <= ANSWERED_WITHIN, "a webhook waited {longest:?} for its answer");
}

/// Gives everything in the queue to `Notify` once.
async fn deliver(world: &World) {
    let messages = world.queue.lock().unwrap().len();
    let once = (0..messages).map(|_| world.notify_one(false));
    let ended: Vec<_> = stream::iter(once).buffer_unordered(CARRIERS).collect().await;
    assert!(!ended.contains(&Err(Lost::Gone)), "the handler has died\n{}", world.logs.last());
}

/// A tick may fail, and the handler lives on.
async fn tick(world: &World) {
    assert_ne!(world.tick().await, Err(Lost::Gone), "{}", world.logs.last());
}

async fn check(world: &World, pushes: u64) {
    world.wire.heal();
    world.settle().await;
    let seen = world.observe().await;
    seen.assert_nothing_is_lost();
    seen.assert_decided_well();
    seen.assert_told("slack", &world.slack);
    assert_eq!(u64::try_from(seen.pushes.len()).unwrap(), pushes);
    assert!(seen.pushes.iter().all(|push| push["status"] == "completed"), "all have arrived");
    assert!(world.table.markers().await.is_empty(), "work is left");
    let of_slack = world.wire.seen().into_iter().filter(|seen| seen.target == "slack");
    let doubts = of_slack.filter(|seen| seen.fault.is_some_and(Fault::leaves_doubt)).count();
    // What was accepted and could not be written down is told again, too.
    let lost = world.logs.of("results of deliveries are lost").len();
    let repeats = world.slack.repeats();
    let allowed = doubts + lost + world.logs.unknown_outcomes("slack");
    assert!(repeats <= allowed, "{repeats} repeats, {allowed} calls of unknown outcome");
    assert_eq!(world.wire.lives(), 1, "the handler has died\n{}", world.logs.last());
    world.logs.assert_clean();
}

/// Half of the pushes have one region when the table goes away entirely; then it is there now and then.
async fn table(fault: Fault, pushes: u64) {
    let world = World::new(&[]).await;
    world.restart().await;
    let hooks = hooks(pushes);
    let (begun, new) = hooks.split_at(hooks.len() / 2);
    arrive(&world, begun, "northeurope").await;
    world.wire.trouble("table", fault, 100);
    futures_util::join!(
        arrive(&world, begun, "westeurope"),
        arrive(&world, new, "northeurope"),
        tick(&world)
    );
    world.wire.trouble("table", fault, NOW_AND_THEN);
    futures_util::join!(arrive(&world, new, "westeurope"), deliver(&world));
    tick(&world).await;
    deliver(&world).await;
    progress(&format!("table {fault:?}: longest answer {:?}", world.longest.lock().unwrap()));
    check(&world, pushes).await;
}

/// Slack is in trouble two times out of three.
async fn slack(fault: Fault, pushes: u64) {
    const TROUBLE: u8 = 67;
    const ROUNDS: usize = 3;
    let world = World::new(&[("FANIN_SINK_TIMEOUT", "1s")]).await;
    world.restart().await;
    let hooks = hooks(pushes);
    let share = if fault == Fault::Refuse { 100 } else { TROUBLE };
    world.wire.trouble("slack", fault, share);
    arrive(&world, &hooks, "northeurope").await;
    arrive(&world, &hooks, "westeurope").await;
    for _ in 0..ROUNDS {
        deliver(&world).await;
        world.wire.advance(7);
        tick(&world).await;
    }
    check(&world, pushes).await;
    progress(&format!("slack {fault:?}: {} told again", world.slack.repeats()));
}

async fn all<F: Future<Output = ()> + Send + 'static>(fault: impl Fn(Fault, u64) -> F) {
    let pushes = u64::try_from(setting("FANIN_CRASH_PUSHES", 8)).unwrap();
    let runs = stream::iter(Fault::ALL).map(|mode| {
        let run = tokio::spawn(fault(mode, pushes));
        async move { (mode, run.await.is_ok()) }
    });
    let ended: Vec<_> = runs.buffer_unordered(SIDE_BY_SIDE).collect().await;
    let bad: Vec<_> = ended.iter().filter(|(_, well)| !well).collect();
    assert!(bad.is_empty(), "see above: {bad:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_before_the_table_webhooks_are_answered_and_kept() {
    all(table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_before_slack_the_notice_comes() {
    all(slack).await;
}
