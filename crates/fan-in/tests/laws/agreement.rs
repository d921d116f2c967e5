//! The core decides as the model does, whatever arrives.

use crate::model::Model;
use crate::shelf::{Shelf, Step, play};
use crate::world::{Kind, Schedule, Trouble, World, check, policy, regions, schedules, worlds};
use fan_in::{RegionSet, Status};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const RETENTION: Duration = Duration::from_secs(2 * 86_400);

fn any_schedule() -> impl Strategy<Value = Schedule> {
    worlds().prop_flat_map(|world| schedules(world, Trouble::All))
}

#[test]
fn the_core_agrees_with_the_rules_on_every_schedule() {
    check(2, any_schedule(), |schedule| {
        let mut shelf = Shelf::new(policy(schedule.regions));
        let mut model = Model::new(regions(0..schedule.regions));
        play(&schedule, &mut shelf, |shelf, step| {
            match step {
                Step::Tick(now) => {
                    shelf.tick(now);
                    model.tick(now);
                }
                Step::Arrival(event) => {
                    shelf.purge(event.at - RETENTION);
                    model.purge(event.at - RETENTION);
                    assert_eq!(shelf.arrive(event).verdict, model.arrive(event), "{event:?}");
                }
            }
            assert_eq!(shelf.told(), model.told(), "{step:?}");
        });
    });
}

#[test]
fn a_push_is_decided_once_and_only_a_timeout_is_recovered_from() {
    use Status::{Completed, Recovered, Superseded, TimedOut};
    check(1, any_schedule(), |schedule| {
        let shelf = played(&schedule);
        for push in shelf.pushes() {
            let lawful: [&[Status]; 4] =
                [&[Completed], &[TimedOut], &[TimedOut, Recovered], &[Superseded]];
            let history = &shelf.history[&push.id];
            assert!(lawful.contains(&history.as_slice()), "{history:?}");
        }
    });
}

#[test]
fn an_event_that_comes_again_changes_nothing() {
    check(1, any_schedule(), |schedule| {
        let once = played(&schedule);
        let mut twice = Shelf::new(policy(schedule.regions));
        play(&schedule, &mut twice, |shelf, step| match step {
            Step::Tick(now) => drop(shelf.tick(now)),
            Step::Arrival(event) => {
                let first = shelf.arrive(event);
                let again = shelf.arrive(event);
                assert_eq!(again.verdict, fan_in::Verdict::Duplicate);
                assert_eq!(again.change, fan_in::decide::Change::Nothing);
                assert!(!again.ring);
                if first.verdict != fan_in::Verdict::Duplicate {
                    assert_eq!(again.push().id, first.push().id);
                }
            }
        });
        assert!(once.pushes().eq(twice.pushes()));
    });
}

fn played(schedule: &Schedule) -> Shelf {
    let mut shelf = Shelf::new(policy(schedule.regions));
    play(schedule, &mut shelf, |shelf, step| match step {
        Step::Tick(now) => drop(shelf.tick(now)),
        Step::Arrival(event) => drop(shelf.arrive(event)),
    });
    shelf
}

/// What became of a schedule.
struct Tally {
    pushed: usize,
    /// Pushes that every region has reported.
    delivered: usize,
    everywhere: usize,
    superseded: usize,
    timed_out: usize,
}

impl Tally {
    fn of(schedule: &Schedule) -> Self {
        let shelf = played(schedule);
        let count = |status| shelf.history.values().flatten().filter(|s| **s == status).count();
        let mut reported: BTreeMap<usize, RegionSet> = BTreeMap::new();
        for event in &schedule.events {
            reported.entry(event.push).or_default().insert(event.region.clone());
        }
        let recovered = count(Status::Recovered);
        Self {
            pushed: schedule.pushes,
            delivered: reported.values().filter(|r| r.len() == schedule.regions).count(),
            everywhere: count(Status::Completed) + recovered,
            superseded: count(Status::Superseded),
            timed_out: count(Status::TimedOut) - recovered,
        }
    }
}

/// Pushes of one content that overlap and have an id each: an event of the second may be the first of its
/// region, and takes a place that the id shows too late to be another's. About one schedule in a thousand.
fn is_ambiguous(world: World) -> bool {
    world.kind == Kind::Overlap && world.ids_agree
}

#[test]
fn where_nothing_is_lost_or_slow_every_push_is_told_of_once_and_without_alarm() {
    let clear = worlds().prop_filter("can be told apart", |world| !is_ambiguous(*world));
    check(2, clear.prop_flat_map(|world| schedules(world, Trouble::None)), |schedule| {
        let tally = Tally::of(&schedule);
        assert_eq!(tally.delivered, tally.pushed);
        assert!(tally.everywhere + tally.superseded >= tally.pushed, "a push is missing");
        assert!(tally.everywhere <= tally.pushed, "a push was told of twice");
        assert_eq!(tally.timed_out, 0, "a false alarm");
    });
}

#[test]
fn lost_events_never_make_one_push_two() {
    check(1, worlds().prop_flat_map(|world| schedules(world, Trouble::Loss)), |schedule| {
        let tally = Tally::of(&schedule);
        assert!(tally.everywhere <= tally.pushed, "a push was told of twice");
    });
}
