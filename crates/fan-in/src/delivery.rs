//! One notice on its way to one sink.

use crate::decide::{HOLD, waited_for};
use crate::mutant::{self, Mutant};
use crate::notice::{Notice, NoticeKind};
use crate::push::Push;
use crate::region::{Region, RegionSet};
use crate::routing::{Policy, deliveries};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent at that time or after it.
    Pending {
        next_at: Timestamp,
    },
    /// Somebody is at it; if nothing is heard of him until then, he is gone.
    Sending {
        until: Timestamp,
    },
    Done,
    /// Given up.
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub sink: String,
    pub state: State,
    /// Attempts begun so far; the number of the latest tells its result from an outdated one.
    pub attempts: u32,
    /// Those of the attempts that came a step further, without an end: they use up no pause of [`Retry`].
    pub steps: u32,
    /// Where the last step left off, for the next; only the sink knows what it means.
    pub progress: Option<String>,
    /// An attempt ended without an answer, so the sink may have accepted it.
    pub unsure: bool,
    pub last_error: Option<String>,
    pub result: Option<String>,
}

/// A sink that is busy is asked again after this time.
pub const BUSY: Duration = Duration::from_secs(5);

/// The right, and the duty, to make one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Index into the push's notices.
    pub notice: usize,
    pub sink: String,
    pub attempt: u32,
    /// The sink may have had this notice before.
    pub repeat: bool,
    /// Where the last step left off.
    pub progress: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Accepted {
        result: Option<String>,
        /// What came of it is worth a notice of its own.
        tells: Option<NoticeKind>,
    },
    /// A step of something that takes long; the next one is due after that time.
    Ongoing { after: Duration, progress: Option<String>, result: Option<String> },
    /// The sink did not take it; another time it may.
    Refused { error: String, retry_after: Option<Duration> },
    /// No answer: the sink may have taken it.
    Unknown { error: String },
    /// No later attempt can succeed.
    Hopeless { error: String },
}

/// The pauses between attempts; after the last one the delivery is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry(pub Vec<Duration>);

impl Default for Retry {
    /// 5 s, 30 s, 2 m, 10 m, 30 m, then hourly until a day has passed.
    fn default() -> Self {
        let mut pauses: Vec<_> = [5, 30, 120, 600, 1_800].map(Duration::from_secs).into();
        let hour = Duration::from_secs(3_600);
        while pauses.iter().sum::<Duration>() + hour <= Duration::from_secs(86_400) {
            pauses.push(hour);
        }
        Self(pauses)
    }
}

impl Retry {
    /// However long a sink asks us to wait, we ask again after a day.
    pub const AFTER_MAX: Duration = Duration::from_secs(86_400);

    fn next(&self, failed: u32, retry_after: Option<Duration>, now: Timestamp) -> State {
        let done = usize::try_from(failed).unwrap_or(usize::MAX).saturating_sub(1);
        match self.0.get(done) {
            Some(pause) => {
                let asked = retry_after.unwrap_or_default().min(Self::AFTER_MAX);
                State::Pending { next_at: now + asked.max(*pause) }
            }
            None => State::Dead,
        }
    }
}

impl Delivery {
    #[must_use]
    pub fn new(sink: String, state: State) -> Self {
        Self {
            sink,
            state,
            attempts: 0,
            steps: 0,
            progress: None,
            unsure: false,
            last_error: None,
            result: None,
        }
    }

    /// May an attempt begin now? The first may at any time: whoever is told of a notice may have a clock that is
    /// behind the one of its writer. A lease that has run out leaves behind the question whether the sink was
    /// called.
    #[must_use]
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        match self.state {
            State::Pending { next_at } => self.attempts == 0 || next_at <= now,
            State::Sending { until } => until <= now,
            State::Done | State::Dead => false,
        }
    }
}

impl Push {
    /// Sinks that a claim made now would call.
    pub fn claimable(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let deliveries = self.notices.iter().flat_map(|notice| &notice.deliveries);
        deliveries.filter(move |d| d.is_claimable(now)).map(|d| d.sink.as_str())
    }

    /// Takes every delivery that is due, for as long as `lease`. Those to a sink in `superseded` are done instead,
    /// since a newer push of the tag is everywhere; those to a sink in `busy` are put off for a moment. Then there
    /// is something to write without a claim, too.
    pub fn claim(
        &mut self,
        now: Timestamp,
        lease: Duration,
        superseded: &[String],
        busy: &[String],
    ) -> Vec<Claim> {
        let mut claims = Vec::new();
        self.hold_until = Timestamp::ZERO;
        for (notice, deliveries) in self.notices.iter_mut().map(|n| &mut n.deliveries).enumerate() {
            for delivery in deliveries.iter_mut().filter(|d| d.is_claimable(now)) {
                if superseded.contains(&delivery.sink) {
                    delivery.state = State::Done;
                    delivery.result = Some(String::from("superseded"));
                    continue;
                }
                if busy.contains(&delivery.sink) {
                    delivery.unsure |= matches!(delivery.state, State::Sending { .. });
                    delivery.state = State::Pending { next_at: now + BUSY };
                    continue;
                }
                delivery.unsure |= matches!(delivery.state, State::Sending { .. });
                delivery.unsure &= !mutant::is(Mutant::RepeatNotSaid);
                delivery.attempts = delivery.attempts.saturating_add(1);
                if !mutant::is(Mutant::NoLease) {
                    delivery.state = State::Sending { until: now + lease };
                }
                claims.push(Claim {
                    notice,
                    sink: delivery.sink.clone(),
                    attempt: delivery.attempts,
                    repeat: delivery.unsure,
                    progress: delivery.progress.clone(),
                });
            }
        }
        claims
    }

