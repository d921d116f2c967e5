//! Rows as JSON, and back: reading is total, since whoever can reach the store can write into it.

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

/// `p:{content}` holds a family, `p:{content}:{generation}` an earlier push without past.
#[derive(Deserialize, Serialize)]
struct FamilyDoc {
    push: PushDoc,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    past: Vec<PastDoc>,
}

#[derive(Deserialize, Serialize)]
struct PastDoc {
    generation: u64,
    first_seen: i64,
    arrivals: Vec<ArrivalDoc>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeats: Vec<ArrivalDoc>,
}

#[derive(Deserialize, Serialize)]
struct PushDoc {
    id: String,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    repository: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    origin: OriginDoc,
    status: String,
    expected: Vec<String>,
    arrivals: Vec<ArrivalDoc>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repeats: Vec<ArrivalDoc>,
    first_seen: i64,
    deadline: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missed: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<NoticeDoc>,
    #[serde(default)]
    hold_until: i64,
}

#[derive(Deserialize, Serialize)]
struct OriginDoc {
    event_id: String,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct ArrivalDoc {
    region: String,
    received: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    webhook: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    event_grid: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    late: bool,
}

#[derive(Deserialize, Serialize)]
struct NoticeDoc {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    at: i64,
    regions: usize,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default)]
    deliveries: Vec<DeliveryDoc>,
}

