//! One container group as tests see and move it, past ARM.

use serde_json::Value;

use crate::fake::Fake;
use crate::groups::{Behaviour, Change, GroupId, Operations, Whom};

/// A container group, which need not be there.
#[derive(Debug)]
pub struct GroupHandle<'a> {
    fake: &'a Fake,
    id: GroupId,
}

impl<'a> GroupHandle<'a> {
    pub(crate) fn new(fake: &'a Fake, id: GroupId) -> Self {
        Self { fake, id }
    }

    /// Its ARM id.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    pub(crate) fn place(&self, document: Value) {
        let state = &mut *self.fake.state();
        state.groups.add_resource_group(&self.id);
        let placed = crate::groups::place(state, &self.id, document);
        placed.unwrap_or_else(|error| panic!("ARM would not take this: {}", error.message));
    }

    #[must_use]
    pub fn exists(&self) -> bool {
        self.fake.state().groups.get(&self.id).is_ok()
    }

    /// The document as it is, with every secret, and without what only Azure writes.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn truth(&self) -> Value {
        self.read(|group| group.document.clone())
    }

    /// What GET would say now; nobody is seen looking.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn view(&self) -> Value {
        self.read(crate::groups::full_view)
    }

    /// How often all its containers were started, the first time included.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.read(|group| group.starts)
    }

    /// What has changed it, in order; also after it is gone.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        let state = self.fake.state();
        let record = state.groups.records.get(&self.id.key());
        record.map(|record| record.changes.clone()).unwrap_or_default()
    }

    /// How many requests that change it met an operation that an earlier one of them had begun. Two that deploy must
    /// never meet.
    #[must_use]
    pub fn overlaps(&self) -> usize {
        self.fake.state().groups.records.get(&self.id.key()).map_or(0, |record| record.overlaps)
    }

    /// How operations go in this group from now on.
    pub fn operations(&self, operations: Operations) {
        let key = self.id.key();
        self.fake.state().groups.settings.operations_of.insert(key, operations);
    }

    /// How one of its containers fares from its next start on.
    pub fn container_behaves(&self, name: &str, behaviour: Behaviour) {
        let whom = Whom::Container { group: self.id.key(), name: name.to_owned() };
        self.fake.state().groups.settings.behaviours.push((whom, behaviour));
    }

    /// Somebody else begins an operation that changes nothing but starts the containers anew. It does not count as
    /// an overlap when the caller meets it.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn begin_foreign_operation(&self) {
        let state = &mut *self.fake.state();
        let begun = crate::groups::begin_foreign(state, &self.id);
        begun.unwrap_or_else(|error| panic!("{}", error.message));
    }

    /// Ends the operation that is under way, if there is one, without another poll.
    pub fn finish(&self) {
        let state = &mut *self.fake.state();
        state.groups.finish(&self.id, &mut state.clock);
    }

    /// Stops it, as `az container stop` does.
    ///
    /// # Panics
    /// When there is no such group.
    pub fn stop(&self) {
        let state = &mut *self.fake.state();
        let stopped = crate::groups::stop(state, &self.id);
        stopped.unwrap_or_else(|error| panic!("{}", error.message));
    }

    /// Takes it away, as somebody else might.
    pub fn remove(&self) {
        self.fake.state().groups.remove(&self.id);
    }

    fn read<T>(&self, what: impl FnOnce(&crate::groups::Group) -> T) -> T {
        let state = self.fake.state();
        let group = state.groups.get(&self.id);
        what(group.unwrap_or_else(|error| panic!("{}", error.message)))
    }
}
