//! A transaction being put together.

use super::marks::{self, Mark};
use super::{Store, Stored, due_key, family_key, list_key, row};
use crate::keys;
use crate::limits::ROW_MAX;
use crate::ports::{Op, StoreError, Version};
use fan_in::mutant::{self, Mutant};
use fan_in::{Family, Order, Push, PushId, Shard, law};
use std::collections::BTreeMap;

/// Pushes of one tag that its row names: so many of each registry, and of all.
const MARKS_OF_REGISTRY_MAX: usize = 32;
const MARKS_MAX: usize = 256;
/// The changes of one shard, to be made together or not at all.
pub(super) struct Write<'a> {
    store: &'a Store,
    pub(super) ops: Vec<Op>,
}

impl<'a> Write<'a> {
    pub(super) const fn new(store: &'a Store) -> Self {
        Self { store, ops: Vec::new() }
    }

    pub(super) fn insert(&mut self, key: String, doc: String) {
        self.ops.push(Op::Insert { key, doc });
    }

    pub(super) fn replace(&mut self, key: String, doc: String, version: &Version) {
        if mutant::is(Mutant::BlindWrite)
            || mutant::is(Mutant::TimeoutWithoutCompareAndSwap)
                && doc.contains("\"status\":\"timed_out\"")
        {
            return self.put(key, doc);
        }
        self.ops.push(Op::Replace { key, doc, version: version.clone() });
    }

    pub(super) fn put(&mut self, key: String, doc: String) {
        self.ops.push(Op::Put { key, doc });
    }

    pub(super) fn delete(&mut self, key: String, version: Option<Version>) {
        self.ops.push(Op::Delete { key, version });
    }

    pub(super) fn family(
        &mut self,
        family: &Family,
        version: Option<&Version>,
    ) -> Result<(), StoreError> {
        let (key, doc) = (family_key(family.newest.id.content), row::write_family(family)?);
        match version {
            Some(version) => self.replace(key, doc, version),
            None => self.insert(key, doc),
        }
        Ok(())
    }

    /// What every change of a push brings along: the laws, its marker, its place in the list.
    pub(super) fn changed(
        &mut self,
        before: Option<&Push>,
        after: &Push,
    ) -> Result<(), StoreError> {
        if let Err(law::Violation(law)) = law::check(before, after, &self.store.configured) {
            tracing::error!(push = %after.id, law, "a write that would break a law was refused");
            return Err(StoreError::Broken(format!(
                "refused a write that would break a law: {law}"
            )));
        }
        let key = |push: &Push| push.due().map(|due| due_key(due, push.id));
        let (old, new) = (before.and_then(key), key(after));
        if old != new {
            if let Some(old) = old.filter(|_| !mutant::is(Mutant::MarkerLeftBehind)) {
                self.delete(old, None);
            }
            if let Some(new) = new {
                self.put(new, "{}".to_owned());
            }
        }
        if let Some(summary) = row::write_summary(before, after)? {
            self.put(list_key(after.first_seen, after.id), summary);
        }
        Ok(())
    }

    /// Under which names a push that opens can be found.
    pub(super) fn names(
        &mut self,
        push: &Push,
        marks: Option<&Stored<Vec<Mark>>>,
    ) -> Result<(), StoreError> {
        let image = &push.image;
        if !image.action.is_push() {
            return Ok(());
        }
        for key in keys::digests(image) {
            self.put(key, push.id.to_string());
        }
        self.mark(push, marks)
    }

    /// Its place among the newest pushes of its tag.
    pub(super) fn mark(
        &mut self,
        push: &Push,
        marks: Option<&Stored<Vec<Mark>>>,
    ) -> Result<(), StoreError> {
        let image = &push.image;
        let Some(tag) = &image.tag else { return Ok(()) };
        let Order { first_event, first_seen } = push.order();
        let mut all = vec![Mark {
            push: push.id,
            registry: image.registry.as_ref().map(|r| r.as_str().to_owned()),
            digest: image.digest.as_ref().map(|d| d.as_str().to_owned()),
            first_event,
            first_seen,
        }];
        let others = marks.iter().flat_map(|m| &m.value).filter(|m| m.push != push.id);
        all.extend(others.cloned());
        all.sort_by_key(|m| std::cmp::Reverse((m.first_event, m.first_seen)));
        let mut of_registry: BTreeMap<Option<String>, usize> = BTreeMap::new();
        all.retain(|mark| {
            let marks = of_registry.entry(mark.registry.clone()).or_default();
            *marks += 1;
            *marks <= MARKS_OF_REGISTRY_MAX
        });
        all.truncate(MARKS_MAX);
        let (key, doc) = (keys::tag(&image.repository, tag), marks::write_marks(&all)?);
        match marks {
            Some(marks) => self.replace(key, doc, &marks.version),
            None => self.insert(key, doc),
        }
        Ok(())
    }

    pub(super) fn forget_mark(
        &mut self,
        id: PushId,
        key: String,
        marks: Stored<Vec<Mark>>,
    ) -> Result<(), StoreError> {
        let left: Vec<Mark> = marks.value.iter().filter(|mark| mark.push != id).cloned().collect();
        if left.is_empty() {
            self.delete(key, Some(marks.version));
        } else if left.len() < marks.value.len() {
            self.replace(key, marks::write_marks(&left)?, &marks.version);
        }
        Ok(())
    }

    pub(super) async fn commit(self, shard: Shard) -> Result<Vec<Version>, StoreError> {
        if self.ops.iter().filter_map(Op::doc).any(|doc| doc.len() > ROW_MAX) {
            return Err(StoreError::Broken(format!(
                "a row would be larger than {} KiB",
                ROW_MAX / 1024
            )));
        }
        self.store.rows.write(shard, self.ops).await
    }
}