#[derive(Deserialize, Serialize)]
struct DeliveryDoc {
    sink: String,
    state: StateDoc,
    attempts: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    steps: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    unsure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

#[derive(Deserialize, Serialize)]
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

/// A text that is not what it should be; the row is not read any further.
struct Unreadable;

type Read<T> = Result<T, Unreadable>;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn parsed<T, E>(result: Result<T, E>) -> Read<T> {
    result.map_err(|_| Unreadable)
}

fn maybe<T, E>(text: Option<&String>, parse: impl Fn(&str) -> Result<T, E>) -> Read<Option<T>> {
    text.map(|text| parsed(parse(text))).transpose()
}

fn regions(names: &[String]) -> Read<RegionSet> {
    names.iter().map(|name| parsed(Region::parse(name))).collect()
}

fn names(regions: &RegionSet) -> Vec<String> {
    regions.iter().map(Region::to_string).collect()
}

fn unhex(text: &str) -> Read<[u8; 16]> {
    parsed(u128::from_str_radix(text, 16)).map(u128::to_be_bytes)
}

impl From<&Arrival> for ArrivalDoc {
    fn from(a: &Arrival) -> Self {
        Self {
            region: a.region.to_string(),
            received: a.received.as_millis(),
            event_time: a.event_time.map(Timestamp::as_millis),
            ids: a.ids.iter().map(|id| hex(id.0)).collect(),
            webhook: a.channels.webhook,
            event_grid: a.channels.event_grid,
            late: a.late,
        }
    }
}

impl ArrivalDoc {
    fn read(self) -> Read<Arrival> {
        Ok(Arrival {
            region: parsed(Region::parse(&self.region))?,
            received: at(self.received),
            event_time: self.event_time.map(at),
            ids: self.ids.iter().map(|id| unhex(id).map(EventId)).collect::<Read<_>>()?,
            channels: Channels { webhook: self.webhook, event_grid: self.event_grid },
            late: self.late,
        })
    }
}

fn arrivals(docs: Vec<ArrivalDoc>) -> Read<Vec<Arrival>> {
    docs.into_iter().map(ArrivalDoc::read).collect()
}

fn arrival_docs(arrivals: &[Arrival]) -> Vec<ArrivalDoc> {
    arrivals.iter().map(ArrivalDoc::from).collect()
}

impl From<&Delivery> for DeliveryDoc {
    fn from(d: &Delivery) -> Self {
        Self {
            sink: d.sink.clone(),
            state: match d.state {
                State::Pending { next_at } => StateDoc::Pending(next_at.as_millis()),
                State::Sending { until } => StateDoc::Sending(until.as_millis()),
                State::Done => StateDoc::Done,
                State::Dead => StateDoc::Dead,
            },
            attempts: d.attempts,
            steps: d.steps,
            progress: d.progress.clone(),
            unsure: d.unsure,
            error: d.last_error.clone(),
            result: d.result.clone(),
        }
    }
}

impl DeliveryDoc {
    fn read(self) -> Delivery {
        Delivery {
            sink: self.sink,
            state: match self.state {
                StateDoc::Pending(next_at) => State::Pending { next_at: at(next_at) },
                StateDoc::Sending(until) => State::Sending { until: at(until) },
                StateDoc::Done => State::Done,
                StateDoc::Dead => State::Dead,
            },
            attempts: self.attempts,
            steps: self.steps,
            progress: self.progress,
            unsure: self.unsure,
            last_error: self.error,
            result: self.result,
        }
    }
}

impl From<&Notice> for NoticeDoc {
    fn from(n: &Notice) -> Self {
        Self {
            kind: n.kind.as_str().to_owned(),
            region: n.region.as_ref().map(Region::to_string),
            at: n.at.as_millis(),
            regions: n.regions,
            missing: names(&n.missing),
            cause: n.cause.clone(),
            detail: n.detail.clone(),
            deliveries: n.deliveries.iter().map(DeliveryDoc::from).collect(),
        }
    }
}

impl NoticeDoc {
    fn read(self) -> Read<Notice> {
        Ok(Notice {
            kind: NoticeKind::from_name(&self.kind).ok_or(Unreadable)?,
            region: maybe(self.region.as_ref(), Region::parse)?,
            at: at(self.at),
            regions: self.regions,
            missing: regions(&self.missing)?,
            cause: self.cause,
            detail: self.detail,
            deliveries: self.deliveries.into_iter().map(DeliveryDoc::read).collect(),
        })
    }
}

impl From<&Origin> for OriginDoc {
    fn from(o: &Origin) -> Self {
        let Origin {
            event_id,
            timestamp,
            media_type,
            size,
            request_id,
            method,
            user_agent,
            name,
            version,
        } = o.clone();
        Self {
            event_id,
            timestamp,
            media_type,
            size,
            request_id,
            method,
            user_agent,
            name,
            version,
        }
    }
}

impl From<OriginDoc> for Origin {
    fn from(o: OriginDoc) -> Self {
        let OriginDoc {
            event_id,
            timestamp,
            media_type,
            size,
            request_id,
            method,
            user_agent,
            name,
            version,
        } = o;
        Self {
            event_id,
            timestamp,
            media_type,
            size,
            request_id,
            method,
            user_agent,
            name,
            version,
        }
    }
}

impl From<&Push> for PushDoc {
    fn from(p: &Push) -> Self {
        Self {
            id: p.id.to_string(),
            action: p.image.action.as_str().to_owned(),
            registry: p.image.registry.as_ref().map(|r| r.as_str().to_owned()),
            repository: p.image.repository.as_str().to_owned(),
            tag: p.image.tag.as_ref().map(|t| t.as_str().to_owned()),
            digest: p.image.digest.as_ref().map(|d| d.as_str().to_owned()),
            origin: OriginDoc::from(&p.origin),
            status: p.status.as_str().to_owned(),
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

/// Where very many deliveries go wrong, less is kept of how: a row that is too large would be refused.
fn notice_docs(notices: &[Notice]) -> Vec<NoticeDoc> {
    let chars_max = match notices.iter().map(|n| n.deliveries.len()).sum() {
        0..=200 => TEXT_CHARS_MAX,
        201..=800 => 60,
        _ => 0,
    };
    let mut docs: Vec<_> = notices.iter().map(NoticeDoc::from).collect();
    for delivery in docs.iter_mut().flat_map(|notice| &mut notice.deliveries) {
        for text in [&mut delivery.error, &mut delivery.result].into_iter().flatten() {
            *text = cut(text, chars_max);
        }
    }
    docs
}

impl PushDoc {
    fn read(self) -> Read<Push> {
        let image = Image {
            action: Action::from_name(&self.action).ok_or(Unreadable)?,
            registry: maybe(self.registry.as_ref(), Registry::parse)?,
            repository: parsed(Repository::parse(&self.repository))?,
            tag: maybe(self.tag.as_ref(), Tag::parse)?,
            digest: maybe(self.digest.as_ref(), Digest::parse)?,
        };
        Ok(Push {
            id: PushId::parse(&self.id).ok_or(Unreadable)?,
            image,
            origin: self.origin.into(),
            expected: regions(&self.expected)?,
            arrivals: arrivals(self.arrivals)?,
            repeats: arrivals(self.repeats)?,
            status: Status::from_name(&self.status).ok_or(Unreadable)?,
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
    serde_json::to_string(doc).map_err(|_| broken("it cannot be written either"))
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
    let read = |push: PushDoc, past: Vec<PastDoc>| -> Read<Family> {
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
pub(super) fn write_summary(push: &Push) -> Result<String, StoreError> {
    let mut push = PushDoc::from(push);
    push.repeats.clear();
    for arrival in &mut push.arrivals {
        arrival.ids.clear();
    }
    for notice in &mut push.notices {
        notice.deliveries.retain(|d| matches!(d.state, StateDoc::Dead) || d.error.is_some());
    }
    push.notices.retain(|n| !n.deliveries.is_empty());
    to_json(&FamilyDoc { push, past: Vec::new() })
}

pub(super) fn content_hex(content: ContentId) -> String {
    hex(content.0)
}
