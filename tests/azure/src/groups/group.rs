//! One container group as it is, whatever GET says of it.

use serde_json::Value;

use super::containers::{Container, Phase, Policy};
use super::document::{containers, init_containers, name};
use super::settings::Settings;
use super::{GroupId, operation::Kind};
use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    /// The document that was last accepted, with all secrets, and the defaults for what it left out.
    pub(crate) document: Value,
    pub(crate) ip: Option<String>,
    /// The operation that is under way.
    pub(crate) operation: Option<(String, Kind)>,
    pub(crate) is_failed: bool,
    pub(crate) is_stopped: bool,
    /// None before the first start, and while an operation starts them anew.
    containers: Vec<Container>,
    /// Those that prepare the group: the others wait until they have ended well.
    preparing: Vec<Container>,
    pub(crate) starts: u32,
}

impl Group {
    pub(crate) fn new(id: GroupId, document: Value) -> Self {
        Self {
            id,
            document,
            ip: None,
            operation: None,
            is_failed: false,
            is_stopped: false,
            containers: Vec::new(),
            preparing: Vec::new(),
            starts: 0,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::of(&self.document)
    }

    pub(crate) fn location(&self) -> String {
        self.document["location"].as_str().unwrap_or_default().to_owned()
    }

    /// Starts all containers anew.
    pub(crate) fn start(&mut self, settings: &Settings, clock: &mut Clock) {
        let (key, policy) = (self.id.key(), self.policy());
        let mut start = |container: &Value, policy, prepares| {
            let behaviour = settings.behaviour(&key, container, prepares);
            Container::start(name(container), behaviour, policy, clock)
        };
        let document = &self.document;
        self.containers = containers(document).map(|one| start(one, policy, false)).collect();
        let policy = policy.of_preparation();
        self.preparing = init_containers(document).map(|one| start(one, policy, true)).collect();
        self.is_stopped = false;
        self.starts += 1;
    }

    /// Ends all containers until the group is started again.
    pub(crate) fn stop(&mut self, clock: &mut Clock) {
        self.is_stopped = true;
        self.containers.iter_mut().for_each(|container| container.stop(clock));
    }

    /// The containers are gone: an operation is to start others.
    pub(crate) fn clear(&mut self) {
        self.containers.clear();
        self.preparing.clear();
    }

    /// Somebody looked.
    pub(crate) fn advance(&mut self, clock: &mut Clock) {
        let policy = self.policy();
        if self.is_stopped {
            return;
        }
        if self.is_prepared() {
            self.containers.iter_mut().for_each(|container| container.advance(policy, clock));
        } else {
            let policy = policy.of_preparation();
            self.preparing.iter_mut().for_each(|container| container.advance(policy, clock));
        }
    }

    fn is_prepared(&self) -> bool {
        self.preparing.iter().all(|container| container.phase == Phase::Ended { code: 0 })
    }

    /// A container that was started, by its name.
    pub(crate) fn container(&self, name: &str) -> Option<&Container> {
        let main = self.containers.iter().filter(|_| self.is_prepared() || self.is_stopped);
        self.preparing.iter().chain(main).find(|one| one.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn provisioning_state(&self) -> &'static str {
        match &self.operation {
            Some((_, kind)) => kind.state(),
            None if self.is_failed => "Failed",
            None => "Succeeded",
        }
    }

    /// `instanceView.state`.
    pub(crate) fn state(&self) -> &'static str {
        let mut codes = self.containers.iter().map(|container| match container.phase {
            Phase::Ended { code } => Some(code),
            Phase::Waiting | Phase::Running => None,
        });
        let is_waiting = |container: &Container| container.is_waiting_first();
        let has_failed =
            |container: &Container| matches!(container.phase, Phase::Ended { code } if code != 0);
        if self.operation.is_some() || self.containers.is_empty() {
            "Pending"
        } else if self.is_stopped {
            "Stopped"
        } else if self.preparing.iter().any(has_failed) {
            "Failed"
        } else if !self.is_prepared() {
            "Pending"
        } else if codes.clone().all(|code| code.is_some()) {
            if codes.all(|code| code == Some(0)) { "Succeeded" } else { "Failed" }
        } else if self.containers.iter().all(is_waiting) {
            "Pending"
        } else {
            "Running"
        }
    }

    /// Whether it ended or was stopped, so that it takes no update.
    pub(crate) fn is_over(&self) -> bool {
        ["Stopped", "Succeeded", "Failed"].contains(&self.state())
    }
}
