//! The same reports without a fault: where the schedule leaves no choice, the pushes end the same.

use crate::checker::Rows;
use crate::letters::{are_rivals, content, is_of};
use crate::plan::{EPOCH, Plan, Report};
use crate::world::{Sim, State};
use acr_fanin::keys;
use fan_in::{Arrival, Correlation, Push, Status};
use std::time::Duration;

/// Between "in time" and "late" there has to be more than any fault moves an arrival by.
const MARGIN: i64 = 5_000;
/// Of two copies of one event, which differ by less than a second, either may count.
const ORDERED: Duration = Duration::from_secs(3);
/// Without faults a push that is overdue is decided within this time.
const TICK: i64 = 15_000;

fn of_content(plan: &Plan, digest: char) -> impl Iterator<Item = &Report> {
    plan.reports.iter().filter(move |r| r.digest == digest)
}

fn digests(plan: &Plan) -> Vec<char> {
    let mut all: Vec<char> = plan.pushes.iter().map(|p| p.digest).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn pushes(rows: &Rows, digest: char) -> Vec<&Push> {
    rows.pushes.iter().filter(|p| is_of(&p.image, digest)).collect()
}

/// The reports that got into the store, if it is clear what has to become of them: none arrived near a
/// deadline, every one of them could have been in the order it was sent in.
pub(crate) fn stored_reports(sim: &Sim, rows: &Rows) -> Option<Vec<Report>> {
    let plan = sim.plan();
    let odd = plan.change.is_some() || plan.retention < 3_600_000 || !plan.freezes.is_empty();
    let calm = plan.weather.error_before + plan.weather.error_after + plan.weather.crash == 0;
    if odd || calm || is_ahead(&plan) || plan.correlation == Correlation::Id {
        return None;
    }
    let mut stored = Vec::new();
    for digest in digests(&plan) {
        let reals = plan.pushes.iter().filter(|p| p.digest == digest).count();
        let found = pushes(rows, digest);
        if reals > 1 || found.len() > 1 {
            return None;
        }
        let Some(push) = found.first() else { continue };
        let begin = stored.len();
        for report in of_content(&plan, digest) {
            let id = keys::event(&report.id);
            let events = || push.arrivals.iter().chain(&push.repeats);
            let Some(event) = events().find(|a| a.region == report.region && a.ids.contains(&id))
            else {
                continue;
            };
            let deadline = push.deadline.as_millis();
            let sent = EPOCH + report.at.cast_signed();
            let clear = if sent > deadline {
                event.late && sent > deadline + TICK + MARGIN
            } else {
                !event.late && event.received.as_millis() < deadline - MARGIN
            };
            if !clear {
                return None;
            }
            stored.push(report.clone());
        }
        // Opened when it would have been without faults, so that its deadline is the same one.
        let first = stored[begin..].iter().map(|r| r.at).min().unwrap_or(0).cast_signed();
        if opened(&plan, push).abs_diff(EPOCH + first) > 3_000 {
            return None;
        }
    }
    superseding_is_clear(&plan, rows).then_some(stored)
}

/// When its first report was recorded, which may have travelled by queue after it was received.
fn opened(plan: &Plan, push: &Push) -> i64 {
    push.deadline.as_millis() - plan.timeout.cast_signed()
}

/// The registry's clock is so far ahead that its times are not believed: then the order in which reports are
/// received counts, which faults change.
fn is_ahead(plan: &Plan) -> bool {
    plan.reports.iter().any(|r| r.event_time > EPOCH + r.at.cast_signed() + 250_000)
}

/// Other pushes of its tag.
fn rivals<'a>(rows: &'a Rows, push: &'a Push) -> impl Iterator<Item = &'a Push> {
    rows.pushes.iter().filter(|o| o.id != push.id && are_rivals(&o.image, &push.image))
}

/// Every other push of the tag is clearly older or newer, and opened well before or well after each one's
/// deadline.
fn superseding_is_clear(plan: &Plan, rows: &Rows) -> bool {
    let late_timer = 120_000;
    let close = rows.pushes.iter().any(|a| {
        let near = |b: &&Push| a.order().first_event.distance(b.order().first_event) < ORDERED;
        rivals(rows, a).any(|b| near(&b))
    });
    rows.pushes.iter().all(|push| {
        let deadline = push.deadline.as_millis();
        push.status == Status::Completed
            || rivals(rows, push).all(|other| {
                let opened = opened(plan, other);
                opened < deadline - 2 * MARGIN || opened > deadline + late_timer
            })
    }) && !close
}

/// A push that runs out of time is superseded if another one of its tag is newer at that moment. An arrival
/// that comes then, with an event that is older than all the others of its push, can turn the order of the two:
/// whether the tick reads it is nobody's promise.
fn order_may_turn(rows: &Rows, push: &Push) -> bool {
    let deadline = push.deadline.as_millis();
    // The earliest event of all, and of those that had certainly arrived.
    let range = |p: &Push| {
        let in_time = p.arrivals.iter().filter(|a| a.received.as_millis() < deadline - MARGIN);
        let known = in_time.map(Arrival::time).min().unwrap_or_else(|| p.order().first_event);
        (p.order().first_event, known)
    };
    let (first, known) = range(push);
    rivals(rows, push).filter(|o| o.first_seen.as_millis() < deadline).any(|other| {
        let (others_first, others_known) = range(other);
        others_first <= known + ORDERED && first <= others_known + ORDERED
    })
}

pub(crate) fn compare(sim: &Sim, rows: &Rows, calm: &Rows) {
    let plan = sim.plan();
    let ran_out = |status: &Status| !matches!(status, Status::Waiting | Status::Completed);
    for digest in digests(&plan) {
        let end = |rows: &Rows| -> Vec<Status> {
            pushes(rows, digest).iter().map(|p| p.status).collect()
        };
        let (with, without) = (end(rows), end(calm));
        let either = with.len() == without.len()
            && with.iter().chain(&without).all(ran_out)
            && pushes(rows, digest).iter().any(|push| order_may_turn(rows, push));
        if with != without && !either {
            sim.state().violated(format!("{digest} ends {with:?}, and without faults {without:?}"));
        }
    }
}

/// Where a content was pushed several times and nothing can have confused it, each of its pushes is
/// completed: every report of it is stored, and no deadline was near.
pub(crate) fn conserved(state: &State, plan: &Plan, rows: &Rows, found: &mut Vec<String>) {
    let odd = plan.change.is_some() || plan.retention < 3_600_000;
    if odd || is_ahead(plan) || plan.correlation == Correlation::Id {
        return;
    }
    for digest in digests(plan) {
        let reals: Vec<_> = plan.pushes.iter().filter(|p| p.digest == digest).collect();
        let reports: Vec<_> = of_content(plan, digest).filter(|r| !r.is_copy).collect();
        let others = of_content(plan, digest).any(|r| r.id.starts_with("other"));
        let by_queue = state.truth.by_queue.iter().any(|r| plan.reports[*r].digest == digest);
        // Reports by two channels within a second are one event by definition.
        let close = |a: &&&Report, b: &&&Report| {
            a.region == b.region
                && a.real != b.real
                && a.event_grid != b.event_grid
                && a.event_time.abs_diff(b.event_time) < 6_000
        };
        let merged = reports.iter().any(|a| reports.iter().any(|b| close(&a, &b)));
        let regions = if content(digest).hub { 1 } else { plan.regions.len() };
        // Within a second Docker Hub's pushes are one push.
        let one_second = reports.iter().any(|a| {
            content(digest).hub && reports.iter().any(|b| a.real != b.real && a.id == b.id)
        });
        let whole = !merged && !one_second && reports.len() == reals.len() * regions;
        // Of three, a report that took an earlier push's place can leave one short: rule 5 knows only pushes
        // that have timed out, none that still waits.
        if reals.len() != 2 || others || by_queue || !whole {
            continue;
        }
        let times: Option<Vec<i64>> = reports
            .iter()
            .map(|r| Some(rows.find(&r.region, keys::event(&r.id))?.received.as_millis()))
            .collect();
        let Some(times) = times else { continue };
        let (first, last) = (times.iter().min().copied(), times.iter().max().copied());
        let span = last.unwrap_or(0) - first.unwrap_or(0);
        if span + MARGIN > plan.timeout.cast_signed() {
            continue;
        }
        let stored = pushes(rows, digest);
        let completed = stored.iter().filter(|p| p.status == Status::Completed).count();
        if completed != reals.len() || stored.len() != reals.len() {
            found.push(format!(
                "{digest} was pushed {} times; of {} pushes {completed} are completed",
                reals.len(),
                stored.len()
            ));
        }
    }
}
