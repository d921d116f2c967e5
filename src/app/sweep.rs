//! Time passes: the timer repairs what nobody else does, at a cost of what is due and never of what was.

use super::{App, Bell, Bells, Tries};
use crate::limits::{PURGE_MAX, SWEEP_MAX};
use crate::ports::StoreError;
use crate::store::Work;
use fan_in::decide::is_overdue;
use fan_in::{PushId, Status, Timestamp, tick};
use futures_util::{StreamExt, stream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Pushes that are looked at side by side.
const SIDE_BY_SIDE: usize = 8;
/// One tick begins nothing new after this time.
const SWEEP_WITHIN: Duration = Duration::from_secs(60);
/// One tick purges no longer than this.
const PURGE_WITHIN: Duration = Duration::from_secs(2);
/// The first purge of a process, and the pause between two.
const PURGE_FIRST: Duration = Duration::from_secs(300);
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// What a tick has done.
#[derive(Debug, Default)]
pub struct Swept {
    pub looked_at: usize,
    pub purged: usize,
    pub bells: Bells,
}

/// When to purge next; nothing is kept of it, since a purge that is done twice does nothing.
#[derive(Debug, Default)]
pub(super) struct PurgeClock(AtomicI64);

impl PurgeClock {
    fn is_due(&self, now: Timestamp) -> bool {
        let next = self.0.load(Ordering::Relaxed);
        if next == 0 {
            self.0.store((now + PURGE_FIRST).as_millis(), Ordering::Relaxed);
        }
        next != 0 && next <= now.as_millis()
    }

    fn done(&self, now: Timestamp) {
        self.0.store((now + PURGE_EVERY).as_millis(), Ordering::Relaxed);
    }
}

impl App {
    /// Decides pushes whose time is over, and finds deliveries that nobody was told of. The first tick of a
    /// process looks at every open push, since the settings may have changed.
    ///
    /// # Errors
    /// [`StoreError`] when what is due cannot be read. A single push in trouble is logged, and comes again.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.counters.tick();
        let begun = tokio::time::Instant::now();
        let all = !self.looked_at_all.load(Ordering::Relaxed);
        let (until, limit) =
            if all { (None, usize::MAX) } else { (Some(self.parts.store.now()), SWEEP_MAX) };
        let mut due = self.due(until, limit).await?;
        due.truncate(limit);
        let looks = stream::iter(due).map(async |(at, work)| {
            if begun.elapsed() > SWEEP_WITHIN {
                return Err(None);
            }
            let looked = match work {
                Work::Push(id) => self.look_at(at, id, all).await.map(|id| id.map(Bell::Push)),
                Work::Job(id) => match self.jobs() {
                    Some(jobs) => jobs.ring(at, id).await.map(|r| r.then_some(Bell::Job(id))),
                    None => Ok(None),
                },
            };
            looked.map_err(|error| Some((work, error)))
        });
        let mut swept = Swept::default();
        let mut whole = true;
        let mut looks = std::pin::pin!(looks.buffer_unordered(SIDE_BY_SIDE));
        while let Some(look) = looks.next().await {
            match look {
                Ok(bell) => {
                    swept.looked_at += 1;
                    swept.bells.extend(bell);
                }
                Err(trouble) => {
                    // What is broken stays broken: it does not make the next tick a first one again.
                    whole &= matches!(trouble, Some((_, StoreError::Broken(_))));
                    if let Some((work, error)) = trouble {
                        tracing::error!(%work, %error, "a push or job could not be looked at; the next tick does it");
                    }
                }
            }
        }
        if whole {
            self.looked_at_all.store(true, Ordering::Relaxed);
        }
        swept.purged = self.purge_when_due().await;
        Ok(swept)
    }

    async fn due(
        &self,
        until: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Work)>, StoreError> {
        let mut tries = Tries::default();
        loop {
            let due = self.parts.store.due(until, limit).await;
            if tries.are_over(&due) {
                return due;
            }
            tries.pause().await;
        }
    }

    async fn look_at(
        &self,
        at: Timestamp,
        id: PushId,
        eager: bool,
    ) -> Result<Option<PushId>, StoreError> {
        let mut tries = Tries::default();
        loop {
            let looked = self.try_to_look_at(at, id, eager).await;
            if tries.are_over(&looked) {
                return looked;
            }
            tries.pause().await;
        }
    }

    async fn try_to_look_at(
        &self,
        at: Timestamp,
        id: PushId,
        eager: bool,
    ) -> Result<Option<PushId>, StoreError> {
        let store = &self.parts.store;
        let Some(stored) = store.push(id).await? else {
            tracing::error!(push = %id, "work is due for a push that is not kept; its marker is removed");
            store.remove_marker(at, id.into()).await?;
            return Ok(None);
        };
        let (now, policy) = (store.now(), &self.parts.policy);
        let superseded = is_overdue(&stored.push, policy, now)
            && self
                .newer(&stored.push)
                .await?
                .iter()
                .any(|newer| newer.image.digest != stored.push.image.digest);
        let mut push = stored.push.clone();
        let ticked = tick(&mut push, policy, now, superseded, eager);
        if ticked.changed {
            let decided = stored.push.status == Status::Waiting && push.status != Status::Waiting;
            let stored = store.save(stored, push).await?;
            if decided {
                self.log_decision(&stored.push);
            }
        }
        Ok(ticked.ring.then_some(id))
    }

    async fn purge_when_due(&self) -> usize {
        let now = self.parts.store.now();
        if !self.purge_clock.is_due(now) {
            return 0;
        }
        let purged = match (self.purge().await, self.jobs()) {
            (Ok(0), Some(jobs)) => jobs.purge(self.parts.retention, PURGE_WITHIN).await,
            (purged, _) => purged,
        };
        match purged {
            // There may be more, but the next tick must not wait for it.
            Ok(purged) if purged > 0 => purged,
            Ok(_) => {
                self.purge_clock.done(now);
                0
            }
            Err(error) => {
                tracing::warn!(%error, "the purge was interrupted; it goes on with a later tick");
                0
            }
        }
    }

    /// Deletes some decided pushes that are older than the retention and have nothing left to do, and says how
    /// many; none when there are no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`] when what has expired cannot be read.
    pub async fn purge(&self) -> Result<usize, StoreError> {
        let begun = tokio::time::Instant::now();
        let cutoff = self.parts.store.now() - self.parts.retention;
        let (mut purged, mut after) = (0, None);
        while purged == 0 {
            let expired = self.parts.store.expired(cutoff, after.as_deref(), PURGE_MAX).await?;
            let Some((last, _)) = expired.last() else { break };
            after = Some(last.clone());
            // Within a content the older pushes go first.
            for (_, id) in expired.iter().rev() {
                if begun.elapsed() > PURGE_WITHIN {
                    return Ok(purged);
                }
                match self.parts.store.purge(*id).await {
                    Ok(gone) => purged += usize::from(gone),
                    // Somebody wrote it in the meantime: it comes again with the next purge.
                    Err(StoreError::Conflict) => {}
                    Err(error) => tracing::error!(push = %id, %error, "a push could not be purged"),
                }
            }
        }
        Ok(purged)
    }
}
