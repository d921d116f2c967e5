//! Kills the handler at every request that a scenario makes: before it is forwarded, and when it has had its
//! effect and the answer is withheld. Then it is started again, what was not acknowledged is or is not sent
//! again, time passes, and everything must be as it would have been.

use crate::hook::Hook;
use crate::proxy::When;
use crate::scenarios::{SCENARIOS, Scenario, Step};
use crate::world::{Lost, World};
use crate::{progress, setting};
use futures_util::{StreamExt, stream};
use std::sync::Arc;

/// What a registry does, and the queue with a bell, when the handler dies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// It tries once: what was not acknowledged is gone.
    Once,
    Again,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    number: usize,
    when: When,
    sender: Sender,
}

/// Worlds that are played side by side: they mostly wait for each other's storage.
const SIDE_BY_SIDE: usize = 4;

async fn play(scenario: &'static Scenario, point: Option<Point>) -> (Arc<World>, usize) {
    let world = Arc::new(World::new(scenario.settings).await);
    if scenario.table_exists {
        world.table.create().await;
    }
    if let Some(point) = point {
        world.wire.crash_at(point.number, point.when);
    }
    let once = point.is_some_and(|point| point.sender == Sender::Once);
    world.restart().await;
    for step in scenario.steps {
        while let Err(Lost::Gone) = take(&world, step, once).await {
            world.restart().await;
            if once {
                break;
            }
        }
    }
    let points = world.wire.seen().len();
    (world, points)
}

async fn take(world: &World, step: &Step, once: bool) -> Result<(), Lost> {
    match step {
        Step::Push(hook, region) => {
            let (number, tag, content) = *hook;
            let taken = world.push(&Hook::new(number, tag, content), region).await?;
            assert!(taken, "nothing is wrong with the table\n{}", world.logs.last());
        }
        Step::Queued(hook, region) => {
            world.queue_arrival(&Hook::new(hook.0, hook.1, hook.2), region).await;
        }
        Step::Tick => world.tick().await?,
        Step::Deliver => world.pump(once).await?,
        Step::Advance(seconds) => world.wire.advance(*seconds),
        Step::Sink(name, status) => {
            let sink = if *name == "slack" { &world.slack } else { &world.webhook };
            sink.will(*status);
        }
        Step::Busy(busy) => world.azure.as_ref().unwrap().is_busy(*busy),
        Step::Regions(regions) => {
            world.set("WebhookRegions", regions);
            world.restart().await;
        }
    }
    Ok(())
}

/// What holds at every point; what was lost with a sender that tries once makes no difference to it.
async fn check(scenario: &Scenario, world: &World) {
    world.settle().await;
    if scenario.purges {
        world.wire.advance(400);
        world.settle().await;
        assert_eq!(world.table.keys().await, Vec::<String>::new(), "the purge left something");
    } else {
        let seen = world.observe().await;
        seen.assert_nothing_is_lost();
        seen.assert_decided_well();
        seen.assert_told("slack", &world.slack);
        seen.assert_told("webhook", &world.webhook);
        let markers = world.table.markers().await;
        let waiting = seen.pushes.iter().filter(|push| push["status"] == "waiting").count();
        assert_eq!(
            markers.len(),
            waiting,
            "a push has a marker exactly while it waits: {markers:?}"
        );
    }
    for (name, sink) in [("slack", &world.slack), ("webhook", &world.webhook)] {
        // Where something deploys at the same time, other requests than the note of it may have come between.
        let died = match &world.azure {
            Some(_) => world.wire.has_died() && sink.repeats_in_one_life() == 0,
            None => world.wire.died_while_sending(name),
        };
        let allowed = usize::from(died) + world.logs.unknown_outcomes(name);
        assert!(sink.repeats() <= allowed, "{name} was told twice: {:?}", sink.notices());
    }
    if let Some(azure) = &world.azure {
        azure.check();
    }
    let before = world.wire.seen().len();
    world.tick().await.unwrap();
    let idle = &world.wire.seen()[before..];
    assert!(world.queue.lock().unwrap().is_empty(), "a second tick rings again");
    assert!(!idle.iter().any(|s| s.is_write()), "a second tick finds something to do: {idle:?}");
    world.logs.assert_clean();
}

async fn sweep(scenario: &'static Scenario) -> usize {
    let (world, points) = play(scenario, None).await;
    let told: Vec<_> = world.slack.got().iter().map(|got| got.kind).collect();
    assert_eq!(told, scenario.told, "{}: undisturbed\n{}", scenario.name, world.logs.last());
    if let Some(azure) = &world.azure {
        let expected = scenario.applied.iter().map(|content| format!("sha256:{content:064x}"));
        assert_eq!(azure.applied(), expected.collect::<Vec<_>>(), "{}", scenario.name);
    }
    check(scenario, &world).await;
    drop(world);
    let both = [When::Before, When::After];
    let all = (1..=points).flat_map(|number| both.map(|when| (number, when)));
    // Each kind of sender meets every request, and every other run is of the other kind.
    let all = all.enumerate().map(|(at, (number, when))| {
        let sender = if (at / 2 + at) % 2 == 0 { Sender::Once } else { Sender::Again };
        Point { number, when, sender }
    });
    let runs = stream::iter(all).map(|point| {
        tokio::spawn(async move {
            let (world, _) = play(scenario, Some(point)).await;
            check(scenario, &world).await;
            assert!(world.wire.lives() >= 2, "{point:?} was not reached");
        })
    });
    let ended: Vec<_> = runs.buffer_unordered(SIDE_BY_SIDE).collect().await;
    for run in &ended {
        assert!(run.is_ok(), "{}: a point failed, see above", scenario.name);
    }
    progress(&format!("{}: {points} requests, {} points swept", scenario.name, ended.len()));
    ended.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_dies_at_any_request_loses_nothing_and_tells_once() {
    let first = setting("FANIN_CRASH_FROM", 0);
    let mut swept = 0;
    for scenario in &SCENARIOS[first..] {
        swept += sweep(scenario).await;
    }
    progress(&format!("{swept} points swept"));
}
