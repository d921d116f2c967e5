//! The standalone home, killed at every call of a sink that a scenario makes, and after every answer to a
//! webhook: its store is a file, so there is no request to it that could be numbered.

use crate::alone::Alone;
use crate::hook::Hook;
use crate::progress;
use crate::proxy::When;
use crate::scenarios::{SCENARIOS, Scenario, Step};
use crate::world::Lost;
use futures_util::{StreamExt, stream};

#[derive(Clone, Copy, Debug)]
enum Point {
    /// At the call of a sink of this number.
    Call(usize, When),
    /// After the answer to the webhook of this number.
    Answer(usize),
}

const SIDE_BY_SIDE: usize = 8;

/// Scenarios that make sense here: no queue is in the way of an arrival, a purge waits for five minutes, and Azure
/// may be busy for ten seconds of every run.
fn makes_sense(scenario: &Scenario) -> bool {
    let elsewhere = |step: &Step| matches!(step, Step::Queued(..) | Step::Busy(_));
    !scenario.purges && !scenario.steps.iter().any(elsewhere)
}

/// Steps that the process does by itself are only waited for where the next webhook depends on them.
async fn play(scenario: &Scenario, point: Option<Point>) -> Alone {
    let home = Alone::new(scenario.settings).await;
    if let Some(Point::Call(number, when)) = point {
        home.wire.crash_at(number, when);
    }
    home.restart().await;
    let mut answers = 0;
    for step in scenario.steps {
        match step {
            Step::Push((number, tag, content), region) => {
                let hook = Hook::new(*number, tag, *content);
                while home.push(&hook, region).await == Err(Lost::Gone) {
                    home.restart().await;
                }
                answers += 1;
                if matches!(point, Some(Point::Answer(at)) if at == answers) {
                    home.restart().await;
                }
            }
            Step::Advance(seconds) if *seconds > 600 => home.settle().await,
            Step::Sink("slack", status) => home.slack.will(*status),
            Step::Sink(_, status) => home.webhook.will(*status),
            Step::Regions(regions) => {
                home.set("WebhookRegions", regions);
                home.restart().await;
            }
            Step::Queued(..) | Step::Busy(_) | Step::Tick | Step::Deliver | Step::Advance(_) => {}
        }
    }
    home.settle().await;
    home
}

async fn check(home: &Alone) {
    let seen = home.observe().await;
    seen.assert_nothing_is_lost();
    seen.assert_decided_well();
    seen.assert_told("slack", &home.slack);
    seen.assert_told("webhook", &home.webhook);
    for (name, sink) in [("slack", &home.slack), ("webhook", &home.webhook)] {
        let allowed = home.logs.unknown_outcomes(name);
        assert!(sink.repeats_in_one_life() <= allowed, "told twice: {:?}", sink.notices());
    }
    if let Some(azure) = &home.azure {
        azure.check();
    }
    home.logs.assert_clean();
}

async fn sweep(scenario: &'static Scenario) -> usize {
    let undisturbed = play(scenario, None).await;
    check(&undisturbed).await;
    let calls = undisturbed.wire.seen().len();
    let pushes = scenario.steps.iter().filter(|step| matches!(step, Step::Push(..))).count();
    drop(undisturbed);
    let both = [When::Before, When::After];
    let points = (1..=calls)
        .flat_map(|number| both.map(|when| Point::Call(number, when)))
        .chain((1..=pushes).map(Point::Answer));
    let runs = stream::iter(points).map(|point| {
        tokio::spawn(async move {
            let home = play(scenario, Some(point)).await;
            check(&home).await;
            assert!(home.wire.lives() >= 2, "{point:?} was not reached");
        })
    });
    let ended: Vec<_> = runs.buffer_unordered(SIDE_BY_SIDE).collect().await;
    assert!(ended.iter().all(Result::is_ok), "{}: a point failed, see above", scenario.name);
    progress(&format!(
        "standalone, {}: {calls} calls, {} points swept",
        scenario.name,
        ended.len()
    ));
    ended.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standalone_server_that_dies_at_any_call_loses_nothing() {
    let begun = std::time::Instant::now();
    let mut swept = 0;
    for scenario in SCENARIOS.iter().filter(|scenario| makes_sense(scenario)) {
        swept += sweep(scenario).await;
    }
    progress(&format!("standalone: {swept} points swept in {} s", begun.elapsed().as_secs()));
}
