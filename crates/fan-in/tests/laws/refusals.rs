//! A write that would break a law is refused.

use crate::shelf::Shelf;
use crate::world::{Event, at, policy, regions};
use fan_in::law::{Violation, check};
use fan_in::{Attempt, Push, Retry, State, Status};
use std::time::Duration;

/// A waiting push that r0 has reported, of two regions.
fn waiting() -> Push {
    Shelf::new(policy(2)).arrive(&Event::new(0, "id", at(0))).push().clone()
}

fn timed_out() -> Push {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.tick(at(600));
    shelf.only().clone()
}

fn completed() -> Push {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.arrive(&Event::new(1, "id", at(1))).push().clone()
}

fn refused(before: &Push, change: impl FnOnce(&mut Push)) -> &'static str {
    let mut after = before.clone();
    change(&mut after);
    let Err(Violation(law)) = check(Some(before), &after, &regions(0..2)) else {
        panic!("accepted: {after:?}");
    };
    law
}

#[test]
fn a_decision_is_refused_where_it_was_not_its_turn() {
    assert!(refused(&completed(), |p| p.status = Status::TimedOut).contains("I2"));
    assert!(refused(&completed(), |p| p.decided_at = Some(at(9))).contains("I2"));
    assert!(refused(&timed_out(), |p| p.status = Status::Completed).contains("I2"));
    assert!(refused(&timed_out(), |p| p.status = Status::Waiting).contains("I2"));
    assert!(refused(&waiting(), |p| p.status = Status::Recovered).contains("I2"));
    assert!(refused(&waiting(), |p| p.status = Status::Superseded).contains("I2"));
}

#[test]
fn a_decision_is_refused_that_the_arrivals_do_not_bear() {
    let decide =
        |status, at| move |push: &mut Push| (push.status, push.decided_at) = (status, Some(at));
    assert!(refused(&waiting(), decide(Status::Completed, at(1))).contains("I3"));
    let gives_up = |push: &mut Push| {
        push.arrivals = completed().arrivals;
        decide(Status::Superseded, at(600))(push);
    };
    assert!(refused(&waiting(), gives_up).contains("I4"));
    assert!(refused(&waiting(), |p| p.arrivals = completed().arrivals).contains("I5"));
    assert!(refused(&waiting(), decide(Status::TimedOut, at(600))).contains("I6"));
}

#[test]
fn a_write_is_refused_that_loses_something() {
    assert!(refused(&waiting(), |p| p.arrivals.clear()).contains("I1"));
    assert!(refused(&waiting(), |p| p.notices.clear()).contains("I6"));
    assert!(refused(&waiting(), |p| p.expected = regions([0])).contains("does not change"));
    let mut done = waiting();
    for claim in done.claim(at(1), Duration::from_secs(60), &[], &[]) {
        done.record(
            &claim,
            Attempt::Accepted { result: None, tells: None },
            &Retry::default(),
            &policy(1),
            at(2),
        );
    }
    let again = State::Pending { next_at: at(3) };
    assert!(refused(&done, |p| p.notices[0].deliveries[0].state = again).contains("I7"));
}
