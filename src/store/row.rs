//! Rows as JSON, and back: reading is total, since whoever can reach the store can write into it.

use super::text::{Hex, Text, text};
use crate::keys::hex;
use crate::limits::{TEXT_CHARS_MAX, cut};
use crate::ports::StoreError;
use fan_in::push::Channels;
use fan_in::{
    Action, Arrival, ContentId, Delivery, Digest, EventId, Family, Image, Notice, NoticeKind,
    Origin, Past, Push, PushId, Region, RegionSet, Registry, Repository, State, Status, Tag,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// `p:{content}` holds a family, `p:{content}:{generation}` an earlier push without past.
#[derive(Deserialize, PartialEq, Serialize)]
struct FamilyDoc<'a> {
    #[serde(borrow)]
    push: PushDoc<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past: Vec<PastDoc<'a>>,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct PastDoc<'a> {
    generation: u64,
    first_seen: i64,
    #[serde(borrow)]
    arrivals: Vec<ArrivalDoc<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeats: Vec<ArrivalDoc<'a>>,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct PushDoc<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    action: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<Text<'a>>,
    repository: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Text<'a>>,
    origin: OriginDoc<'a>,
    status: Text<'a>,
    expected: Vec<Text<'a>>,
    arrivals: Vec<ArrivalDoc<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeats: Vec<ArrivalDoc<'a>>,
    first_seen: i64,
    deadline: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missed: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<NoticeDoc<'a>>,
    #[serde(default)]
    hold_until: i64,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct OriginDoc<'a> {
    #[serde(borrow)]
    event_id: Text<'a>,
    timestamp: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Text<'a>>,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct ArrivalDoc<'a> {
    #[serde(borrow)]
    region: Text<'a>,
    received: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<Hex>,
    #[serde(default, skip_serializing_if = "is_false")]
    webhook: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    event_grid: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    late: bool,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct NoticeDoc<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Text<'a>>,
    at: i64,
    regions: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Text<'a>>,
    #[serde(default)]
    deliveries: Vec<DeliveryDoc<'a>>,
}

#[derive(Deserialize, PartialEq, Serialize)]
struct DeliveryDoc<'a> {
    #[serde(borrow)]
    sink: Text<'a>,
    state: StateDoc,
    attempts: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    steps: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    unsure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Text<'a>>,
}

#[derive(Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum StateDoc {
    Pending(i64),
    Sending(i64),
    Done,
    Dead,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A row with a few arrivals and notices, in bytes.
const ROW_USUAL: usize = 2_048;

/// A text that is not what it should be; the row is not read any further.
struct Unreadable;

type Read<T> = Result<T, Unreadable>;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn parsed<T, E>(result: Result<T, E>) -> Read<T> {
    result.map_err(|_| Unreadable)
}

fn maybe<T, E>(text: Option<Text<'_>>, parse: impl Fn(&str) -> Result<T, E>) -> Read<Option<T>> {
    text.map(|text| parsed(parse(&text.0))).transpose()
}

fn regions(names: &[Text<'_>]) -> Read<RegionSet> {
    names.iter().map(|name| parsed(Region::parse(&name.0))).collect()
}

fn names(regions: &RegionSet) -> Vec<Text<'_>> {
    regions.iter().map(|region| region.as_str().into()).collect()
}

impl<'a> From<&'a Arrival> for ArrivalDoc<'a> {
    fn from(a: &'a Arrival) -> Self {
        Self {
            region: a.region.as_str().into(),
            received: a.received.as_millis(),
            event_time: a.event_time.map(Timestamp::as_millis),
            ids: a.ids.iter().map(|id| Hex(id.0)).collect(),
            webhook: a.channels.webhook,
            event_grid: a.channels.event_grid,
            late: a.late,
        }
    }
}

impl ArrivalDoc<'_> {
    fn read(self) -> Read<Arrival> {
        Ok(Arrival {
            region: parsed(Region::parse(&self.region.0))?,
            received: at(self.received),
            event_time: self.event_time.map(at),
            ids: self.ids.iter().map(|id| EventId(id.0)).collect(),
            channels: Channels { webhook: self.webhook, event_grid: self.event_grid },
            late: self.late,
        })
    }
}

fn arrivals(docs: Vec<ArrivalDoc<'_>>) -> Read<Vec<Arrival>> {
    docs.into_iter().map(ArrivalDoc::read).collect()
}

fn arrival_docs(arrivals: &[Arrival]) -> Vec<ArrivalDoc<'_>> {
    arrivals.iter().map(ArrivalDoc::from).collect()
}

