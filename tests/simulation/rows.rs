//! The store as one instance sees it: slow, failing before or after the effect, and with a clock that is off.

use crate::coverage::Hit;
use crate::executor::step_aside;
use crate::observe;
use crate::world::{Sim, State};
use acr_fanin::ports::{Op, Row, Rows, StoreError, Version};
use acr_fanin::store::memory::Memory;
use async_trait::async_trait;
use fan_in::{Shard, Timestamp};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct FaultyRows {
    pub(crate) sim: Sim,
    pub(crate) inner: Memory,
    pub(crate) skew: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    ErrorBefore,
    ErrorAfter,
}

/// What one request meets.
struct Step {
    fate: Fate,
    before: Wait,
    after: Wait,
}

#[derive(Clone, Copy)]
enum Wait {
    No,
    Aside,
    Millis(u64),
}

impl Wait {
    async fn pass(self, sim: &Sim) {
        match self {
            Self::No => {}
            Self::Aside => step_aside().await,
            Self::Millis(millis) => sim.sleep(Duration::from_millis(millis)).await,
        }
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable("simulated".to_owned())
}

fn wait(state: &mut State) -> Wait {
    let slow = state.plan.weather.slow;
    let faulty = state.faulty;
    match state.rng.u32(..1_000) {
        n if faulty && n < slow => {
            state.fault(Hit::SlowRequest);
            Wait::Millis(state.rng.u64(50..900))
        }
        n if n < 150 => Wait::Millis(state.rng.u64(1..20)),
        n if n < 700 => Wait::Aside,
        _ => Wait::No,
    }
}

impl FaultyRows {
    /// `scan`: one of sixteen requests that are made at once.
    fn step(&self, hit: Hit, scan: bool) -> Step {
        let mut state = self.sim.state();
        state.hit(hit);
        if scan && (!state.faulty || state.rng.u32(..16) > 0) {
            return Step { fate: Fate::Fine, before: Wait::No, after: Wait::No };
        }
        let now = self.sim.elapsed();
        let outage = state.plan.outages.iter().any(|(from, to)| (*from..*to).contains(&now));
        let (before, after) = (wait(&mut state), wait(&mut state));
        let (weather, draw) = (state.plan.weather, state.rng.u32(..1_000));
        let fate = if state.faulty && outage {
            state.fault(Hit::Outage);
            if draw < 30 { Fate::ErrorAfter } else { Fate::ErrorBefore }
        } else if state.faulty && draw < weather.error_before {
            state.fault(Hit::ErrorBeforeEffect);
            Fate::ErrorBefore
        } else if state.faulty && draw < weather.error_before + weather.error_after {
            state.fault(Hit::ErrorAfterEffect);
            Fate::ErrorAfter
        } else {
            Fate::Fine
        };
        if fate != Fate::Fine
            && let Some(job) = state.job()
        {
            job.errors += 1;
        }
        Step { fate, before, after }
    }
}

impl Step {
    async fn begin(&self, sim: &Sim) -> Result<(), StoreError> {
        self.before.pass(sim).await;
        if self.fate == Fate::ErrorBefore { Err(lost()) } else { Ok(()) }
    }

    async fn end<T>(&self, sim: &Sim, result: T) -> Result<T, StoreError> {
        self.after.pass(sim).await;
        if self.fate == Fate::ErrorAfter { Err(lost()) } else { Ok(result) }
    }
}

#[async_trait]
impl Rows for FaultyRows {
    fn now(&self) -> Timestamp {
        let now = self.inner.now().as_millis();
        let skew = if self.sim.state().faulty { self.skew } else { 0 };
        Timestamp::from_millis(now + skew)
    }

    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError> {
        let step = self.step(Hit::StoreReads, false);
        step.begin(&self.sim).await?;
        let row = self.inner.row(shard, key);
        step.end(&self.sim, row).await
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let step = self.step(Hit::StoreScans, true);
        step.begin(&self.sim).await?;
        let rows = self.inner.rows(shard, from, below, limit);
        step.end(&self.sim, rows).await
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        let step = self.step(Hit::StoreWrites, false);
        step.begin(&self.sim).await?;
        let written = observe::write(&self.sim, &self.inner, shard, ops);
        match written {
            Ok(versions) => {
                if step.fate == Fate::ErrorAfter
                    && let Some(job) = self.sim.state().job()
                {
                    job.unsure = true;
                }
                step.end(&self.sim, versions).await
            }
            Err(error) => {
                step.after.pass(&self.sim).await;
                Err(error)
            }
        }
    }
}
