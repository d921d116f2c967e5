//! What Azure shows of a container group, read from its document.

use super::failure::{ArmError, one_line};
use serde_json::Value;

/// A container group as GET shows it.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    document: &'a Value,
}

/// How a container is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Or anything else that is neither of the others.
    Waiting,
    Running,
    /// With the exit code, where Azure tells it.
    Terminated(Option<i64>),
}

/// One container of a group.
#[derive(Clone, Copy, Debug)]
pub struct Container<'a> {
    pub name: &'a str,
    pub image: &'a str,
    pub state: State,
    /// It runs before the others, and ends.
    pub init: bool,
    pub restarts: u64,
    /// Such as `CrashLoopBackOff`; may be empty.
    pub detail: &'a str,
    /// How it ended the time before, where Azure tells it.
    pub previous_exit: Option<i64>,
}

impl<'a> Group<'a> {
    #[must_use]
    pub const fn new(document: &'a Value) -> Self {
        Self { document }
    }

    fn property(&self, name: &str) -> &'a Value {
        &self.document["properties"][name]
    }

    /// `Succeeded` and `Failed` are final; anything else is under way.
    #[must_use]
    pub fn provisioning(&self) -> &'a str {
        self.property("provisioningState").as_str().unwrap_or("Succeeded")
    }

    /// Such as `Running`, `Stopped`, `Succeeded`, `Failed`; may be empty.
    #[must_use]
    pub fn state(&self) -> &'a str {
        self.property("instanceView")["state"].as_str().unwrap_or_default()
    }

    /// `Always` unless it says otherwise.
    #[must_use]
    pub fn restart_policy(&self) -> &'a str {
        self.property("restartPolicy").as_str().unwrap_or("Always")
    }

    #[must_use]
    pub fn ip(&self) -> Option<&'a str> {
        self.property("ipAddress")["ip"].as_str()
    }

    /// The DNS name, which stays where the address changes.
    #[must_use]
    pub fn fqdn(&self) -> Option<&'a str> {
        self.property("ipAddress")["fqdn"].as_str()
    }

    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&'a str> {
        self.document["tags"][name].as_str()
    }

    /// All containers, with those that only prepare.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let of = |name: &str, init| {
            let list = self.property(name).as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().map(move |container| Container::read(container, init))
        };
        of("initContainers", true).chain(of("containers", false))
    }

    /// Why a group whose provisioning failed is what it is. Its document has no code, so that another try may do.
    #[must_use]
    pub fn failure(&self) -> ArmError {
        ArmError::later(match self.complaint() {
            Some(event) => format!("Azure could not bring the container group up: {event}"),
            None => "Azure could not bring the container group up".to_owned(),
        })
    }

    /// What the newest event that speaks of a failure says.
    pub(super) fn complaint(&self) -> Option<String> {
        let events = |view: &'a Value| view["events"].as_array().into_iter().flatten();
        let containers = self.property("containers").as_array().into_iter().flatten();
        let of_containers = containers.flat_map(move |c| events(&c["properties"]["instanceView"]));
        let all = events(self.property("instanceView")).chain(of_containers);
        let bad = all.filter(|event| {
            let name = event["name"].as_str().unwrap_or_default();
            event["type"] == "Warning" || ["Failed", "BackOff"].contains(&name)
        });
        let newest = bad.max_by_key(|event| event["lastTimestamp"].as_str().unwrap_or_default());
        newest.and_then(|event| event["message"].as_str()).map(one_line)
    }
}

impl<'a> Container<'a> {
    fn read(container: &'a Value, init: bool) -> Self {
        let properties = &container["properties"];
        let view = &properties["instanceView"];
        let now = &view["currentState"];
        let state = match now["state"].as_str() {
            Some("Running") => State::Running,
            Some("Terminated") => State::Terminated(now["exitCode"].as_i64()),
            _ => State::Waiting,
        };
        Self {
            name: container["name"].as_str().unwrap_or_default(),
            image: properties["image"].as_str().unwrap_or_default(),
            state,
            init,
            restarts: view["restartCount"].as_u64().unwrap_or_default(),
            detail: now["detailStatus"].as_str().unwrap_or_default(),
            previous_exit: view["previousState"]["exitCode"].as_i64(),
        }
    }
}
