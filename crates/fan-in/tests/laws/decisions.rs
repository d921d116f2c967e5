//! What is decided, by whom and when, case by case.

use crate::shelf::Shelf;
use crate::world::{Content, Event, TIMEOUT, at, check, event_id, policy, region, regions};
use fan_in::decide::Change;
use fan_in::{Channel, Correlation, Family, NoticeKind, Push, Region, RegionSet, Status, Verdict};
use proptest::prelude::*;
use std::time::Duration;

fn kinds(push: &Push) -> Vec<NoticeKind> {
    push.notices.iter().map(|notice| notice.kind).collect()
}

fn arrived(push: &Push) -> RegionSet {
    push.arrivals.iter().map(|arrival| arrival.region.clone()).collect()
}

/// One report of each region, in any order, some twice, some not at all, under one id or one for each.
fn one_push() -> impl Strategy<Value = (usize, Vec<Event>)> {
    let reports = prop::collection::vec((0..3_usize, 0..600_u64), 2..=6);
    (reports, any::<bool>(), any::<u64>()).prop_flat_map(|(reports, ids_agree, _)| {
        let count = reports.len();
        let events = reports.into_iter().enumerate().flat_map(move |(number, (times, time))| {
            let id = if ids_agree { "id".to_owned() } else { format!("id{number}") };
            let event = Event { time: Some(at(time)), ..Event::new(number, &id, at(0)) };
            std::iter::repeat_n(event, times)
        });
        (Just(count), Just(events.collect::<Vec<_>>()).prop_shuffle())
    })
}

#[test]
fn the_order_of_arrivals_before_the_deadline_does_not_matter() {
    check(4, one_push(), |(count, mut events)| {
        for (event, second) in events.iter_mut().zip(0..) {
            event.at = at(second);
        }
        let reported: RegionSet = events.iter().map(|event| event.region.clone()).collect();
        let all = reported == regions(0..count);
        let mut shelf = Shelf::new(policy(count));
        let mut verdicts = Vec::new();
        for event in &events {
            let before = verdicts.iter().filter(|v| **v != Verdict::Duplicate).count();
            let outcome = shelf.arrive(event);
            // The completing arrival decides in its own request.
            let last = before + 1 == count && outcome.verdict != Verdict::Duplicate;
            assert_eq!(outcome.verdict == Verdict::Completed, last);
            assert_eq!(outcome.push().status.is_everywhere(), before + usize::from(last) >= count);
            verdicts.push(outcome.verdict);
        }
        let distinct = verdicts.iter().filter(|v| **v != Verdict::Duplicate).count();
        assert_eq!(distinct, reported.len());
        shelf.tick(at(700));
        if events.is_empty() {
            return;
        }
        let push = shelf.only();
        let decision = if all { NoticeKind::Completed } else { NoticeKind::TimedOut };
        let status = if all { Status::Completed } else { Status::TimedOut };
        assert_eq!(push.status, status);
        assert_eq!(arrived(push), reported);
        let told = push.notices.last().expect("a notice");
        assert_eq!((told.kind, told.regions), (decision, count));
        assert_eq!(told.missing, &regions(0..count) - &reported);
        assert_eq!(push.missed, told.missing);
        assert_eq!(push.notices.len(), reported.len() + 1);
    });
}

#[test]
fn what_arrived_before_the_deadline_wins_however_late_the_timer_runs() {
    let times = prop::collection::vec(0..600_u64, 2..=6);
    check(1, (times, 0..100_000_u64), |(mut seconds, lag)| {
        seconds.sort_unstable();
        let count = seconds.len();
        let mut shelf = Shelf::new(policy(count));
        for (number, second) in seconds.iter().enumerate() {
            shelf.arrive(&Event::new(number, "id", at(*second)));
        }
        shelf.tick(at(seconds[0]) + TIMEOUT + Duration::from_secs(lag));
        assert_eq!(shelf.only().status, Status::Completed);
    });
}

#[test]
fn an_arrival_after_the_deadline_completes_what_nobody_has_decided() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    assert_eq!(shelf.arrive(&Event::new(1, "id", at(5_000))).verdict, Verdict::Completed);
    shelf.tick(at(5_001));
    assert_eq!(shelf.only().status, Status::Completed);
    assert!(!kinds(shelf.only()).contains(&NoticeKind::TimedOut));
}

#[test]
fn the_deadline_itself_is_overdue_and_the_millisecond_before_it_is_not() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.tick(at(600) - Duration::from_millis(1));
    assert_eq!(shelf.only().status, Status::Waiting);
    shelf.tick(at(600));
    assert_eq!(shelf.only().status, Status::TimedOut);
}

