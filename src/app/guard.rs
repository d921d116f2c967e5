//! Deployments take turns at their target, and an older push never goes after a newer one.

use super::{App, Tries};
use crate::ports::{Parcel, Sink, StoreError, Target};
use crate::store::{Guard, Lease, Place, Stored};
use fan_in::mutant::{self, Mutant};
use fan_in::{Attempt, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// A step of a sink ends within twice its limit; the guard is held for a little longer, and for less than the
/// lease of the delivery, so that whoever takes the delivery over finds it free.
const HELD_FACTOR: u32 = 3;
/// Whoever finds the target taken asks again after this time, at the latest.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Whether a delivery may go on to its target.
enum Turn {
    Taken(Box<Stored<Guard>>),
    Superseded,
    Busy(Duration),
}

impl App {
    /// One step of a delivery to what it deploys to, alone and in its turn.
    pub(super) async fn deploy(
        &self,
        sink: &dyn Sink,
        target: &Target,
        parcel: Parcel<'_>,
    ) -> Attempt {
        let holder = format!("{}.{}", parcel.id(), sink.name());
        let guard = match self.take_turn(target, parcel, &holder).await {
            Ok(Turn::Taken(guard)) => guard,
            Ok(Turn::Superseded) => {
                return Attempt::Accepted { result: Some("superseded".to_owned()), tells: None };
            }
            Ok(Turn::Busy(after)) => {
                return Attempt::Ongoing {
                    after,
                    progress: parcel.claim.progress.clone(),
                    result: Some("waits for another deployment to the same target".to_owned()),
                };
            }
            Err(error) => return not_in_turn(parcel, &error),
        };
        let attempt = self.call(sink, parcel).await;
        if let Err(error) = self.leave(target, *guard, &holder, &attempt).await {
            tracing::warn!(push = %parcel.push.id, sink = sink.name(), %error, "the guard of a target is left to run out");
        }
        attempt
    }

    async fn take_turn(
        &self,
        target: &Target,
        parcel: Parcel<'_>,
        holder: &str,
    ) -> Result<Turn, StoreError> {
        let mut tries = Tries::default();
        loop {
            let turn = self.try_to_take_turn(target, parcel, holder).await;
            if tries.are_over(&turn) {
                return turn;
            }
            tries.pause().await;
        }
    }

    async fn try_to_take_turn(
        &self,
        target: &Target,
        parcel: Parcel<'_>,
        holder: &str,
    ) -> Result<Turn, StoreError> {
        let store = &self.parts.store;
        let before = store.guard(target).await?;
        let begun = Instant::now();
        let now = store.now();
        let mut guard = before.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
        let place = Place::of(parcel.push);
        for other in guard.newer(target, place) {
            // What was newer may have turned out to be older since.
            let still = store.push(other).await?;
            if still.is_none_or(|other| Place::of(&other.push) > place) {
                return Ok(Turn::Superseded);
            }
        }
        if let Some(until) = guard.lease.as_ref().and_then(|lease| lease.holds_up(holder, now)) {
            return Ok(Turn::Busy(until.since(now).min(ASK_AGAIN)));
        }
        guard.let_through(target, place);
        let held = self.parts.sink_timeout * HELD_FACTOR;
        let (holder, until) = (holder.to_owned(), now + held);
        guard.lease = Some(Lease { holder, until, resting: false });
        if mutant::is(Mutant::GuardNotClaimed) {
            guard.lease = None;
        }
        let stored = store.save_guard(target, before.as_ref(), guard).await?;
        // A step and its last call need two thirds of it.
        let in_time = begun.elapsed() < self.parts.sink_timeout;
        Ok(if in_time { Turn::Taken(Box::new(stored)) } else { Turn::Busy(held) })
    }

    /// Between two steps the turn is kept for as long as the next one may take to come, unless the sink does
    /// nothing in between.
    async fn leave(
        &self,
        target: &Target,
        held: Stored<Guard>,
        holder: &str,
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        let store = &self.parts.store;
        let mut guard = held.value.clone();
        guard.lease = match attempt {
            Attempt::Ongoing { after, .. } => {
                let until = store.now() + *after + self.lease();
                Some(Lease { holder: holder.to_owned(), until, resting: true })
            }
            // What became of it is not known: the target is left alone until the lease runs out.
            Attempt::Unknown { .. } => return Ok(()),
            _ => None,
        };
        // Under the version that was written when the turn was taken: nobody else has had one since.
        store.save_guard(target, Some(&held), guard).await.map(drop)
    }
}

/// Nobody has been asked for anything. What was begun goes on another time, where it left off.
fn not_in_turn(parcel: Parcel<'_>, error: &StoreError) -> Attempt {
    let text = format!("the guard of the target: {error}");
    match (error, &parcel.claim.progress) {
        (StoreError::Broken(_), _) | (_, None) => {
            Attempt::Refused { error: text, retry_after: None }
        }
        (StoreError::Conflict | StoreError::Unavailable(_), Some(progress)) => Attempt::Ongoing {
            after: ASK_AGAIN,
            progress: Some(progress.clone()),
            result: Some(text),
        },
    }
}

impl Lease {
    /// How long the holder has to wait, if he has to.
    fn holds_up(&self, holder: &str, now: Timestamp) -> Option<Timestamp> {
        let is_his = self.resting && self.holder == holder;
        (self.until > now && !is_his).then_some(self.until)
    }
}
