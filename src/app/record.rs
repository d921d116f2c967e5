//! An arrival is recorded, and decides at once if it was the last.

use super::{App, pause};
use crate::intake::Event;
use crate::keys;
use crate::ports::StoreError;
use crate::store::Stored;
use fan_in::decide::Change;
use fan_in::push::Channels;
use fan_in::{
    Arrival, Correlation, Family, Load, Older, Outcome, Push, PushId, Report, Timestamp, Verdict,
    arrive,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Tries of one arrival before we say that the store is too busy.
const TRIES_MAX: u32 = 40;

/// What became of an arrival. It is durable.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub verdict: Verdict,
    pub push: Push,
    /// There is something to deliver at once.
    pub ring: bool,
}

/// A try that did not succeed, and what it would have come to.
struct Failed {
    error: StoreError,
    outcome: Option<Recorded>,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self { error, outcome: None }
    }
}

impl App {
    /// Records an event that was received now, or at the time given.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store did not take it `within` that time: it may be recorded all
    /// the same, and recording it again does no harm. [`StoreError::Broken`] when no later try can help.
    pub async fn record_arrival(
        &self,
        event: &Event,
        received: Option<Timestamp>,
        within: Duration,
    ) -> Result<Recorded, StoreError> {
        let late = || StoreError::Unavailable("no answer in time".to_owned());
        let recorded = tokio::time::timeout(within, self.record(event, received))
            .await
            .map_err(|_| late())??;
        self.counters.arrival(recorded.verdict);
        let (push, region) = (&recorded.push, &event.region);
        let result = recorded.verdict.as_str();
        tracing::info!(push = %push.id, image = %push.image, %region, result, "arrival recorded");
        if matches!(recorded.verdict, Verdict::Completed | Verdict::Recovered) {
            self.log_decision(push);
        }
        Ok(recorded)
    }

    async fn record(
        &self,
        event: &Event,
        received: Option<Timestamp>,
    ) -> Result<Recorded, StoreError> {
        let content = match self.parts.policy.correlation {
            Correlation::Auto => keys::content(&event.image),
            Correlation::Id => keys::content_by_id(&event.image, &event.id),
        };
        let _lock = self.lock(content).await;
        let mut report = Report {
            shard: keys::shard(&event.image.repository),
            content,
            image: event.image.clone(),
            origin: event.origin.clone(),
            arrival: Arrival {
                region: event.region.clone(),
                received: Timestamp::ZERO,
                event_time: event.event_time,
                ids: vec![keys::event(&event.id)],
                channels: Channels::only(event.channel),
                late: false,
            },
        };
        // A write whose answer was lost may have happened: then the next try finds our own arrival.
        let mut unsure: Option<Recorded> = None;
        let mut said = false;
        for tries in 0..TRIES_MAX {
            match self.try_to_record(&mut report, received).await {
                Ok(done) if done.verdict == Verdict::Duplicate => {
                    let Some(Recorded { verdict, ring, .. }) = unsure else { return Ok(done) };
                    return Ok(Recorded { verdict, ring, push: done.push });
                }
                Ok(done) => return Ok(done),
                Err(Failed { error: StoreError::Broken(what), .. }) => {
                    return Err(StoreError::Broken(what));
                }
                Err(Failed { error: StoreError::Conflict, .. }) => {}
                Err(Failed { error: StoreError::Unavailable(what), outcome }) => {
                    self.counters.store_error();
                    // Said once for each arrival: while a store is away there are very many tries.
                    if std::mem::replace(&mut said, true) {
                        tracing::debug!(what, tries, "the store did not answer");
                    } else {
                        tracing::warn!(what, "the store did not answer");
                    }
                    unsure = outcome.or(unsure);
                }
            }
            pause(tries).await;
        }
        Err(StoreError::Unavailable("too many others write the same push".to_owned()))
    }

    async fn try_to_record(
        &self,
        report: &mut Report,
        received: Option<Timestamp>,
    ) -> Result<Recorded, Failed> {
        let store = &self.parts.store;
        let family = store.family(report.shard, report.content).await?;
        let now = store.now();
        report.arrival.received = received.unwrap_or(now);
        let mut older = Older::new();
        let mut loaded: BTreeMap<u64, Stored<Push>> = BTreeMap::new();
        let outcome = loop {
            match arrive(family.as_ref().map(|f| &f.value), &older, report, &self.parts.policy, now)
            {
                Ok(outcome) => break outcome,
                Err(Load(generation)) => {
                    let id = PushId { shard: report.shard, content: report.content, generation };
                    let stored = store.earlier(id).await?;
                    older.insert(generation, stored.as_ref().map(|s| s.value.clone()));
                    loaded.extend(stored.map(|s| (generation, s)));
                }
            }
        };
        let is_marked = report.image.action.is_push()
            && (outcome.change == Change::Opens
                || is_newer_now(&outcome, family.as_ref(), &loaded));
        let marks = match report.image.tag.as_ref().filter(|_| is_marked) {
            Some(tag) => store.marks(&report.image.repository, tag).await?,
            None => None,
        };
        let earlier = outcome.earlier.as_ref().and_then(|push| loaded.get(&push.id.generation));
        let saved = store.save_arrival(&outcome, family.as_ref(), earlier, marks.as_ref()).await;
        let recorded = recorded(&outcome);
        match saved {
            Ok(()) => Ok(recorded),
            Err(error) => Err(Failed { error, outcome: Some(recorded) }),
        }
    }
}

/// An arrival that takes another's place can make a push newer than its tag's row says; to be older than that
/// does no harm, since the row is only asked which pushes may be newer.
fn is_newer_now(
    outcome: &Outcome,
    family: Option<&Stored<Family>>,
    loaded: &BTreeMap<u64, Stored<Push>>,
) -> bool {
    let (before, after) = match outcome.change {
        Change::Newest => (family.map(|f| &f.value.newest), &outcome.family.newest),
        Change::Earlier => {
            let after = outcome.push();
            (loaded.get(&after.id.generation).map(|earlier| &earlier.value), after)
        }
        Change::Nothing | Change::Opens => return false,
    };
    before.is_some_and(|before| after.order() > before.order())
}

fn recorded(outcome: &Outcome) -> Recorded {
    Recorded { verdict: outcome.verdict, push: outcome.push().clone(), ring: outcome.ring }
}