#[test]
fn a_timed_out_push_recovers_once_and_says_what_was_missing() {
    let mut shelf = Shelf::new(policy(3));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.tick(at(600));
    assert_eq!(shelf.arrive(&Event::new(1, "id", at(700))).verdict, Verdict::Late);
    assert_eq!(shelf.arrive(&Event::new(2, "id", at(800))).verdict, Verdict::Recovered);
    assert_eq!(shelf.arrive(&Event::new(2, "id", at(900))).verdict, Verdict::Duplicate);
    let push = shelf.only();
    assert_eq!(push.decided_at, Some(at(600)));
    assert!(push.arrivals[1].late && push.arrivals[2].late && !push.arrivals[0].late);
    let recovered = push.notices.last().expect("a notice");
    assert_eq!(recovered.kind, NoticeKind::Recovered);
    assert_eq!(recovered.missing, regions([1, 2]));
    assert_eq!(kinds(push).iter().filter(|k| **k == NoticeKind::Recovered).count(), 1);
}

#[test]
fn what_a_push_ran_out_of_time_for_is_named_although_it_is_not_configured_any_more() {
    let mut shelf = Shelf::new(policy(4));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.tick(at(600));
    shelf.arrive(&Event::new(1, "id", at(700)));
    let push = shelf.only();
    assert_eq!(push.status, Status::TimedOut);
    for configured in [regions(0..4), regions([0, 1, 3]), regions(0..2)] {
        assert_eq!(push.missing(&configured), regions([2, 3]), "with {configured:?}");
    }
}

#[test]
fn a_region_removed_while_waiting_is_no_longer_waited_for() {
    let mut shelf = Shelf::new(policy(3));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.arrive(&Event::new(1, "id", at(1)));
    shelf.policy.regions = regions([0, 1]);
    let (id, ticked) = shelf.tick(at(2))[0];
    assert!(ticked.changed && ticked.ring);
    let push = shelf.only();
    assert_eq!((push.id, push.status, push.decided_at), (id, Status::Completed, Some(at(2))));
    assert_eq!(push.notices.last().map(|n| n.regions), Some(2));
}

#[test]
fn a_region_removed_while_waiting_is_missed_by_no_arrival_and_no_timeout() {
    let mut shelf = Shelf::new(policy(4));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.policy.regions = regions([0, 1]);
    let mut other = shelf.clone();
    assert_eq!(shelf.arrive(&Event::new(1, "id", at(1))).verdict, Verdict::Completed);
    other.tick(at(600));
    assert_eq!(other.only().missed, regions([1]));
}

#[test]
fn a_region_removed_while_waiting_completes_the_push_even_if_nobody_looks_before_the_deadline() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.policy.regions = regions([0]);
    shelf.tick(at(10_000));
    assert_eq!(shelf.only().status, Status::Completed);
}

#[test]
fn a_region_added_while_waiting_is_recorded_but_not_waited_for() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.policy.regions = regions(0..3);
    assert_eq!(shelf.arrive(&Event::new(2, "id", at(1))).verdict, Verdict::Recorded);
    let outcome = shelf.arrive(&Event::new(1, "id", at(2)));
    assert_eq!(outcome.verdict, Verdict::Completed);
    assert_eq!(outcome.push().notices.last().map(|n| n.regions), Some(2));
}

#[test]
fn a_push_none_of_whose_regions_is_configured_any_more_times_out() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "id", at(0)));
    shelf.policy.regions = regions([7]);
    shelf.tick(at(1));
    assert_eq!(shelf.only().status, Status::Waiting);
    assert_eq!(shelf.arrive(&Event::new(7, "id", at(2))).verdict, Verdict::Recorded);
    shelf.tick(at(600));
    assert_eq!(shelf.only().status, Status::TimedOut);
    assert_eq!(shelf.only().missed, regions([1]));
}

#[test]
fn a_superseded_push_is_silent_and_later_arrivals_change_nothing() {
    let mut shelf = Shelf::new(policy(2));
    let id = shelf.arrive(&Event::new(0, "a", at(0))).push().id;
    shelf.arrive(&Event::new(0, "b", at(10)).of(Content::B));
    shelf.tick(at(600));
    let superseded = shelf.pushes().find(|push| push.id == id).expect("the push").clone();
    assert_eq!(superseded.status, Status::Superseded);
    assert_eq!(kinds(&superseded), [NoticeKind::RegionReady]);

    let outcome = shelf.arrive(&Event::new(1, "a", at(601)));
    assert_eq!(outcome.verdict, Verdict::Late);
    let mut after = outcome.push().clone();
    assert!(after.arrivals.pop().is_some_and(|arrival| arrival.late));
    assert_eq!(after, superseded);
    shelf.tick(at(10_000));
    assert_eq!(shelf.history[&id], [Status::Superseded]);
}

