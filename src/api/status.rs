//! `/api/status`: how a push stands, by its id, by its image, or all of them.

use crate::answer::{Answer, Request};
use crate::app::{App, Wanted};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::limits::{PAGE_DEFAULT, PAGE_MAX, RETRY_AFTER_SECONDS};
use crate::ports::StoreError;
use crate::store::is_list_position;
use fan_in::{
    Arrival, Delivery, Digest, Notice, Push, PushId, Region, RegionSet, Registry, State, Status,
    Tag, Timestamp,
};
use serde::Serialize;
use serde_json::json;

/// A push as everybody may see it: no secret, no address of a sink.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushView {
    pub push: String,
    pub image: String,
    pub registry: Option<String>,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
    pub action: &'static str,
    pub status: &'static str,
    pub first_seen: String,
    pub deadline: String,
    pub decided_at: Option<String>,
    pub expected: Vec<String>,
    pub arrivals: Vec<ArrivalView>,
    pub missing: Vec<String>,
    /// In the list only those that went wrong.
    pub deliveries: Vec<DeliveryView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArrivalView {
    pub region: String,
    pub received: String,
    pub event_time: Option<String>,
    pub late: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    pub notice: &'static str,
    pub sink: String,
    pub state: &'static str,
    pub attempts: u32,
    pub next_attempt: Option<String>,
    pub last_error: Option<String>,
    pub result: Option<String>,
}

fn names(regions: &RegionSet) -> Vec<String> {
    regions.iter().map(Region::to_string).collect()
}

impl PushView {
    #[must_use]
    pub fn new(push: &Push, configured: &RegionSet) -> Self {
        let mut arrivals: Vec<&Arrival> = push.arrivals.iter().collect();
        arrivals.sort_by_key(|arrival| arrival.received);
        let deliveries =
            push.notices.iter().flat_map(|n| n.deliveries.iter().map(move |d| delivery_view(n, d)));
        Self {
            push: push.id.to_string(),
            image: push.image.to_string(),
            registry: push.image.registry.as_ref().map(|r: &Registry| r.as_str().to_owned()),
            repository: push.image.repository.as_str().to_owned(),
            tag: push.image.tag.as_ref().map(|t: &Tag| t.as_str().to_owned()),
            digest: push.image.digest.as_ref().map(|d: &Digest| d.as_str().to_owned()),
            action: push.image.action.as_str(),
            status: push.status.as_str(),
            first_seen: rfc3339(push.first_seen),
            deadline: rfc3339(push.deadline),
            decided_at: push.decided_at.map(rfc3339),
            expected: names(&push.expected),
            arrivals: arrivals.into_iter().map(arrival_view).collect(),
            missing: names(&push.missing(configured)),
            deliveries: deliveries.collect(),
        }
    }
}

fn arrival_view(arrival: &Arrival) -> ArrivalView {
    ArrivalView {
        region: arrival.region.to_string(),
        received: rfc3339(arrival.received),
        event_time: arrival.event_time.map(rfc3339),
        late: arrival.late,
    }
}

fn delivery_view(notice: &Notice, delivery: &Delivery) -> DeliveryView {
    let (state, next) = match delivery.state {
        State::Pending { next_at } => ("pending", Some(next_at)),
        State::Sending { .. } => ("sending", None),
        State::Done => ("done", None),
        State::Dead => ("dead", None),
    };
    DeliveryView {
        notice: notice.kind.as_str(),
        sink: delivery.sink.clone(),
        state,
        // What takes several steps is one attempt.
        attempts: (delivery.attempts - delivery.steps.min(delivery.attempts))
            .max(delivery.attempts.min(1)),
        next_attempt: next.map(rfc3339),
        last_error: delivery.last_error.clone(),
        result: delivery.result.clone(),
    }
}

/// Answers a GET; `push` is the last part of the path, if there is one.
pub async fn status(app: &App, push: Option<&str>, request: &Request) -> Answer {
    if request.method != "GET" && request.method != "HEAD" {
        return Answer::error(405, "the status is read with GET").with_header("Allow", "GET, HEAD");
    }
    let answer = match (push.filter(|push| !push.is_empty()), request.query("image")) {
        (Some(push), _) => by_id(app, push).await,
        (None, Some(image)) => by_image(app, &image, request).await,
        (None, None) => list(app, request).await,
    };
    answer.unwrap_or_else(|refusal| refusal).with_header("Cache-Control", "no-store")
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!(%error, "the status could not be read");
    let answer = Answer::error(503, "the store cannot be read at present; ask again");
    answer.with_header("Retry-After", RETRY_AFTER_SECONDS.to_string())
}

fn view(app: &App, status: u16, push: &Push) -> Answer {
    Answer::json(status, PushView::new(push, &app.policy().regions))
}

const fn code(status: Status) -> u16 {
    match status {
        Status::Waiting => 202,
        Status::Completed | Status::Recovered => 200,
        Status::TimedOut => 504,
        Status::Superseded => 409,
    }
}

async fn by_id(app: &App, push: &str) -> Result<Answer, Answer> {
    let unknown = || Answer::error(404, "no push with this id is kept");
    let id = PushId::parse(push).ok_or_else(unknown)?;
    let push = app.push(id).await.map_err(|error| unavailable(&error))?.ok_or_else(unknown)?;
    Ok(view(app, code(push.status), &push))
}

async fn by_image(app: &App, image: &str, request: &Request) -> Result<Answer, Answer> {
    let refuse = |name: &str, why: &str| Answer::error(400, &format!("{name}: {why}"));
    let mut wanted = Wanted::parse(image).map_err(|why| refuse("image", why.0))?;
    wanted.since = request
        .query("since")
        .map(|since| time(&since).ok_or(()))
        .transpose()
        .map_err(|()| refuse("since", "not an RFC 3339 time, such as 2026-11-20T10:00:00Z"))?;
    let region = request
        .query("region")
        .map(|region| Region::parse(&region))
        .transpose()
        .map_err(|why| refuse("region", why.0))?;
    let push = app.newest(&wanted).await.map_err(|error| unavailable(&error))?;
    let push = push.ok_or_else(|| Answer::error(404, "no push of this image is kept"))?;
    match region {
        Some(region) if push.has(&region) => Ok(view(app, 200, &push)),
        Some(region) if !push.expected.contains(&region) => {
            Err(Answer::error(404, "region: the push is not expected there"))
        }
        Some(_) if push.status.is_everywhere() => {
            Err(Answer::error(404, "region: it is not waited for any more"))
        }
        _ => Ok(view(app, code(push.status), &push)),
    }
}

/// A `+` that was not escaped comes as a space.
fn time(text: &str) -> Option<Timestamp> {
    parse_rfc3339(&text.replace(' ', "+"))
}

async fn list(app: &App, request: &Request) -> Result<Answer, Answer> {
    let limit = match request.query("limit").map(|limit| limit.parse::<usize>()) {
        None => PAGE_DEFAULT,
        Some(Ok(limit)) if (1..=PAGE_MAX).contains(&limit) => limit,
        Some(_) => return Err(Answer::error(400, "limit: not a number from 1 to 200")),
    };
    let after = request.query("after");
    let after = after.as_deref();
    if after.is_some_and(|after| !is_list_position(after)) {
        return Err(Answer::error(400, "after: not what the page before said under next"));
    }
    let page = app.list(after, limit).await.map_err(|error| unavailable(&error))?;
    let pushes: Vec<_> =
        page.pushes.iter().map(|push| PushView::new(push, &app.policy().regions)).collect();
    Ok(Answer::json(200, json!({ "pushes": pushes, "next": page.next })))
}
