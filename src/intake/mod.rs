//! Webhooks in: JSON of three kinds becomes [`Event`]s.

use crate::answer::Answer;
use crate::secret::Secret;
use fan_in::{Channel, Correlation, Glob, Image, Origin, Region, RegionSet, Registry, Timestamp};

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
pub mod queued;
pub fn read(_: &crate::answer::Request, _: &Rules) -> Reading {
    Reading::Many(vec![])
}
