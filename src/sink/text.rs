//! A notice as a sentence.

use crate::clock::rfc3339;
use crate::limits::{ORIGIN_CHARS_MAX, TEXT_CHARS_MAX, cut};
use crate::ports::Parcel;
pub use crate::redact::clean;
use fan_in::time::Spoken;
use fan_in::{Action, Arrival, Notice, NoticeKind, RegionSet};
use std::time::Duration;

/// The whole of a notice in one line, such as
/// `Pushed image hello-world:v1 (2026-11-20T10:00:00Z): in all 4 regions after 41 s`.
#[must_use]
pub fn sentence(parcel: Parcel<'_>) -> String {
    let Parcel { push, .. } = parcel;
    let what = match push.image.action {
        Action::Push => "Pushed image",
        Action::Delete => "Deleted image",
        Action::ChartPush => "Pushed chart",
        Action::ChartDelete => "Deleted chart",
    };
    format!("{what} {} ({}): {}", push.image.short(), timestamp(parcel), news(parcel))
}

/// The sentence for who cannot tell by an id that he has had it before.
#[must_use]
pub fn sentence_or_repeat(parcel: Parcel<'_>) -> String {
    let repeat = if parcel.claim.repeat { " (repeat)" } else { "" };
    sentence(parcel) + repeat
}

fn news(parcel: Parcel<'_>) -> String {
    let Parcel { push, notice, .. } = parcel;
    let is_push = push.image.action.is_push();
    let after = Spoken(took(parcel));
    let everywhere = match (is_push, notice.regions) {
        (true, 1) => "in 1 region".to_owned(),
        (true, count) => format!("in all {count} regions"),
        (false, 1) => "gone from 1 region".to_owned(),
        (false, count) => format!("gone from all {count} regions"),
    };
    let region = notice.region.as_ref();
    let place =
        |preposition: &str| region.map(|r| format!(" {preposition} {r}")).unwrap_or_default();
    match notice.kind {
        NoticeKind::RegionReady if is_push => format!("ready{} after {after}", place("in")),
        NoticeKind::RegionReady => format!("gone{} after {after}", place("from")),
        NoticeKind::Completed => format!("{everywhere} after {after}"),
        NoticeKind::TimedOut => {
            format!("timed out after {after}, missing: {}", listed(&notice.missing))
        }
        NoticeKind::Recovered if notice.missing.is_empty() => {
            format!("recovered, {everywhere} after {after}")
        }
        NoticeKind::Recovered => {
            format!(
                "recovered, {everywhere} after {after}, was missing: {}",
                listed(&notice.missing)
            )
        }
        NoticeKind::Deployed => format!("deployed{} after {after}{}", place("to"), cause(notice)),
        NoticeKind::DeployFailed => {
            format!("deployment{} failed after {after}{}", place("to"), cause(notice))
        }
        NoticeKind::JobSucceeded => {
            format!("job{} succeeded after {after}{}", place("in"), cause(notice))
        }
        NoticeKind::JobFailed => {
            format!("job{} failed after {after}{}", place("in"), cause(notice))
        }
    }
}

/// Which sink it was, and what it said.
fn cause(notice: &Notice) -> String {
    let said = |text: &Option<String>| text.as_deref().map(|t| cut(&clean(t), TEXT_CHARS_MAX));
    match (said(&notice.cause), said(&notice.detail)) {
        (Some(sink), Some(detail)) => format!(" by {sink}: {detail}"),
        (Some(sink), None) => format!(" by {sink}"),
        _ => String::new(),
    }
}

/// The time from the first arrival to the news; of a timeout, what was waited at the most.
pub(super) fn took(parcel: Parcel<'_>) -> Duration {
    let Parcel { push, notice, .. } = parcel;
    let until = if notice.kind == NoticeKind::TimedOut { push.deadline } else { notice.at };
    until.since(push.first_seen)
}

/// The first event's own time, as it wrote it; ours where it had none.
pub(super) fn timestamp(parcel: Parcel<'_>) -> String {
    let own = cut(clean(&parcel.push.origin.timestamp).trim(), ORIGIN_CHARS_MAX);
    if own.is_empty() { rfc3339(parcel.push.first_seen) } else { own }
}

/// The regions that had reported when there was news, in that order. A notice that is late says no more
/// than one that is on time.
pub(super) fn arrived(parcel: Parcel<'_>) -> Vec<&Arrival> {
    let Parcel { push, notice, .. } = parcel;
    let had = |arrival: &&Arrival| {
        arrival.received <= notice.at
            && (notice.kind == NoticeKind::Recovered || !notice.missing.contains(&arrival.region))
    };
    let mut arrived: Vec<_> = push.arrivals.iter().filter(had).collect();
    arrived.sort_by(|a, b| (a.received, &a.region).cmp(&(b.received, &b.region)));
    arrived
}

pub(super) fn listed(regions: &RegionSet) -> String {
    regions.iter().map(|region| region.as_str()).collect::<Vec<_>>().join(", ")
}

/// What one sees first of a message.
pub(super) const fn headline(parcel: Parcel<'_>) -> &'static str {
    match (parcel.notice.kind, parcel.push.image.action.is_push()) {
        (NoticeKind::RegionReady, true) => "Ready in a region",
        (NoticeKind::RegionReady, false) => "Gone from a region",
        (NoticeKind::Completed, true) => "In every region",
        (NoticeKind::Completed, false) => "Gone from every region",
        (NoticeKind::TimedOut, _) => "Timed out",
        (NoticeKind::Recovered, _) => "Recovered",
        (NoticeKind::Deployed, _) => "Deployed",
        (NoticeKind::DeployFailed, _) => "Deployment failed",
        (NoticeKind::JobSucceeded, _) => "Job succeeded",
        (NoticeKind::JobFailed, _) => "Job failed",
    }
}

/// Labels and values for a table under the sentence.
pub(super) fn facts(parcel: Parcel<'_>) -> Vec<(&'static str, String)> {
    let Parcel { push, notice, .. } = parcel;
    let of_regions: Vec<_> = arrived(parcel)
        .into_iter()
        .map(|arrival| {
            format!("{} {}", arrival.region, Spoken(arrival.received.since(push.first_seen)))
        })
        .collect();
    let was_missing = if notice.kind == NoticeKind::Recovered { "Was missing" } else { "Missing" };
    let facts = [
        (
            "Registry",
            push.image.registry.as_ref().map(|r| r.as_str().to_owned()).unwrap_or_default(),
        ),
        ("Digest", push.image.digest.as_ref().map(|d| d.as_str().to_owned()).unwrap_or_default()),
        ("Regions", of_regions.join(", ")),
        (was_missing, listed(&notice.missing)),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