    /// Writes down how a claimed attempt ended, with the notice that it gives cause for. Of an outdated attempt only
    /// a success counts: the sink has it.
    pub fn record(
        &mut self,
        claim: &Claim,
        attempt: Attempt,
        retry: &Retry,
        policy: &Policy,
        now: Timestamp,
    ) {
        let Some(notice) = self.notices.get_mut(claim.notice) else { return };
        let region = notice.region.clone();
        let Some(delivery) = notice.deliveries.iter_mut().find(|d| d.sink == claim.sink) else {
            return;
        };
        let was = delivery.state;
        let tells = delivery.end(claim, attempt, retry, now);
        let told = match delivery.state {
            State::Done if was != State::Done => tells,
            State::Dead if was != State::Dead => policy.failure_of(&claim.sink),
            _ => None,
        };
        let detail = delivery.last_error.as_ref().or(delivery.result.as_ref()).cloned();
        if mutant::is(Mutant::RetryOfAllSinks) && matches!(delivery.state, State::Pending { .. }) {
            for other in &mut notice.deliveries {
                other.state = State::Pending { next_at: now };
            }
        }
        if let Some(kind) = told {
            let cause = Cause { kind, region, sink: claim.sink.clone(), detail };
            self.tell_of(cause, policy, now);
        }
    }

    /// Nothing is kept of it when nobody wants to hear of it.
    fn tell_of(&mut self, cause: Cause, policy: &Policy, now: Timestamp) {
        let Cause { kind, region, sink, detail } = cause;
        let deliveries = deliveries(policy, kind, region.as_ref(), &self.image, now);
        if deliveries.is_empty() {
            return;
        }
        self.hold_until = now + HOLD;
        let regions = waited_for(self, policy);
        let missing = RegionSet::new();
        let cause = Some(sink);
        self.notices.push(Notice {
            kind,
            region,
            at: now,
            regions,
            missing,
            cause,
            detail,
            deliveries,
        });
    }
}

/// What a delivery gives cause to tell.
struct Cause {
    kind: NoticeKind,
    region: Option<Region>,
    sink: String,
    detail: Option<String>,
}

impl Delivery {
    /// What the attempt says that is to be told.
    fn end(
        &mut self,
        claim: &Claim,
        attempt: Attempt,
        retry: &Retry,
        now: Timestamp,
    ) -> Option<NoticeKind> {
        let current = self.attempts == claim.attempt && matches!(self.state, State::Sending { .. });
        let current = current || mutant::is(Mutant::NoLease);
        let failed = self.attempts.saturating_sub(self.steps);
        match attempt {
            Attempt::Accepted { result, tells } if self.state != State::Done => {
                (self.state, self.result, self.last_error) = (State::Done, result, None);
                self.progress = None;
                return tells;
            }
            Attempt::Ongoing { after, progress, result } if current => {
                self.steps = self.steps.saturating_add(1);
                self.state = State::Pending { next_at: now + after };
                (self.progress, self.result, self.last_error) = (progress, result, None);
            }
            Attempt::Refused { error, retry_after } if current => {
                self.state = retry.next(failed, retry_after, now);
                self.last_error = Some(error);
                // The next attempt begins anew.
                self.progress = None;
                if mutant::is(Mutant::GivenUpTooEarly) {
                    self.state = State::Dead;
                }
            }
            Attempt::Unknown { error } if current => {
                self.unsure = true;
                self.state = retry.next(failed, None, now);
                self.last_error = Some(error);
            }
            Attempt::Hopeless { error } if current => {
                self.state = State::Dead;
                self.last_error = Some(error);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_schedule_ends_within_a_day() {
        let Retry(pauses) = Retry::default();
        let total: Duration = pauses.iter().sum();
        assert_eq!(pauses[..5], [5, 30, 120, 600, 1_800].map(Duration::from_secs));
        assert!(pauses[5..].iter().all(|p| *p == Duration::from_secs(3_600)));
        assert!(total <= Duration::from_secs(86_400) && total > Duration::from_secs(82_800));
    }

    #[test]
    fn the_first_attempt_does_not_wait_for_a_clock_that_is_behind() {
        let (now, later) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        let mut delivery = Delivery::new(String::from("x"), State::Pending { next_at: later });
        assert!(delivery.is_claimable(now));
        delivery.attempts = 1;
        assert!(!delivery.is_claimable(now) && delivery.is_claimable(later));
    }

    #[test]
    fn a_sink_may_ask_for_a_longer_pause_but_not_for_a_shorter_one() {
        let retry = Retry([Duration::from_secs(5)].into());
        let now = Timestamp::from_millis(0);
        let at = |seconds| State::Pending { next_at: now + Duration::from_secs(seconds) };
        assert_eq!(retry.next(1, None, now), at(5));
        assert_eq!(retry.next(1, Some(Duration::from_secs(9)), now), at(9));
        assert_eq!(retry.next(1, Some(Duration::from_secs(1)), now), at(5));
        assert_eq!(retry.next(1, Some(Duration::MAX), now), at(86_400));
        assert_eq!(retry.next(2, None, now), State::Dead);
    }
}
