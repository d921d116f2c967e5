//! All container groups, and what has happened to them.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::document::{containers, image};
use super::operation::{Kind, Operation, Operations};
use super::settings::Settings;
use super::{Group, GroupId};
use crate::arm_error::ArmError;
use crate::clock::Clock;

/// How a group was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// By the test itself.
    Placed,
    Put,
    Tagged,
    Deleted,
    Restarted,
    Stopped,
    Started,
}

/// A change that took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub how: How,
    /// The images of the containers afterwards.
    pub images: Vec<String>,
    /// The tag `fanin-push` afterwards.
    pub push: Option<String>,
}

/// What stays of a group when it is deleted.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) changes: Vec<Change>,
    /// PUTs and DELETEs that met an operation that another one of them began.
    pub(crate) overlaps: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) all: BTreeMap<String, Group>,
    resource_groups: BTreeSet<String>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) settings: Settings,
    pub(crate) records: BTreeMap<String, Record>,
    ips: u32,
}

impl Groups {
    pub(crate) fn add_resource_group(&mut self, id: &GroupId) {
        self.resource_groups.insert(id.resource_group_key());
    }

    pub(crate) fn has_resource_group(&self, id: &GroupId) -> bool {
        self.resource_groups.contains(&id.resource_group_key())
    }

    pub(crate) fn get(&self, id: &GroupId) -> Result<&Group, ArmError> {
        self.all.get(&id.key()).ok_or_else(|| ArmError::no_group(&id.name, &id.resource_group))
    }

    pub(crate) fn get_mut(&mut self, id: &GroupId) -> Result<&mut Group, ArmError> {
        let absent = || ArmError::no_group(&id.name, &id.resource_group);
        self.all.get_mut(&id.key()).ok_or_else(absent)
    }

    /// An address that nobody has had.
    pub(crate) fn next_ip(&mut self, is_public: bool) -> String {
        self.ips += 1;
        let (high, low) = (self.ips / 250, self.ips % 250 + 4);
        if is_public { format!("20.71.{high}.{low}") } else { format!("10.0.{high}.{low}") }
    }

    pub(crate) fn record(&mut self, how: How, key: &str) {
        let change = match self.all.get(key) {
            Some(group) => Change {
                how,
                images: containers(&group.document).map(|one| image(one).to_owned()).collect(),
                push: group.document["tags"]["fanin-push"].as_str().map(str::to_owned),
            },
            None => Change { how, images: Vec::new(), push: None },
        };
        self.records.entry(key.to_owned()).or_default().changes.push(change);
    }

    /// Begins an operation on a group; one that takes no poll and cannot be followed is over at once.
    pub(crate) fn begin(
        &mut self,
        id: &GroupId,
        kind: Kind,
        plan: Operations,
        clock: &mut Clock,
    ) -> Result<usize, ArmError> {
        let group = self.get_mut(id)?;
        let operation = Operation {
            id: Uuid::new_v4().to_string(),
            group: group.id.clone(),
            location: group.location().replace(' ', "").to_ascii_lowercase(),
            kind,
            polls_left: plan.polls,
            plan,
            began: clock.tick(),
            ended: None,
            is_foreign: false,
        };
        group.operation = Some((operation.id.clone(), kind));
        let is_over = operation.is_over_at_once();
        self.operations.push(operation);
        if is_over {
            self.finish(id, clock);
        }
        Ok(self.operations.len() - 1)
    }

    /// Somebody looks at a group: if its operation has had its polls, it ends before he sees anything.
    pub(crate) fn look(&mut self, id: &GroupId, clock: &mut Clock) {
        let Some(operation) = self.under_way(id) else { return };
        match operation.polls_left {
            0 => self.finish(id, clock),
            u32::MAX => {}
            _ => operation.polls_left -= 1,
        }
    }

    /// The operation that is under way in a group.
    pub(crate) fn under_way(&mut self, id: &GroupId) -> Option<&mut Operation> {
        let (wanted, _) = self.all.get(&id.key())?.operation.as_ref()?;
        self.operations.iter_mut().find(|operation| operation.id == *wanted)
    }

    /// Ends the operation of a group, if there is one, in the way that it was meant to end.
    pub(crate) fn finish(&mut self, id: &GroupId, clock: &mut Clock) {
        let Some(operation) = self.under_way(id) else { return };
        operation.ended = Some(clock.tick());
        let (kind, is_failed) = (operation.kind, operation.failure().is_some());
        let key = id.key();
        let Some(group) = self.all.get_mut(&key) else { return };
        group.operation = None;
        group.is_failed = is_failed;
        match kind {
            _ if is_failed => {}
            Kind::Create | Kind::Update | Kind::Start => group.start(&self.settings, clock),
            Kind::Delete => self.remove(id),
        }
    }

    pub(crate) fn remove(&mut self, id: &GroupId) {
        let key = id.key();
        self.all.remove(&key);
        self.record(How::Deleted, &key);
    }

    /// Refuses a request while an operation is under way, which sees this as a poll.
    pub(crate) fn refuse_transitioning(
        &mut self,
        id: &GroupId,
        clock: &mut Clock,
    ) -> Result<(), ArmError> {
        self.look(id, clock);
        let Some(operation) = self.under_way(id) else { return Ok(()) };
        if !operation.is_foreign {
            self.records.entry(id.key()).or_default().overlaps += 1;
        }
        let message = format!(
            "The container group '{}' is still transitioning, please retry later.",
            id.name
        );
        Err(ArmError::new(409, "ContainerGroupTransitioning", message))
    }
}
