//! One seed from beginning to end.

use crate::checker;
use crate::coverage::{Coverage, Hit};
use crate::executor;
use crate::plan::Plan;
use crate::twin;
use crate::world::{Group, Instance, Sim};
use acr_fanin::intake::Rules;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Everything is done long before that once the faults have stopped: 10 minutes of invisibility and the
/// longest pause a sink may ask for, some of them one after the other.
const DRAINED_WITHIN: u64 = 3 * 3_600_000;

/// What came of a seed.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Vec<String>,
    pub(crate) coverage: Coverage,
}

/// Time that only passes when nothing can go on.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

pub(crate) fn seed(runtime: &Runtime, seed: u64, trace: bool) -> Outcome {
    let plan = Plan::draw(seed);
    let (sim, drained) = play(runtime, plan, seed, trace);
    let rows = checker::read(&sim);
    checker::check(&sim, &rows, drained);
    if sim.state().truth.violations.is_empty() {
        // Where pushes meet, and in half of the others: these are many, and have little to tell.
        let compares = sim.plan().pushes.len() > 1 || seed.is_multiple_of(2);
        if let Some(reports) = compares.then(|| twin::stored_reports(&sim, &rows)).flatten() {
            let calm = sim.plan().calm(reports);
            let (other, _) = play(runtime, calm, seed, false);
            twin::compare(&sim, &rows, &checker::read(&other));
            sim.state().hit(Hit::Twins);
            forget(&other);
        }
        checker::purge_all(&sim, runtime, seed);
    }
    sim.state().hit(Hit::Seeds);
    let outcome = {
        let mut state = sim.state();
        Outcome {
            violations: std::mem::take(&mut state.truth.violations),
            trace: state.trace.take().unwrap_or_default(),
            coverage: std::mem::take(&mut state.coverage),
        }
    };
    forget(&sim);
    outcome
}

/// The instances know the world and the world knows them.
fn forget(sim: &Sim) {
    let instances = std::mem::take(&mut sim.state().instances);
    drop(instances);
}

fn play(runtime: &Runtime, plan: Plan, seed: u64, trace: bool) -> (Sim, bool) {
    fastrand::seed(seed);
    runtime.block_on(async move {
        let sim = Sim::new(plan, seed, trace);
        let drained = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let director = direct(sim.clone(), Arc::clone(&drained));
        executor::run(sim.clone(), Box::pin(director)).await;
        // What was spawned last and never began.
        drop(sim.turn());
        (sim, drained.load(std::sync::atomic::Ordering::Relaxed))
    })
}

async fn direct(sim: Sim, drained: Arc<std::sync::atomic::AtomicBool>) {
    let plan = sim.plan();
    sim.state().note(|| format!("{plan:?}"));
    sim.keep_key_of_names().await;
    for instance in 0..plan.instances {
        sim.state().instances.push(Instance {
            app: None,
            rules: Arc::new(Rules::default()),
            regions: plan.regions.clone(),
            swept: false,
            frozen: false,
            thawed_at: 0,
        });
        sim.start(instance);
    }
    for letter in 0..plan.letters.len() {
        sim.spawn_sender(letter);
    }
    sim.spawn_askers();
    for (instance, at, until) in plan.freezes.clone() {
        sim.spawn(Group::World, Box::pin(sim.clone().freeze(instance, at, until)));
    }
    if let Some((at, regions)) = plan.change.clone() {
        sim.spawn(Group::World, Box::pin(sim.clone().change_regions(at, regions)));
    }
    if sim.state().strikes(plan.weather.queue, Hit::Garbage) {
        sim.enqueue("{\"neither\":1}".to_owned());
    }
    sim.spawn(Group::World, Box::pin(sim.clone().timer()));
    sim.until(plan.faults_until).await;
    sim.state().faulty = false;
    sim.state().note(|| format!("{:>7} the faults stop", sim.elapsed()));
    let end = sim.elapsed() + DRAINED_WITHIN;
    while sim.elapsed() < end {
        sim.sleep(Duration::from_secs(20)).await;
        if sim.state().is_quiet() && sim.state().truth.markers.is_empty() {
            drained.store(true, std::sync::atomic::Ordering::Relaxed);
            return;
        }
    }
}