#[test]
fn the_newer_of_two_pushes_is_never_superseded_by_the_older() {
    let mut shelf = Shelf::new(policy(2));
    // Seen in the other order than pushed.
    let newer = Event { time: Some(at(20)), ..Event::new(0, "b", at(30)) }.of(Content::B);
    let newer = shelf.arrive(&newer).push().id;
    let older = Event { time: Some(at(10)), ..Event::new(0, "a", at(40)) };
    let older = shelf.arrive(&older).push().id;
    shelf.tick(at(640));
    assert_eq!(shelf.history[&newer], [Status::TimedOut]);
    assert_eq!(shelf.history[&older], [Status::Superseded]);
}

#[test]
fn a_registry_without_regions_is_complete_on_arrival() {
    let mut shelf = Shelf::new(policy(4));
    let event = Event { region: Region::global(), ..Event::new(0, "pushed_at", at(0)) };
    let outcome = shelf.arrive(&event);
    assert_eq!(outcome.verdict, Verdict::Completed);
    assert_eq!(outcome.push().expected, RegionSet::from([Region::global()]));
    assert_eq!(outcome.push().notices.last().map(|n| n.regions), Some(1));
    assert_eq!(shelf.arrive(&event).verdict, Verdict::Duplicate);
    let again = Event { region: Region::global(), ..Event::new(0, "pushed later", at(60)) };
    assert_eq!(shelf.arrive(&again).change, Change::Opens);
}

#[test]
fn with_correlation_id_a_region_counts_once_whatever_else_the_event_says() {
    let mut shelf = Shelf::new(policy(2));
    shelf.policy.correlation = Correlation::Id;
    assert_eq!(shelf.arrive(&Event::new(0, "id", at(0))).verdict, Verdict::Recorded);
    assert_eq!(shelf.arrive(&Event::new(0, "id", at(1))).verdict, Verdict::Duplicate);
    let grid = Event { channel: Channel::EventGrid, ..Event::new(0, "id", at(300)) };
    assert_eq!(shelf.arrive(&grid).verdict, Verdict::Duplicate);
    assert_eq!(shelf.arrive(&Event::new(1, "id", at(2))).verdict, Verdict::Completed);
    let days_later = at(400_000);
    assert_eq!(shelf.arrive(&Event::new(1, "id", days_later)).verdict, Verdict::Duplicate);
    assert_eq!(shelf.only().arrivals.len(), 2);
}

/// Two pushes of one content that overlap, the first of which waits though it is not the newest any more:
/// r0 has reported both, and r1 the second only.
fn two_waiting_pushes() -> Shelf {
    let mut shelf = Shelf::new(policy(3));
    shelf.arrive(&Event::new(0, "one", at(0)));
    assert_eq!(shelf.arrive(&Event::new(0, "two", at(10))).verdict, Verdict::Duplicate);
    let opened = shelf.arrive(&Event::new(1, "two", at(20)));
    assert_eq!((opened.verdict, opened.change), (Verdict::Recorded, Change::Opens));
    assert_eq!(arrived(opened.push()), regions([0, 1]));
    shelf
}

#[test]
fn a_repeat_becomes_a_push_once_another_region_reports_its_id() {
    let mut shelf = two_waiting_pushes();
    let outcome = shelf.arrive(&Event::new(1, "one", at(30)));
    assert_eq!((outcome.verdict, outcome.change), (Verdict::Recorded, Change::Earlier));
    assert_eq!(shelf.arrive(&Event::new(2, "two", at(40))).verdict, Verdict::Completed);
    let outcome = shelf.arrive(&Event::new(2, "one", at(50)));
    assert_eq!((outcome.verdict, outcome.change), (Verdict::Completed, Change::Earlier));
    assert!(shelf.pushes().all(|push| push.status == Status::Completed));
}