impl<'a> From<&'a Delivery> for DeliveryDoc<'a> {
    fn from(d: &'a Delivery) -> Self {
        Self {
            sink: d.sink.as_str().into(),
            state: match d.state {
                State::Pending { next_at } => StateDoc::Pending(next_at.as_millis()),
                State::Sending { until } => StateDoc::Sending(until.as_millis()),
                State::Done => StateDoc::Done,
                State::Dead => StateDoc::Dead,
            },
            attempts: d.attempts,
            steps: d.steps,
            progress: text(d.progress.as_deref()),
            unsure: d.unsure,
            error: text(d.last_error.as_deref()),
            result: text(d.result.as_deref()),
        }
    }
}

impl DeliveryDoc<'_> {
    fn read(self) -> Delivery {
        Delivery {
            sink: self.sink.into(),
            state: match self.state {
                StateDoc::Pending(next_at) => State::Pending { next_at: at(next_at) },
                StateDoc::Sending(until) => State::Sending { until: at(until) },
                StateDoc::Done => State::Done,
                StateDoc::Dead => State::Dead,
            },
            attempts: self.attempts,
            steps: self.steps,
            progress: self.progress.map(String::from),
            unsure: self.unsure,
            last_error: self.error.map(String::from),
            result: self.result.map(String::from),
        }
    }
}

impl<'a> From<&'a Notice> for NoticeDoc<'a> {
    fn from(n: &'a Notice) -> Self {
        Self {
            kind: n.kind.as_str().into(),
            region: text(n.region.as_ref().map(Region::as_str)),
            at: n.at.as_millis(),
            regions: n.regions,
            missing: names(&n.missing),
            cause: text(n.cause.as_deref()),
            detail: text(n.detail.as_deref()),
            deliveries: n.deliveries.iter().map(DeliveryDoc::from).collect(),
        }
    }
}

impl NoticeDoc<'_> {
    fn read(self) -> Read<Notice> {
        Ok(Notice {
            kind: NoticeKind::from_name(&self.kind.0).ok_or(Unreadable)?,
            region: maybe(self.region, Region::parse)?,
            at: at(self.at),
            regions: self.regions,
            missing: regions(&self.missing)?,
            cause: self.cause.map(String::from),
            detail: self.detail.map(String::from),
            deliveries: self.deliveries.into_iter().map(DeliveryDoc::read).collect(),
        })
    }
}

impl<'a> From<&'a Origin> for OriginDoc<'a> {
    fn from(o: &'a Origin) -> Self {
        Self {
            event_id: o.event_id.as_str().into(),
            timestamp: o.timestamp.as_str().into(),
            media_type: text(o.media_type.as_deref()),
            size: o.size,
            request_id: text(o.request_id.as_deref()),
            method: text(o.method.as_deref()),
            user_agent: text(o.user_agent.as_deref()),
            name: text(o.name.as_deref()),
            version: text(o.version.as_deref()),
        }
    }
}

impl From<OriginDoc<'_>> for Origin {
    fn from(o: OriginDoc<'_>) -> Self {
        Self {
            event_id: o.event_id.into(),
            timestamp: o.timestamp.into(),
            media_type: o.media_type.map(String::from),
            size: o.size,
            request_id: o.request_id.map(String::from),
            method: o.method.map(String::from),
            user_agent: o.user_agent.map(String::from),
            name: o.name.map(String::from),
            version: o.version.map(String::from),
        }
    }
}

impl<'a> From<&'a Push> for PushDoc<'a> {
    fn from(p: &'a Push) -> Self {
        Self {
            id: Text(Cow::Owned(p.id.to_string())),
            action: p.image.action.as_str().into(),
            registry: text(p.image.registry.as_ref().map(Registry::as_str)),
            repository: p.image.repository.as_str().into(),
            tag: text(p.image.tag.as_ref().map(Tag::as_str)),
            digest: text(p.image.digest.as_ref().map(Digest::as_str)),
            origin: OriginDoc::from(&p.origin),
            status: p.status.as_str().into(),
            expected: names(&p.expected),
            arrivals: arrival_docs(&p.arrivals),
            repeats: arrival_docs(&p.repeats),
            first_seen: p.first_seen.as_millis(),
            deadline: p.deadline.as_millis(),
            decided_at: p.decided_at.map(Timestamp::as_millis),
            missed: names(&p.missed),
            notices: notice_docs(&p.notices),
            hold_until: p.hold_until.as_millis(),
        }
    }
}

/// Notes of what is under way, of at most 4 KiB each, that a row has room for.
const PROGRESSES_MAX: usize = 16;

/// Where very many deliveries go wrong, less is kept of how: a row that is too large would be refused.
fn notice_docs(notices: &[Notice]) -> Vec<NoticeDoc<'_>> {
    let chars_max = match notices.iter().map(|n| n.deliveries.len()).sum() {
        0..=200 => TEXT_CHARS_MAX,
        201..=800 => 60,
        _ => 0,
    };
    // A step that finds no note of where the last one was begins anew.
    let under_way = notices.iter().flat_map(|n| &n.deliveries).filter(|d| d.progress.is_some());
    let keep_progress = under_way.count() <= PROGRESSES_MAX;
    let thin = |text: &mut Option<Text<'_>>| {
        if let Some(Text(text)) = text.as_mut().filter(|Text(text)| text.len() > chars_max) {
            *text = Cow::Owned(cut(text, chars_max));
        }
    };
    let mut docs: Vec<_> = notices.iter().map(NoticeDoc::from).collect();
    for notice in &mut docs {
        thin(&mut notice.detail);
        for delivery in &mut notice.deliveries {
            thin(&mut delivery.error);
            thin(&mut delivery.result);
            delivery.progress = delivery.progress.take().filter(|_| keep_progress);
        }
    }
    docs
}

