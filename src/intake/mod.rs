//! Webhooks in: JSON of three kinds becomes [`Event`]s.

mod acr;
mod docker_hub;
mod event_grid;
mod gate;
mod handshake;
mod json;
pub mod queued;
mod refusal;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod text;

use crate::answer::{Answer, Request};
use crate::secret::Secret;
use fan_in::{Channel, Correlation, Glob, Image, Origin, Region, RegionSet, Registry, Timestamp};
use gate::Call;
use refusal::Refusal;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What is let in: the part of the settings that the intake knows.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub regions: RegionSet,
    /// Empty: every registry.
    pub registries: Vec<Registry>,
    /// Empty: every repository.
    pub repositories: Vec<Glob>,
    /// Empty: no secret is asked for.
    pub secrets: Vec<Secret>,
    pub untagged: bool,
    pub correlation: Correlation,
}

/// One region's report, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub image: Image,
    pub origin: Origin,
    pub region: Region,
    pub event_time: Option<Timestamp>,
    /// The id that pushes are told apart by.
    pub id: String,
    pub channel: Channel,
}

/// What a request comes to before anything is stored.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Answered already: refused, ignored, or a handshake.
    Answer(Answer),
    /// One ACR or Docker Hub event, to be answered by itself.
    One(Box<Event>),
    /// Event Grid: a result for each entry, in order; `Err` is the reason why it is ignored.
    Many(Vec<Result<Event, String>>),
}

/// Reads a webhook. Nothing is stored and nothing is called.
#[must_use]
pub fn read(request: &Request, rules: &Rules) -> Reading {
    checked(request, rules).unwrap_or_else(|refusal| Reading::Answer(refusal.into()))
}

/// The checks, in the order that callers can rely on; what follows the kind is the kind's own affair, in
/// the order of needs, region, registry, filters.
fn checked(request: &Request, rules: &Rules) -> Result<Reading, Refusal> {
    gate::method_and_size(request)?;
    if let Some(answer) = handshake::answer(request)? {
        return Ok(Reading::Answer(answer));
    }
    rules.secret(request)?;
    let call = Call::new(request, rules, json::text(gate::body(request)?)?);
    let one = |event| Reading::One(Box::new(event));
    match kind(call.body)? {
        Kind::EventGrid => event_grid::read(&call).map(Reading::Many),
        Kind::DockerHub => docker_hub::read(&call).map(one),
        Kind::Acr => acr::read(&call).map(one),
    }
}

const UNKNOWN_KIND: Refusal = Refusal::Malformed(
    "the body is no webhook of an Azure Container Registry or of Docker Hub, and no event of Event Grid",
);

enum Kind {
    Acr,
    DockerHub,
    EventGrid,
}

/// The members that kinds are told apart by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shape {
    #[serde(rename = "eventType")]
    event_type: Option<IgnoredAny>,
    #[serde(rename = "type")]
    cloud_event_type: Option<IgnoredAny>,
    specversion: Option<IgnoredAny>,
    push_data: Option<IgnoredAny>,
    repository: Option<IgnoredAny>,
    action: Option<IgnoredAny>,
}

fn kind(body: &str) -> Result<Kind, Refusal> {
    if json::is_list(body) {
        return Ok(Kind::EventGrid);
    }
    let shape = match json::object::<json::Part<Shape>>(body)? {
        json::Part::Is(shape) => shape,
        json::Part::Absent | json::Part::Other => Shape::default(),
    };
    let is_cloud_event = shape.cloud_event_type.is_some() && shape.specversion.is_some();
    if shape.event_type.is_some() || is_cloud_event {
        Ok(Kind::EventGrid)
    } else if shape.push_data.is_some() && shape.repository.is_some() {
        Ok(Kind::DockerHub)
    } else if shape.action.is_some() {
        Ok(Kind::Acr)
    } else {
        Err(UNKNOWN_KIND)
    }
}
