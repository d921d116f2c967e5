//! A push's notices go out: claim, call, write down.

use super::{App, LEASE_FACTOR, pause};
use crate::limits::{TEXT_CHARS_MAX, cut};
use crate::ports::{Parcel, StoreError};
use crate::store::StoredPush;
use fan_in::mutant::{self, Mutant};
use fan_in::{Attempt, Claim, PushId};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::time::Duration;

const TRIES_MAX: u32 = 8;

/// A claimed attempt and how it ended.
type Ended = (Claim, Attempt);

impl App {
    fn lease(&self) -> Duration {
        self.parts.sink_timeout * LEASE_FACTOR
    }

    /// Makes an attempt at every delivery of the push that is due. A second call at the same time finds nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the deliveries cannot be claimed. What is claimed is always attempted; a result that
    /// cannot be written down makes the notice come again when its lease is over.
    pub async fn deliver(&self, id: PushId) -> Result<(), StoreError> {
        let Some((mut stored, claims)) = self.claim(id).await? else { return Ok(()) };
        let at = stored.push.clone();
        let mut calls: FuturesUnordered<_> =
            claims.into_iter().map(|claim| self.attempt(&at, claim)).collect();
        while let Some(first) = calls.next().await {
            // What ended at the same time is written at the same time.
            let mut ended = vec![first];
            while let Some(Some(next)) = calls.next().now_or_never() {
                ended.push(next);
            }
            match self.write_down(stored.clone(), &ended).await {
                Ok(now_stored) => stored = now_stored,
                Err(error) => {
                    tracing::error!(push = %id, %error, "results of deliveries are lost; they are repeated")
                }
            }
        }
        Ok(())
    }

    async fn claim(&self, id: PushId) -> Result<Option<(StoredPush, Vec<Claim>)>, StoreError> {
        let mut last = StoreError::Conflict;
        for tries in 0..TRIES_MAX {
            match self.try_to_claim(id).await {
                Err(error @ (StoreError::Conflict | StoreError::Unavailable(_))) => last = error,
                done => return done,
            }
            pause(tries).await;
        }
        Err(last)
    }

    async fn try_to_claim(
        &self,
        id: PushId,
    ) -> Result<Option<(StoredPush, Vec<Claim>)>, StoreError> {
        let store = &self.parts.store;
        let Some(stored) = store.push(id).await? else { return Ok(None) };
        let now = store.now();
        let deploys =
            |name: &str| self.parts.sinks.iter().any(|sink| sink.name() == name && sink.deploys());
        let mut superseded: Vec<String> =
            stored.push.claimable(now).filter(|name| deploys(name)).map(str::to_owned).collect();
        if mutant::is(Mutant::OlderPushDeploys)
            || !superseded.is_empty()
                && !self.newer(&stored.push).await?.iter().any(|newer| newer.status.is_everywhere())
        {
            superseded.clear();
        }
        let mut push = stored.push.clone();
        let claims = push.claim(now, self.lease(), &superseded);
        if claims.is_empty() && superseded.is_empty() {
            return Ok(None);
        }
        let _lock = self.lock(id.content).await;
        let stored = store.save(stored, push).await?;
        Ok(Some((stored, claims)))
    }

    async fn attempt(&self, push: &fan_in::Push, claim: Claim) -> Ended {
        let Some(notice) = push.notices.get(claim.notice) else {
            return (claim, Attempt::Hopeless { error: "the notice is not kept".to_owned() });
        };
        let Some(sink) = self.parts.sinks.iter().find(|sink| sink.name() == claim.sink) else {
            return (
                claim,
                Attempt::Hopeless {
                    error: "no sink of this name is configured any more".to_owned(),
                },
            );
        };
        let parcel = Parcel { push, notice, claim: &claim, now: self.parts.store.now() };
        // The sink keeps the limit itself; this is for one that does not.
        let limit = self.parts.sink_timeout * (LEASE_FACTOR / 2);
        let attempt = tokio::time::timeout(limit, sink.deliver(parcel)).await;
        let attempt =
            attempt.unwrap_or_else(|_| Attempt::Unknown { error: "no answer in time".to_owned() });
        let attempt = bounded(attempt);
        self.counters.attempt(&attempt);
        let (kind, sink, number) = (notice.kind.as_str(), claim.sink.as_str(), claim.attempt);
        match &attempt {
            Attempt::Accepted { .. } => {
                tracing::info!(push = %push.id, image = %push.image, notice = kind, sink, attempt = number, "delivered");
            }
            Attempt::Refused { error, .. }
            | Attempt::Unknown { error }
            | Attempt::Hopeless { error } => {
                tracing::warn!(push = %push.id, image = %push.image, notice = kind, sink, attempt = number, error, "not delivered");
            }
        }
        (claim, attempt)
    }

    /// Tries for half a lease: after that somebody else may be at it.
    async fn write_down(
        &self,
        stored: StoredPush,
        ended: &[Ended],
    ) -> Result<StoredPush, StoreError> {
        let id = stored.push.id;
        let mut known = Some(stored);
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
            push.record(claim, attempt.clone(), &self.parts.retry, store.now());
        }
        if push == stored.push { Ok(stored) } else { store.save(stored, push).await }
    }
}

/// What is kept with a delivery is cut to its limit, whatever the sink said.
fn bounded(attempt: Attempt) -> Attempt {
    let text = |text: String| cut(&text, TEXT_CHARS_MAX);
    match attempt {
        Attempt::Accepted { result } => Attempt::Accepted { result: result.map(text) },
        Attempt::Refused { error, retry_after } => {
            Attempt::Refused { error: text(error), retry_after }
        }
        Attempt::Unknown { error } => Attempt::Unknown { error: text(error) },
        Attempt::Hopeless { error } => Attempt::Hopeless { error: text(error) },
    }
}