#[test]
fn an_id_that_fits_takes_the_place_of_one_that_does_not_in_an_earlier_push_too() {
    let mut shelf = two_waiting_pushes();
    let family = shelf.family(Content::A);
    let first = family.past[0].generation;
    // A third push reaches r1 before the first one does, and the id tells so only now.
    let joins = Event { time: Some(at(1)), ..Event::new(1, "one", at(30)) };
    shelf.arrive(&joins);
    let other = Event { channel: Channel::EventGrid, ..Event::new(0, "grid", at(0)) };
    assert_eq!(shelf.arrive(&other).verdict, Verdict::Duplicate);
    let swapped = Event { channel: Channel::EventGrid, ..Event::new(1, "grid", at(300)) };
    let outcome = shelf.arrive(&swapped);
    assert_eq!((outcome.verdict, outcome.change), (Verdict::Recorded, Change::Earlier));
    let push = outcome.push();
    assert_eq!((push.id.generation, push.arrivals[1].ids.as_slice()), (first, &[swapped.id][..]));
    assert!(push.repeats.is_empty());
    let past = &shelf.family(Content::A).past[0];
    assert_eq!(past.arrivals[1].ids, [swapped.id]);
    assert_eq!(past.repeats[0].ids, [joins.id]);
    // Both are known from now on, and the region is not announced again.
    assert_eq!(shelf.arrive(&joins).verdict, Verdict::Duplicate);
    assert_eq!(shelf.arrive(&swapped).verdict, Verdict::Duplicate);
    assert_eq!(kinds(push), [NoticeKind::RegionReady; 2]);
}

#[test]
fn an_id_that_an_older_push_knows_is_not_that_of_a_newer_ones_repeat() {
    let mut shelf = Shelf::new(policy(3));
    shelf.arrive(&Event::new(0, "one", at(0)));
    shelf.arrive(&Event::new(1, "odd", at(10)));
    shelf.tick(at(600));
    shelf.arrive(&Event::new(2, "odd", at(610)));
    let opened = shelf.arrive(&Event::new(1, "two", at(1_000)));
    assert_eq!(opened.change, Change::Opens);
    // The older push has r1 under another id and is decided, so this becomes a repeat of the newer one.
    assert_eq!(shelf.arrive(&Event::new(1, "one", at(1_010))).verdict, Verdict::Duplicate);
    // And this is late there, or else joins the newer one: it makes no push with that repeat.
    let outcome = shelf.arrive(&Event::new(2, "one", at(1_020)));
    assert_ne!(outcome.change, Change::Opens);
    assert_eq!(shelf.pushes().count(), 2);
}

/// Two pushes that r1 has not reported, and one that it has.
fn two_timeouts_and_a_completion() -> (Shelf, [u64; 2]) {
    let mut shelf = Shelf::new(policy(2));
    let timeouts = [0, 3_600].map(|second| {
        let id = format!("at {second}");
        let generation = shelf.arrive(&Event::new(0, &id, at(second))).push().id.generation;
        shelf.tick(at(second + 600));
        generation
    });
    shelf.arrive(&Event::new(0, "last-r0", at(7_200)));
    shelf.arrive(&Event::new(1, "last-r1", at(7_210)));
    (shelf, timeouts)
}

#[test]
fn a_late_event_belongs_to_the_newest_push_that_timed_out_without_its_region() {
    let (mut shelf, [first, second]) = two_timeouts_and_a_completion();
    for (id, generation) in [("late", second), ("later", first)] {
        let outcome = shelf.arrive(&Event::new(1, id, at(7_300)));
        let push = outcome.push();
        assert_eq!((outcome.verdict, push.id.generation), (Verdict::Recovered, generation));
    }
}

#[test]
fn an_event_that_comes_a_day_later_opens_a_push() {
    let day = |second: u64| at(86_400 + second);
    let (mut shelf, [_, second]) = two_timeouts_and_a_completion();
    let outcome = shelf.arrive(&Event::new(1, "in time", day(3_600)));
    let push = outcome.push();
    assert_eq!((outcome.verdict, push.id.generation), (Verdict::Recovered, second));

    let (mut shelf, _) = two_timeouts_and_a_completion();
    let late = day(3_600) + Duration::from_millis(1);
    assert_eq!(shelf.arrive(&Event::new(1, "too late", late)).change, Change::Opens);
}

#[test]
fn an_event_of_the_other_channel_is_the_same_event_within_a_second() {
    let mut shelf = Shelf::new(policy(2));
    shelf.arrive(&Event::new(0, "webhook", at(100)));
    let grid = |id: &str, millis: u64| Event {
        channel: Channel::EventGrid,
        time: Some(at(100) + Duration::from_millis(millis)),
        ..Event::new(0, id, at(130))
    };
    let far = shelf.clone().arrive(&grid("far", 1_001));
    assert_eq!((far.verdict, far.push().repeats.len()), (Verdict::Duplicate, 1));
    let near = shelf.arrive(&grid("near", 1_000));
    assert_eq!((near.verdict, near.change), (Verdict::Duplicate, Change::Newest));
    assert!(near.push().repeats.is_empty());
    assert_eq!(near.push().arrivals[0].ids, [event_id("webhook"), event_id("near")]);
    assert_eq!(shelf.arrive(&grid("near", 1_000)).change, Change::Nothing);
}

