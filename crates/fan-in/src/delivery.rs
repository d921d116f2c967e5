//! One notice on its way to one sink.

use crate::mutant::{self, Mutant};
use crate::push::Push;
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
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Accepted {
        result: Option<String>,
    },
    /// The sink did not take it; another time it may.
    Refused {
        error: String,
        retry_after: Option<Duration>,
    },
    /// No answer: the sink may have taken it.
    Unknown {
        error: String,
    },
    /// No later attempt can succeed.
    Hopeless {
        error: String,
    },
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

    fn next(&self, attempts: u32, retry_after: Option<Duration>, now: Timestamp) -> State {
        let done = usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1);
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
        Self { sink, state, attempts: 0, unsure: false, last_error: None, result: None }
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
                let (sink, attempt, repeat) =
                    (delivery.sink.clone(), delivery.attempts, delivery.unsure);
                claims.push(Claim { notice, sink, attempt, repeat });
            }
        }
        claims
    }

    /// Writes down how a claimed attempt ended. Of an outdated attempt only a success counts: the sink has it.
    pub fn record(&mut self, claim: &Claim, attempt: Attempt, retry: &Retry, now: Timestamp) {
        let Some(notice) = self.notices.get_mut(claim.notice) else { return };
        let Some(delivery) = notice.deliveries.iter_mut().find(|d| d.sink == claim.sink) else {
            return;
        };
        let current =
            delivery.attempts == claim.attempt && matches!(delivery.state, State::Sending { .. });
        let current = current || mutant::is(Mutant::NoLease);
        match attempt {
            Attempt::Accepted { result } if delivery.state != State::Done => {
                (delivery.state, delivery.result, delivery.last_error) =
                    (State::Done, result, None);
            }
            Attempt::Refused { error, retry_after } if current => {
                delivery.state = retry.next(delivery.attempts, retry_after, now);
                delivery.last_error = Some(error);
                if mutant::is(Mutant::GivenUpTooEarly) {
                    delivery.state = State::Dead;
                }
                if mutant::is(Mutant::RetryOfAllSinks) {
                    for other in &mut notice.deliveries {
                        other.state = State::Pending { next_at: now };
                    }
                }
            }
            Attempt::Unknown { error } if current => {
                delivery.unsure = true;
                delivery.state = retry.next(delivery.attempts, None, now);
                delivery.last_error = Some(error);
            }
            Attempt::Hopeless { error } if current => {
                delivery.state = State::Dead;
                delivery.last_error = Some(error);
            }
            _ => {}
        }
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
