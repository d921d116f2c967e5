//! The way of a notice to its sinks: claims, leases, retries, and when to look again.

use crate::shelf::Shelf;
use crate::world::{Content, Event, at, check, policy, region};
use fan_in::decide::HOLD;
use fan_in::{Action, Attempt, Claim, NoticeKind, Push, PushId, Retry, State, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn retry() -> Retry {
    Retry(vec![seconds(5), seconds(30)])
}

/// What may happen to a push, in any order and by anybody.
#[derive(Clone, Debug)]
enum Act {
    Passes(u64),
    Ticks {
        eager: bool,
    },
    Arrives(usize),
    Claims {
        superseded: bool,
    },
    /// One of the attempts begun so far ends, however long ago that was.
    Ends(prop::sample::Index, Attempt),
}

fn acts() -> impl Strategy<Value = Act> {
    let error = || "no".to_owned();
    let attempt = prop_oneof![
        3 => Just(Attempt::Accepted { result: None, tells: None }),
        3 => prop::option::of(0..100_u64).prop_map(move |after| Attempt::Refused {
            error: error(),
            retry_after: after.map(seconds),
        }),
        2 => Just(Attempt::Unknown { error: error() }),
        1 => Just(Attempt::Hopeless { error: error() }),
    ];
    prop_oneof![
        4 => prop_oneof![0..10_u64, 0..100_u64, 0..1_000_u64].prop_map(Act::Passes),
        2 => prop::bool::weighted(0.2).prop_map(|eager| Act::Ticks { eager }),
        2 => (0..4_usize).prop_map(Act::Arrives),
        4 => prop::bool::weighted(0.1).prop_map(|superseded| Act::Claims { superseded }),
        4 => (any::<prop::sample::Index>(), attempt).prop_map(|(which, how)| Act::Ends(which, how)),
    ]
}

/// A notice and one of its sinks.
type Slot = (usize, String);

/// Everything that has happened to one push's deliveries, kept by a witness.
struct Witness {
    shelf: Shelf,
    id: PushId,
    now: Timestamp,
    begun: Vec<Claim>,
    /// Until when somebody may be calling the sink.
    leases: BTreeMap<Slot, Timestamp>,
    /// An attempt was made and nothing is known of its end.
    unsure: BTreeSet<Slot>,
    done: BTreeSet<Slot>,
}

impl Witness {
    fn new() -> Self {
        let mut shelf = Shelf::new(policy(4));
        let id = shelf.arrive(&Event::new(0, "id", at(0))).push().id;
        Self {
            shelf,
            id,
            now: at(0),
            begun: Vec::new(),
            leases: BTreeMap::new(),
            unsure: BTreeSet::new(),
            done: BTreeSet::new(),
        }
    }

    fn push(&self) -> &Push {
        self.shelf.only()
    }

    fn see(&mut self, act: Act) {
        match act {
            Act::Passes(time) => self.now = self.now + seconds(time),
            Act::Ticks { eager } => {
                let due = self.push().due();
                let ticked = self.shelf.look_at(self.id, self.now, eager);
                let is_due = due.is_some_and(|due| due <= self.now);
                assert!(eager || ticked.changed == is_due, "what is due is found, and only that");
            }
            Act::Arrives(number) => {
                let event = Event::new(number, "id", self.now);
                self.shelf.arrive(&event);
            }
            Act::Claims { superseded } => self.claim(superseded),
            Act::Ends(which, how) if !self.begun.is_empty() => {
                let claim = which.get(&self.begun).clone();
                self.end(&claim, how);
            }
            Act::Ends(..) => {}
        }
        self.check();
    }

    fn claim(&mut self, superseded: bool) {
        let now = self.now;
        let superseded = if superseded { vec!["deploys".to_owned()] } else { Vec::new() };
        let claims = self.shelf.change(self.id, |push| push.claim(now, LEASE, &superseded, &[]));
        let again = self.shelf.change(self.id, |push| push.claim(now, LEASE, &superseded, &[]));
        assert!(again.is_empty(), "two claimers hold one delivery");
        for claim in claims {
            let slot = (claim.notice, claim.sink.clone());
            assert!(!self.done.contains(&slot), "what is done is attempted again");
            assert!(!superseded.contains(&claim.sink), "an older push overwrites a newer one");
            let earlier = self.leases.insert(slot.clone(), now + LEASE);
            if let Some(until) = earlier {
                assert!(until <= now, "two claimers hold one delivery");
                self.unsure.insert(slot.clone());
            }
            assert_eq!(claim.repeat, self.unsure.contains(&slot), "a repeat says that it is one");
            self.begun.push(claim);
        }
    }

    fn end(&mut self, claim: &Claim, how: Attempt) {
        let now = self.now;
        let slot = (claim.notice, claim.sink.clone());
        let latest = self.begun.iter().rfind(|c| (c.notice, &c.sink) == (slot.0, &slot.1));
        let is_held = latest == Some(claim) && self.leases.contains_key(&slot);
        let before = self.push().clone();
        self.shelf
            .change(self.id, |push| push.record(claim, how.clone(), &retry(), &policy(2), now));
        if how == (Attempt::Accepted { result: None, tells: None }) {
            self.leases.remove(&slot);
            self.done.insert(slot);
        } else if is_held {
            self.leases.remove(&slot);
            if matches!(how, Attempt::Unknown { .. }) {
                self.unsure.insert(slot);
            }
        } else {
            assert_eq!(self.push(), &before, "an outdated attempt failed, and that counted");
        }
    }

    fn check(&self) {
        let push = self.push();
        let mut open = push.decided_at.is_none();
        for (notice, delivery) in push
            .notices
            .iter()
            .enumerate()
            .flat_map(|(n, notice)| notice.deliveries.iter().map(move |d| (n, d)))
        {
            let slot = (notice, delivery.sink.clone());
            let superseded = delivery.result.as_deref() == Some("superseded");
            assert_eq!(delivery.state == State::Done, self.done.contains(&slot) || superseded);
            open |= !matches!(delivery.state, State::Done | State::Dead);
        }
        assert_eq!(push.due().is_some(), open, "there is work exactly as long as some is left");
    }
}

#[test]
fn whatever_happens_nobody_delivers_twice_what_was_accepted_and_nothing_is_forgotten() {
    check(4, prop::collection::vec(acts(), 1..60), |acts| {
        let mut witness = Witness::new();
        for act in acts {
            witness.see(act);
        }
        // If everybody is at work again and every sink answers, everything ends.
        for _ in 0..4 {
            witness.see(Act::Passes(1_000));
            witness.see(Act::Ticks { eager: false });
            witness.see(Act::Claims { superseded: false });
            for claim in witness.begun.clone() {
                witness.end(&claim, Attempt::Accepted { result: None, tells: None });
            }
        }
        assert_eq!(witness.push().due(), None);
    });
}

/// One push of a single region that is everywhere, with a notice for each of the two sinks.
fn completed() -> (Shelf, PushId) {
    let mut shelf = Shelf::new(policy(1));
    let outcome = shelf.arrive(&Event::new(0, "id", at(0)));
    assert!(outcome.ring);
    let id = outcome.push().id;
    (shelf, id)
}

fn state(push: &Push, sink: &str) -> State {
    let mut deliveries = push.notices.iter().flat_map(|notice| &notice.deliveries);
    deliveries.find(|delivery| delivery.sink == sink).expect("a delivery").state
}

#[test]
fn a_failing_sink_never_makes_another_be_called_again() {
    let (mut shelf, id) = completed();
    let claims = shelf.change(id, |push| push.claim(at(0), LEASE, &[], &[]));
    let refused = || Attempt::Refused { error: "503".to_owned(), retry_after: None };
    for claim in claims {
        let tells = claim.sink == "tells";
        let how = if tells { Attempt::Accepted { result: None, tells: None } } else { refused() };
        shelf.change(id, |push| push.record(&claim, how, &retry(), &policy(2), at(1)));
    }
    for next in [6, 36] {
        let due = shelf.only().due().expect("a retry");
        assert_eq!(due, at(next));
        assert!(shelf.only().claimable(due - Duration::from_millis(1)).next().is_none());
        let claims = shelf.change(id, |push| push.claim(due, LEASE, &[], &[]));
        assert_eq!(claims.iter().map(|c| c.sink.as_str()).collect::<Vec<_>>(), ["deploys"]);
        assert!(!claims[0].repeat, "a sink that refused has not had it");
        shelf.change(id, |push| push.record(&claims[0], refused(), &retry(), &policy(2), due));
    }
    assert_eq!(state(shelf.only(), "deploys"), State::Dead);
    assert_eq!(state(shelf.only(), "tells"), State::Done);
    assert_eq!(shelf.only().due(), None);
}

#[test]
fn a_success_that_is_heard_of_late_counts_and_a_failure_does_not() {
    let (mut shelf, id) = completed();
    let first = shelf.change(id, |push| push.claim(at(0), LEASE, &[], &[]));
    let second = shelf.change(id, |push| push.claim(at(60), LEASE, &[], &[]));
    assert!(first.iter().all(|claim| !claim.repeat) && second.iter().all(|claim| claim.repeat));
    let hopeless = Attempt::Hopeless { error: "410".to_owned() };
    shelf.change(id, |push| push.record(&first[0], hopeless.clone(), &retry(), &policy(2), at(61)));
    assert_eq!(state(shelf.only(), &first[0].sink), State::Sending { until: at(120) });
    shelf.change(id, |push| push.record(&second[0], hopeless, &retry(), &policy(2), at(62)));
    assert_eq!(state(shelf.only(), &first[0].sink), State::Dead);
    let accepted = Attempt::Accepted { result: Some("deployed".to_owned()), tells: None };
    shelf.change(id, |push| push.record(&first[0], accepted, &retry(), &policy(2), at(63)));
    assert_eq!(state(shelf.only(), &first[0].sink), State::Done);
}

#[test]
fn what_a_newer_push_has_overtaken_is_done_without_a_call() {
    let (mut shelf, id) = completed();
    let claims = shelf.change(id, |push| push.claim(at(0), LEASE, &["deploys".to_owned()], &[]));
    assert_eq!(claims.iter().map(|c| c.sink.as_str()).collect::<Vec<_>>(), ["tells"]);
    let delivery = &shelf.only().notices[0].deliveries[0];
    assert_eq!((delivery.state, delivery.attempts), (State::Done, 0));
    assert_eq!(delivery.result.as_deref(), Some("superseded"));
}

#[test]
fn whoever_was_told_to_deliver_has_half_a_minute_before_the_timer_tells_him_again() {
    let (mut shelf, id) = completed();
    assert_eq!(shelf.only().due(), Some(at(0) + HOLD));
    assert!(!shelf.look_at(id, at(29), false).ring);
    assert!(shelf.clone().look_at(id, at(29), true).ring, "after a start nobody was told");
    assert!(shelf.look_at(id, at(30), false).ring);
    assert!(!shelf.look_at(id, at(59), false).ring);
    shelf.change(id, |push| push.claim(at(59), LEASE, &[], &[]));
    assert_eq!(shelf.only().due(), Some(at(59) + LEASE), "whoever came has the lease");
    assert!(!shelf.look_at(id, at(118), true).ring);
    assert!(shelf.look_at(id, at(119), false).ring);
    assert_eq!(shelf.only().due(), Some(at(119) + HOLD), "a lost lease is not due all the time");
}

#[test]
fn a_region_is_announced_once_and_only_to_who_subscribes() {
    let mut shelf = Shelf::new(policy(3));
    let mut deploys_r1 = shelf.policy.subscriptions[0].clone();
    deploys_r1.sink = "deploys-r1".to_owned();
    deploys_r1.region = Some(region(1));
    shelf.policy.subscriptions.push(deploys_r1);
    for number in [0, 1, 1, 0] {
        shelf.arrive(&Event::new(number, "id", at(number as u64)));
    }
    let told = |shelf: &Shelf| -> Vec<_> {
        let ready = shelf.only().notices.clone().into_iter();
        let ready = ready.filter(|notice| notice.kind == NoticeKind::RegionReady);
        ready
            .map(|n| (n.region, n.deliveries.into_iter().map(|d| d.sink).collect::<Vec<_>>()))
            .collect()
    };
    let both = vec!["deploys".to_owned(), "deploys-r1".to_owned()];
    let expected = [(Some(region(0)), both[..1].to_vec()), (Some(region(1)), both.clone())];
    assert_eq!(told(&shelf), expected);
    // Nothing is written where nobody wants to hear of it.
    shelf.policy.subscriptions.clear();
    let outcome = shelf.arrive(&Event::new(2, "id", at(2)));
    assert!(!outcome.push().notices.iter().any(|n| n.region == Some(region(2))));
    assert_eq!(outcome.push().notices.last().map(|n| n.kind), Some(NoticeKind::Completed));
    assert_eq!(told(&shelf), expected);
}

#[test]
fn a_decision_that_nobody_subscribes_to_leaves_nothing_to_do() {
    let mut shelf = Shelf::new(policy(2));
    shelf.policy.subscriptions.retain(|s| s.actions != [Action::Push]);
    assert!(!shelf.arrive(&Event::new(0, "id", at(0))).ring);
    assert_eq!(shelf.only().due(), Some(at(600)));
    let (_, ticked) = shelf.tick(at(600))[0];
    assert!(ticked.changed && !ticked.ring);
    assert_eq!(shelf.only().due(), None);
}

#[test]
fn a_superseded_push_still_delivers_what_it_announced_before() {
    let mut shelf = Shelf::new(policy(2));
    let id = shelf.arrive(&Event::new(0, "a", at(0))).push().id;
    shelf.arrive(&Event::new(0, "b", at(1)).of(Content::B));
    assert!(shelf.look_at(id, at(600), false).ring);
    assert_eq!(shelf.change(id, |push| push.claim(at(600), LEASE, &[], &[])).len(), 1);
}
