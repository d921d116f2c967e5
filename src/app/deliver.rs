//! A push's notices go out: claim, call, write down.

use super::{App, LEASE_FACTOR, Tries, pause};
use crate::limits::{PROGRESS_MAX, TEXT_CHARS_MAX, cut};
use crate::ports::{Parcel, Sink, StoreError};
use crate::store::StoredPush;
use fan_in::mutant::{self, Mutant};
use fan_in::{Attempt, Claim, PushId};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long a call waits for a place among the calls of its sink.
const SLOT_WITHIN: Duration = Duration::from_secs(1);

/// What a notice's delivery gives cause to tell is told in the next round; nothing of it has a cause beyond that.
const ROUNDS_MAX: usize = 3;

/// What is to be attempted now.
struct Claimed {
    stored: StoredPush,
    claims: Vec<Claim>,
    /// Sinks that are only asked what they have begun: a newer push of the tag is everywhere.
    outdated: Vec<String>,
    /// A place among the calls of each sink, given back when its attempt is over.
    slots: BTreeMap<String, OwnedSemaphorePermit>,
}

/// A claimed attempt and how it ended.
type Ended = (Claim, Attempt);

impl App {
    pub(super) fn lease(&self) -> Duration {
        self.parts.sink_timeout * LEASE_FACTOR
    }

    /// Makes an attempt at every delivery of the push that is due, and at those of the notices that these give
    /// cause for. A second call at the same time finds nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the deliveries cannot be claimed. What is claimed is always attempted; a result that
    /// cannot be written down makes the notice come again when its lease is over.
    pub async fn deliver(&self, id: PushId) -> Result<(), StoreError> {
        for _ in 0..ROUNDS_MAX {
            if !self.deliver_what_is_due(id).await? {
                break;
            }
        }
        Ok(())
    }

    /// Says whether there is something to deliver afterwards that nobody has been told of.
    async fn deliver_what_is_due(&self, id: PushId) -> Result<bool, StoreError> {
        let Some(Claimed { stored, claims, outdated, mut slots }) = self.claim(id).await? else {
            return Ok(false);
        };
        let at = stored.push.clone();
        let calls = claims.into_iter().map(|claim| {
            let slot = slots.remove(&claim.sink);
            let outdated = outdated.contains(&claim.sink);
            self.attempt(&at, claim, outdated, slot)
        });
        let mut calls: FuturesUnordered<_> = calls.collect();
        let notices = stored.push.notices.len();
        let mut more = false;
        let mut known = Some(stored);
        let mut ended = Vec::new();
        while let Some(first) = calls.next().await {
            ended.push(first);
            while !ended.is_empty() {
                // What ended at the same time is written at the same time.
                while let Some(Some(next)) = calls.next().now_or_never() {
                    ended.push(next);
                }
                let batch = std::mem::take(&mut ended);
                let mut writing = std::pin::pin!(self.write_down(id, known.take(), &batch));
                // The other calls go on while the store takes its time.
                let written = loop {
                    // In this order, so that a run can be repeated.
                    tokio::select! {
                        biased;
                        written = &mut writing => break written,
                        Some(next) = calls.next(), if !calls.is_empty() => ended.push(next),
                    }
                };
                match written {
                    Ok(stored) => {
                        more |= stored.push.notices.len() > notices;
                        known = Some(stored);
                    }
                    Err(error) => {
                        tracing::error!(push = %id, %error, "results of deliveries are lost; they are repeated");
                    }
                }
            }
        }
        Ok(more)
    }

    async fn claim(&self, id: PushId) -> Result<Option<Claimed>, StoreError> {
        let mut tries = Tries::default();
        loop {
            let claimed = self.try_to_claim(id).await;
            if tries.are_over(&claimed) {
                return claimed;
            }
            tries.pause().await;
        }
    }

