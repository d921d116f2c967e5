//! What no write may break. Checked on every write, in production too: a write that would break one of
//! these is refused.

use crate::delivery::State;
use crate::notice::NoticeKind;
use crate::push::{Push, Status};
use crate::region::{Region, RegionSet};
use alloc::collections::BTreeSet;

/// The law that a write would have broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub &'static str);

fn ensure(holds: bool, law: &'static str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(law)) }
}

/// Compares a push with what it was before this write.
///
/// # Errors
/// The first law that does not hold.
pub fn check(before: Option<&Push>, after: &Push, configured: &RegionSet) -> Result<(), Violation> {
    let was = before.map_or(Status::Waiting, |push| push.status);
    let followed = was == after.status
        || was == Status::Waiting && after.status != Status::Recovered
        || was == Status::TimedOut && after.status == Status::Recovered;
    ensure(followed, "a decision is never changed (I2)")?;
    ensure(
        after.decided_at.is_some() == (after.status != Status::Waiting),
        "decided pushes have a time of decision (I2)",
    )?;
    let newly_everywhere = !was.is_everywhere() && after.status.is_everywhere();
    ensure(
        !newly_everywhere || after.is_everywhere(configured),
        "completed means every awaited region arrived (I3)",
    )?;
    let gave_up =
        was == Status::Waiting && matches!(after.status, Status::TimedOut | Status::Superseded);
    ensure(
        !gave_up || !after.is_everywhere(configured),
        "what has arrived wins over any timer (I4)",
    )?;
    let arrived = before.is_none_or(|before| before.arrivals.len() < after.arrivals.len());
    let waits_in_vain =
        arrived && after.status == Status::Waiting && after.is_everywhere(configured);
    ensure(!waits_in_vain, "the completing arrival decides (I5)")?;
    notices_match_the_status(after)?;
    ensure(distinct_regions(after), "a region arrives once")?;
    match before {
        Some(before) => continues(before, after),
        None => Ok(()),
    }
}

fn notices_match_the_status(push: &Push) -> Result<(), Violation> {
    let count = |kind| push.notices.iter().filter(|notice| notice.kind == kind).count();
    let (completed, timed_out, recovered) = match push.status {
        Status::Waiting | Status::Superseded => (0, 0, 0),
        Status::Completed => (1, 0, 0),
        Status::TimedOut => (0, 1, 0),
        Status::Recovered => (0, 1, 1),
    };
    let holds = count(NoticeKind::Completed) == completed
        && count(NoticeKind::TimedOut) == timed_out
        && count(NoticeKind::Recovered) == recovered;
    ensure(holds, "a decision and its notice are one write (I6)")
}

fn distinct_regions(push: &Push) -> bool {
    let regions: BTreeSet<&Region> = push.arrivals.iter().map(|arrival| &arrival.region).collect();
    regions.len() == push.arrivals.len()
}

fn continues(before: &Push, after: &Push) -> Result<(), Violation> {
    let same = before.id == after.id
        && before.image == after.image
        && before.expected == after.expected
        && before.first_seen == after.first_seen
        && before.deadline == after.deadline;
    ensure(same, "what a push is does not change")?;
    let decided = before.decided_at.is_none() || before.decided_at == after.decided_at;
    ensure(decided, "a decision is made once (I2)")?;
    ensure(before.arrivals.iter().all(|a| after.has(&a.region)), "an arrival is never lost (I1)")?;
    ensure(after.notices.len() >= before.notices.len(), "a notice is never lost (I6)")?;
    let kept = before.notices.iter().zip(&after.notices).all(|(was, is)| {
        let deliveries = was.deliveries.iter().zip(&is.deliveries);
        was.kind == is.kind
            && was.region == is.region
            && was.deliveries.len() == is.deliveries.len()
            && deliveries.into_iter().all(|(was, is)| {
                was.sink == is.sink
                    && was.attempts <= is.attempts
                    && (was.state != State::Done || is.state == State::Done)
            })
    });
    ensure(kept, "a delivery that is done stays done (I7)")
}