impl PushDoc<'_> {
    fn read(self) -> Read<Push> {
        let image = Image {
            action: Action::from_name(&self.action.0).ok_or(Unreadable)?,
            registry: maybe(self.registry, Registry::parse)?,
            repository: parsed(Repository::parse(&self.repository.0))?,
            tag: maybe(self.tag, Tag::parse)?,
            digest: maybe(self.digest, Digest::parse)?,
        };
        Ok(Push {
            id: PushId::parse(&self.id.0).ok_or(Unreadable)?,
            image,
            origin: self.origin.into(),
            expected: regions(&self.expected)?,
            arrivals: arrivals(self.arrivals)?,
            repeats: arrivals(self.repeats)?,
            status: Status::from_name(&self.status.0).ok_or(Unreadable)?,
            first_seen: at(self.first_seen),
            deadline: at(self.deadline),
            decided_at: self.decided_at.map(at),
            missed: regions(&self.missed)?,
            notices: self.notices.into_iter().map(NoticeDoc::read).collect::<Read<_>>()?,
            hold_until: at(self.hold_until),
        })
    }
}

pub(super) fn broken(what: &str) -> StoreError {
    StoreError::Broken(format!("a row of the store cannot be read: {what}"))
}

pub(super) fn to_json(doc: &impl Serialize) -> Result<String, StoreError> {
    let unwritable = || broken("it cannot be written either");
    // Most rows have so many bytes: none of them is moved while it grows.
    let mut json = Vec::with_capacity(ROW_USUAL);
    serde_json::to_writer(&mut json, doc).map_err(|_| unwritable())?;
    String::from_utf8(json).map_err(|_| unwritable())
}

pub(crate) fn write_family(family: &Family) -> Result<String, StoreError> {
    let past = family.past.iter().map(|p| PastDoc {
        generation: p.generation,
        first_seen: p.first_seen.as_millis(),
        arrivals: arrival_docs(&p.arrivals),
        repeats: arrival_docs(&p.repeats),
    });
    to_json(&FamilyDoc { push: PushDoc::from(&family.newest), past: past.collect() })
}

pub(crate) fn read_family(doc: &str) -> Result<Family, StoreError> {
    let FamilyDoc { push, past } =
        serde_json::from_str(doc).map_err(|_| broken("not the JSON of a push"))?;
    let read = |push: PushDoc<'_>, past: Vec<PastDoc<'_>>| -> Read<Family> {
        let past = past.into_iter().map(|p| {
            Ok(Past {
                generation: p.generation,
                first_seen: at(p.first_seen),
                arrivals: arrivals(p.arrivals)?,
                repeats: arrivals(p.repeats)?,
            })
        });
        Ok(Family { newest: push.read()?, past: past.collect::<Read<_>>()? })
    };
    read(push, past).map_err(|Unreadable| broken("a field of a push is not what it should be"))
}

pub(super) fn write_push(push: &Push) -> Result<String, StoreError> {
    to_json(&FamilyDoc { push: PushDoc::from(push), past: Vec::new() })
}

/// What the list shows of a push: all but ids, repeats and deliveries that went well.
fn summary(push: &Push) -> PushDoc<'_> {
    let mut push = PushDoc { repeats: Vec::new(), hold_until: 0, ..PushDoc::from(push) };
    for arrival in &mut push.arrivals {
        arrival.ids.clear();
    }
    for notice in &mut push.notices {
        notice.deliveries.retain(|d| matches!(d.state, StateDoc::Dead) || d.error.is_some());
    }
    push.notices.retain(|n| !n.deliveries.is_empty());
    push
}

/// None where the list shows the same as before.
pub(super) fn write_summary(
    before: Option<&Push>,
    after: &Push,
) -> Result<Option<String>, StoreError> {
    let shown = summary(after);
    // Most changes that are shown are of the status or the arrivals: then no summary of before is needed.
    let may_be_the_same = |before: &&Push| {
        before.status == after.status && before.arrivals.len() == after.arrivals.len()
    };
    if before.filter(may_be_the_same).is_some_and(|before| summary(before) == shown) {
        return Ok(None);
    }
    to_json(&FamilyDoc { push: shown, past: Vec::new() }).map(Some)
}

pub(super) fn content_hex(content: ContentId) -> String {
    hex(content.0)
}
