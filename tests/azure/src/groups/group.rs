//! One container group as it is, whatever GET says of it.

use serde_json::Value;

use super::containers::{Container, Phase, Policy};
use super::document::{containers, image, name};
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
    pub(crate) containers: Vec<Container>,
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
        let start = |container: &Value| {
            let name = name(container);
            let behaviour = settings.behaviour(&key, name, image(container));
            Container::start(name, behaviour, policy, clock)
        };
        self.containers = containers(&self.document).map(start).collect();
        self.is_stopped = false;
        self.starts += 1;
    }

    /// Somebody looked.
    pub(crate) fn advance(&mut self, clock: &mut Clock) {
        let policy = self.policy();
        if !self.is_stopped {
            self.containers.iter_mut().for_each(|container| container.advance(policy, clock));
        }
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
        if self.operation.is_some() || self.containers.is_empty() {
            "Pending"
        } else if self.is_stopped {
            "Stopped"
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