    async fn try_to_claim(&self, id: PushId) -> Result<Option<Claimed>, StoreError> {
        let store = &self.parts.store;
        let lock = self.lock(id.content).await;
        let Some(stored) = store.push(id).await? else { return Ok(None) };
        let now = store.now();
        let due: BTreeSet<String> = stored.push.claimable(now).map(str::to_owned).collect();
        if due.is_empty() {
            return Ok(None);
        }
        let deploys = |name: &&String| {
            self.sink(name).is_some_and(|(_, sink)| {
                let replaces = sink.target(&stored.push.image).is_some();
                // What has begun goes on to its end.
                sink.deploys() && !has_begun(&stored.push, name, replaces)
            })
        };
        let mut superseded: Vec<String> = due.iter().filter(deploys).cloned().collect();
        if mutant::is(Mutant::OlderPushDeploys)
            || !superseded.is_empty()
                && !self.newer(&stored.push).await?.iter().any(|newer| newer.status.is_everywhere())
        {
            superseded.clear();
        }
        let may_have_begun = |name: &String| {
            !mutant::is(Mutant::JobForgotten)
                && self.sink(name).is_some_and(|(_, sink)| sink.follows())
                && is_unsure(&stored.push, name)
        };
        let outdated: Vec<String> =
            superseded.extract_if(.., |name| may_have_begun(name)).collect();
        let (slots, busy) = self.slots(due.iter().filter(|name| !superseded.contains(name))).await;
        let mut push = stored.push.clone();
        let claims = push.claim(store.now(), self.lease(), &superseded, &busy);
        let stored = store.save(stored, push).await?;
        drop(lock);
        Ok(Some(Claimed { stored, claims, outdated, slots }))
    }

    fn sink(&self, name: &str) -> Option<(usize, &Arc<dyn Sink>)> {
        self.parts.sinks.iter().enumerate().find(|(_, sink)| sink.name() == name)
    }

    /// A place for a call of each of these sinks, and the sinks that had none to give.
    async fn slots<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
    ) -> (BTreeMap<String, OwnedSemaphorePermit>, Vec<String>) {
        let by = tokio::time::Instant::now() + SLOT_WITHIN;
        let (mut slots, mut busy) = (BTreeMap::new(), Vec::new());
        for name in names {
            let Some((at, _)) = self.sink(name) else { continue };
            let slot = Arc::clone(&self.calls[at]).acquire_owned();
            match tokio::time::timeout_at(by, slot).await {
                Ok(Ok(slot)) => drop(slots.insert(name.clone(), slot)),
                _ => busy.push(name.clone()),
            }
        }
        (slots, busy)
    }

    /// Makes one call, in the `slot` that it gives back when it is over.
    async fn attempt(
        &self,
        push: &fan_in::Push,
        claim: Claim,
        outdated: bool,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Ended {
        let Some(notice) = push.notices.get(claim.notice) else {
            return (claim, Attempt::Hopeless { error: "the notice is not kept".to_owned() });
        };
        let Some((_, sink)) = self.sink(&claim.sink) else {
            return (
                claim,
                Attempt::Hopeless {
                    error: "no sink of this name is configured any more".to_owned(),
                },
            );
        };
        let now = self.parts.store.now();
        let parcel = Parcel { push, notice, claim: &claim, now, outdated };
        let attempt = match sink.target(&push.image) {
            Some(target) => self.deploy(sink.as_ref(), &target, parcel).await,
            None => self.call(sink.as_ref(), parcel).await,
        };
        drop(slot);
        let attempt = bounded(attempt);
        self.counters.attempt(&attempt);
        let (kind, sink, number) = (notice.kind.as_str(), claim.sink.as_str(), claim.attempt);
        match &attempt {
            Attempt::Accepted { .. } => {
                tracing::info!(push = %push.id, image = %push.image, notice = kind, sink, attempt = number, "delivered");
            }
            Attempt::Ongoing { result, .. } => {
                tracing::info!(push = %push.id, image = %push.image, notice = kind, sink, attempt = number, result, "a step further");
            }
            Attempt::Refused { error, .. }
            | Attempt::Unknown { error }
            | Attempt::Hopeless { error } => {
                tracing::warn!(push = %push.id, image = %push.image, notice = kind, sink, attempt = number, error, "not delivered");
            }
        }
        (claim, attempt)
    }

    /// The sink keeps the limit itself; this is for one that does not.
    pub(super) async fn call(&self, sink: &dyn Sink, parcel: Parcel<'_>) -> Attempt {
        let limit = self.parts.sink_timeout * (LEASE_FACTOR / 2);
        let attempt = tokio::time::timeout(limit, sink.deliver(parcel)).await;
        attempt.unwrap_or_else(|_| Attempt::Unknown { error: "no answer in time".to_owned() })
    }

    /// Tries for half a lease: after that somebody else may be at it.
    async fn write_down(
        &self,
        id: PushId,
        mut known: Option<StoredPush>,
        ended: &[Ended],
    ) -> Result<StoredPush, StoreError> {
        let begun = tokio::time::Instant::now();
        let mut tries = 0;
        loop {
            let result = self.try_to_write_down(id, known.take(), ended).await;
            match result {
                Err(StoreError::Conflict | StoreError::Unavailable(_))
                    if begun.elapsed() < self.lease() / 2 => {}
                done => return done,
            }
            pause(tries).await;
            tries += 1;
        }
    }

    async fn try_to_write_down(
        &self,
        id: PushId,
        known: Option<StoredPush>,
        ended: &[Ended],
    ) -> Result<StoredPush, StoreError> {
        let store = &self.parts.store;
        let _lock = self.lock(id.content).await;
        let stored = match known {
            Some(stored) => stored,
            None => store
                .push(id)
                .await?
                .ok_or_else(|| StoreError::Broken("the push is not kept".to_owned()))?,
        };
        let mut push = stored.push.clone();
        for (claim, attempt) in ended {
            push.record(claim, attempt.clone(), &self.parts.retry, &self.parts.policy, store.now());
        }
        if push == stored.push { Ok(stored) } else { store.save(stored, push).await }
    }
}

