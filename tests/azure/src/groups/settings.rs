//! What tests have said about container groups.

use std::collections::{BTreeMap, VecDeque};

use super::containers::Behaviour;
use super::document::location_key;
use super::operation::Operations;
use crate::arm_error::ArmError;

/// Whose behaviour it is.
#[derive(Debug)]
pub(crate) enum Whom {
    All,
    /// Containers whose image contains this.
    Image(String),
    /// The container of a group, by the group's key.
    Container {
        group: String,
        name: String,
    },
}

/// An image that cannot be pulled so many times.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) image: String,
    pub(crate) times: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) operations: Operations,
    /// By the key of the group.
    pub(crate) operations_of: BTreeMap<String, Operations>,
    /// How the next updates fail, one each.
    pub(crate) failures: VecDeque<ArmError>,
    pub(crate) deletes_take_time: bool,
    /// The last one that fits counts.
    pub(crate) behaviours: Vec<(Whom, Behaviour)>,
    pub(crate) missing_images: Vec<Missing>,
    pub(crate) groups_max: Option<usize>,
    /// Locations without room, and for how many more requests.
    pub(crate) full_locations: BTreeMap<String, u32>,
    pub(crate) ip_changes: bool,
}

impl Settings {
    pub(crate) fn operations_of(&self, key: &str) -> Operations {
        self.operations_of.get(key).unwrap_or(&self.operations).clone()
    }

    pub(crate) fn behaviour(&self, key: &str, container: &str, image: &str) -> Behaviour {
        let fits = |whom: &Whom| match whom {
            Whom::All => true,
            Whom::Image(part) => image.contains(part),
            Whom::Container { group, name } => group == key && name == container,
        };
        let last = self.behaviours.iter().rev().find(|(whom, _)| fits(whom));
        last.map_or_else(Behaviour::runs, |(_, behaviour)| behaviour.clone())
    }

    /// An image is missing for so many more PUTs, whatever was said of it before.
    pub(crate) fn miss(&mut self, image: &str, times: u32) {
        self.missing_images.retain(|missing| missing.image != image);
        self.missing_images.push(Missing { image: image.to_owned(), times });
    }

    /// A location is full for so many more PUTs.
    pub(crate) fn fill(&mut self, location: &str, times: u32) {
        self.full_locations.insert(location_key(location), times);
    }
}
