//! A bad network before the table, and before the sinks of either home.

use crate::alone::Alone;
use crate::arm::arm;
use crate::home::Home;
use crate::hook::Hook;
use crate::proxy::Fault;
use crate::sink::Sink;
use crate::world::{Lost, World};
use crate::{progress, setting};
use futures_util::{StreamExt, stream};
use std::time::Duration;

/// A registry waits five seconds; the product promises 4.0, and a busy machine gets half a second on top.
const ANSWERED_WITHIN: Duration = Duration::from_millis(4_500);
/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);
const SIDE_BY_SIDE: usize = 4;
/// Webhooks at the same time: more of them would measure the machine.
const AT_ONCE: usize = 32;
const CARRIERS: usize = 32;
/// Of a hundred requests, while the network is bad now and then.
const NOW_AND_THEN: u8 = 30;
/// Of a hundred calls of a sink that is in trouble.
const TROUBLE: u8 = 67;

fn hooks(pushes: u64) -> Vec<Hook> {
    (1..=pushes).map(Hook::of_many).collect()
}

/// Webhooks of which many come at the same time; all have to be taken, or refused in time and taken later where the
/// store has nothing that would stand in for it.
pub(crate) async fn arrive<H: Home>(home: &H, hooks: &[Hook], region: &str) {
    let send = async |hook: &Hook| {
        let mut taken = home.push(hook, region).await;
        while H::MAY_REFUSE && taken == Ok(false) {
            taken = home.push(hook, region).await;
        }
        taken
    };
    let sent: Vec<_> = hooks.iter().map(send).collect();
    let all: Vec<_> = stream::iter(sent).buffer_unordered(AT_ONCE).collect().await;
    assert!(all.iter().all(|taken| *taken == Ok(true)), "{all:?}\n{}", home.logs().last());
    let longest = home.longest();
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

async fn check(home: &impl Home, sinks: &[(&str, &Sink)], pushes: u64) {
    home.wire().heal();
    home.settle().await;
    let seen = home.observe().await;
    seen.assert_nothing_is_lost();
    seen.assert_decided_well();
    assert_eq!(u64::try_from(seen.pushes.len()).unwrap(), pushes);
    assert!(seen.pushes.iter().all(|push| push["status"] == "completed"), "all have arrived");
    assert_eq!(home.markers().await, 0, "work is left");
    for (name, sink) in sinks {
        seen.assert_told(name, sink);
        let of_sink = home.wire().seen().into_iter().filter(|seen| seen.target == *name);
        let doubts = of_sink.filter(|seen| seen.fault.is_some_and(Fault::leaves_doubt)).count();
        // What was accepted and could not be written down is told again, too.
        let lost = home.logs().of("results of deliveries are lost").len();
        let repeats = sink.repeats();
        let allowed = doubts + lost + home.logs().unknown_outcomes(name);
        assert!(
            repeats <= allowed,
            "{name}: {repeats} repeats, {allowed} calls of unknown outcome"
        );
    }
    assert_eq!(home.wire().lives(), 1, "the process has died\n{}", home.logs().last());
    home.logs().assert_clean();
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
    check(&world, &[("slack", &world.slack)], pushes).await;
}

/// Slack is in trouble two times out of three.
async fn slack(fault: Fault, pushes: u64) {
    const ROUNDS: usize = 3;
    let world = World::new(&[("FANIN_SINK_TIMEOUT", "1s")]).await;
    world.restart().await;
    let hooks = hooks(pushes);
    world.wire.trouble("slack", fault, share(fault));
    arrive(&world, &hooks, "northeurope").await;
    arrive(&world, &hooks, "westeurope").await;
    for _ in 0..ROUNDS {
        deliver(&world).await;
        world.wire.advance(7);
        tick(&world).await;
    }
    check(&world, &[("slack", &world.slack)], pushes).await;
    progress(&format!("slack {fault:?}: {} told again", world.slack.repeats()));
}

/// Nobody can be refused a part of his connections.
pub(crate) fn share(fault: Fault) -> u8 {
    if fault == Fault::Refuse { 100 } else { TROUBLE }
}

/// Waits until so many calls of sinks have failed, or all is told in spite of the network.
pub(crate) async fn failures(home: &Alone, wanted: usize) {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let failed = async {
        while home.logs.of("not delivered").len() < wanted && home.markers().await > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let patient = tokio::time::timeout(PATIENCE, failed).await;
    assert!(patient.is_ok(), "too few calls fail\n{}", home.logs.last());
}

/// The standalone home with both of its sinks in trouble two times out of three, until as many calls have failed
/// as there are pushes.
async fn standalone(fault: Fault, pushes: u64) {
    let retries = ["500ms"; 60].join(",");
    let home = Alone::new(&[
        ("WebhookTimeout", "1h"),
        ("FANIN_RETRY", &retries),
        ("NOTIFY_WEBHOOK_URL", "set"),
        ("NOTIFY_WEBHOOK_FORMAT", "cloudevents"),
    ])
    .await;
    home.restart().await;
    let hooks = hooks(pushes);
    home.wire.trouble("slack", fault, share(fault));
    home.wire.trouble("webhook", fault, share(fault));
    arrive(&home, &hooks, "northeurope").await;
    arrive(&home, &hooks, "westeurope").await;
    failures(&home, hooks.len()).await;
    check(&home, &[("slack", &home.slack), ("webhook", &home.webhook)], pushes).await;
    progress(&format!(
        "standalone {fault:?}: longest answer {:?}, {} calls of unknown outcome, {} and {} told again",
        home.longest(),
        home.logs.unknown_outcomes("slack") + home.logs.unknown_outcomes("webhook"),
        home.slack.repeats(),
        home.webhook.repeats()
    ));
}

/// Every mode, with so many pushes of each.
async fn all<F: Future<Output = ()> + Send + 'static>(fault: impl Fn(Fault, u64) -> F) {
    let pushes = u64::try_from(setting("FANIN_CRASH_PUSHES", 8)).unwrap();
    let runs = stream::iter(Fault::ALL).map(|mode| {
        let run = tokio::spawn(fault(mode, pushes));
        async move { (mode, run.await.is_ok()) }
    });
    let at_once = setting("FANIN_CRASH_SIDE_BY_SIDE", SIDE_BY_SIDE);
    let ended: Vec<_> = runs.buffer_unordered(at_once).collect().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_before_the_sinks_of_a_standalone_server_the_notices_come() {
    all(standalone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_before_resource_manager_each_group_is_updated_once() {
    all(arm).await;
}