/// Is a delivery to this sink under way? One that replaces something has then left a note of where it is, and has
/// none when it begins anew.
fn has_begun(push: &fan_in::Push, sink: &str, replaces: bool) -> bool {
    let of_sink = |delivery: &&fan_in::Delivery| delivery.sink == sink;
    let mut deliveries = push.notices.iter().flat_map(|notice| &notice.deliveries).filter(of_sink);
    deliveries.any(|d| if replaces { d.progress.is_some() } else { d.steps > 0 })
}

/// Does nobody know how an attempt at a delivery to this sink has ended?
fn is_unsure(push: &fan_in::Push, sink: &str) -> bool {
    let of_sink = |delivery: &&fan_in::Delivery| delivery.sink == sink;
    let mut deliveries = push.notices.iter().flat_map(|notice| &notice.deliveries).filter(of_sink);
    deliveries.any(|d| d.unsure || matches!(d.state, fan_in::State::Sending { .. }))
}

/// What is kept with a delivery is cut to its limit, whatever the sink said.
fn bounded(attempt: Attempt) -> Attempt {
    let text = |text: String| cut(&text, TEXT_CHARS_MAX);
    match attempt {
        Attempt::Accepted { result, tells } => {
            Attempt::Accepted { result: result.map(text), tells }
        }
        Attempt::Ongoing { after, progress, result } => {
            let progress = progress.filter(|kept| kept.len() <= PROGRESS_MAX);
            Attempt::Ongoing { after, progress, result: result.map(text) }
        }
        Attempt::Refused { error, retry_after } => {
            Attempt::Refused { error: text(error), retry_after }
        }
        Attempt::Unknown { error } => Attempt::Unknown { error: text(error) },
        Attempt::Hopeless { error } => Attempt::Hopeless { error: text(error) },
    }
}