#[test]
fn an_event_of_an_earlier_push_is_not_looked_for_where_it_is_not_kept_any_more() {
    let mut shelf = Shelf::new(policy(2));
    let days = |days: u64| at(days * 86_400);
    shelf.arrive(&Event::new(0, "one", days(0)));
    shelf.tick(days(1));
    shelf.arrive(&Event::new(0, "two", days(2)));
    shelf.tick(days(3));
    assert_eq!(shelf.clone().arrive(&Event::new(0, "one", days(3))).verdict, Verdict::Duplicate);
    shelf.purge(days(1));
    let outcome = shelf.arrive(&Event::new(0, "one", days(3)));
    assert_eq!((outcome.verdict, outcome.change), (Verdict::Recorded, Change::Opens));
    assert_eq!(outcome.family.past.len(), 1, "what is not kept is forgotten here, too");
}

#[test]
fn a_push_keeps_a_bounded_number_of_repeats() {
    let mut shelf = Shelf::new(policy(2));
    for number in 0..Push::REPEATS_MAX + 10 {
        shelf.arrive(&Event::new(0, &format!("id{number}"), at(1)));
    }
    assert_eq!(shelf.only().repeats.len(), Push::REPEATS_MAX);
    let outcome = shelf.arrive(&Event::new(0, "one more", at(2)));
    assert_eq!((outcome.verdict, outcome.change), (Verdict::Duplicate, Change::Nothing));
    assert_eq!(shelf.arrive(&Event::new(1, "id0", at(3))).verdict, Verdict::Completed);
}

#[test]
fn a_content_keeps_a_bounded_number_of_past_events_and_forgets_the_oldest_push_whole() {
    let mut shelf = Shelf::new(policy(2));
    let pushes = Family::PAST_EVENTS_MAX + 10;
    for number in 0..pushes {
        shelf.arrive(&Event::new(0, &format!("id{number}"), at(number as u64 * 1_000)));
        shelf.tick(at(number as u64 * 1_000 + 600));
    }
    let events = |shelf: &Shelf| {
        let past = &shelf.family(Content::A).past;
        past.iter().map(|p| p.arrivals.len() + p.repeats.len()).sum::<usize>()
    };
    assert_eq!(events(&shelf), Family::PAST_EVENTS_MAX);
    let oldest = shelf.family(Content::A).past[0].arrivals[0].ids[0];
    assert_eq!(oldest, event_id(&format!("id{}", pushes - 1 - Family::PAST_EVENTS_MAX)));
    // Late arrivals of earlier pushes count, too.
    for number in 0..20 {
        let id = format!("id{}", pushes - 2 - number);
        let outcome = shelf.arrive(&Event::new(1, &id, at(pushes as u64 * 1_000)));
        assert_eq!((outcome.verdict, outcome.change), (Verdict::Recovered, Change::Earlier));
        assert_eq!(events(&shelf), Family::PAST_EVENTS_MAX);
    }
}

#[test]
fn the_last_earlier_push_is_compared_with_however_many_events_it_has() {
    let mut shelf = Shelf::new(policy(2));
    for number in 0..=Push::REPEATS_MAX {
        shelf.arrive(&Event::new(0, &format!("id{number}"), at(1)));
    }
    shelf.arrive(&Event::new(1, "id0", at(2)));
    let month = at(30 * 86_400);
    assert_eq!(shelf.arrive(&Event::new(1, "new", month)).change, Change::Opens);
    assert_eq!(shelf.family(Content::A).past[0].repeats.len(), Push::REPEATS_MAX);
    assert_eq!(shelf.arrive(&Event::new(0, "id5", month)).verdict, Verdict::Duplicate);
}

#[test]
fn generations_grow_even_where_two_pushes_open_in_one_millisecond() {
    let mut shelf = Shelf::new(policy(1));
    let first = shelf.arrive(&Event::new(0, "one", at(0))).push().id.generation;
    let second = shelf.arrive(&Event::new(0, "two", at(0))).push().id.generation;
    assert_eq!(second, first + 1);
}

#[test]
fn a_new_push_announces_every_region_that_it_takes_over() {
    let shelf = two_waiting_pushes();
    let opened = &shelf.family(Content::A).newest;
    let announced = opened.notices.iter().map(|n| (n.kind, n.region.clone()));
    assert!(announced.eq([1, 0].map(|n| (NoticeKind::RegionReady, Some(region(n))))));
    assert!(opened.notices.iter().all(|n| n.missing == regions([2])));
}
