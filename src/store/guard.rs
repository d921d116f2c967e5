//! The guard of what is deployed to: who is at it, and the newest push that was let through.

use super::row::to_json;
use super::{Store, Stored};
use crate::keys;
use crate::limits::PARTS_MAX;
use crate::ports::{Op, StoreError, Target};
use fan_in::mutant::{self, Mutant};
use fan_in::{Push, PushId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One for each target, never purged. All changes are made under the version that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    pub lease: Option<Lease>,
    /// The newest push that was let through, for each part of the target.
    newest: BTreeMap<String, Place>,
}

/// Who is at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A delivery: its push, its notice and its sink.
    pub holder: String,
    pub until: Timestamp,
    /// Between two steps: the same delivery may go on before the time is over.
    pub resting: bool,
}

/// Older and newer: by the earliest event, then by when the push was first seen, and at last by its id, so that
/// of two pushes one is always the older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    first_event: Timestamp,
    first_seen: Timestamp,
    push: PushId,
}

impl Place {
    #[must_use]
    pub fn of(push: &Push) -> Self {
        let order = push.order();
        Self { first_event: order.first_event, first_seen: order.first_seen, push: push.id }
    }
}

impl Guard {
    /// Other pushes that were let through, each to this part of the target or to all of it, and that were newer
    /// at that time. All of it is compared with each of its parts.
    pub fn newer(&self, target: &Target, place: Place) -> impl Iterator<Item = PushId> {
        let (whole, part) = (keys::part(""), keys::part(&target.part));
        let all = part == whole;
        let compared =
            self.newest.iter().filter(move |(other, _)| all || **other == part || **other == whole);
        let newer = compared.filter(move |(_, kept)| kept.push != place.push && **kept > place);
        newer.map(|(_, kept)| kept.push).filter(|_| !mutant::is(Mutant::GuardForgetsOrder))
    }

    /// A push is let through. Its place may have moved since the last time.
    pub fn let_through(&mut self, target: &Target, place: Place) {
        self.newest.insert(keys::part(&target.part), place);
        while self.newest.len() > PARTS_MAX {
            let oldest = self.newest.iter().min_by_key(|(_, place)| **place);
            let Some(oldest) = oldest.map(|(part, _)| part.clone()) else { return };
            self.newest.remove(&oldest);
        }
    }
}

#[derive(Deserialize, Serialize)]
struct GuardDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseDoc>,
    newest: BTreeMap<String, PlaceDoc>,
}

#[derive(Deserialize, Serialize)]
struct LeaseDoc {
    holder: String,
    until: i64,
    resting: bool,
}

#[derive(Deserialize, Serialize)]
struct PlaceDoc {
    first_event: i64,
    first_seen: i64,
    push: String,
}

fn write(guard: &Guard) -> Result<String, StoreError> {
    let lease = guard.lease.as_ref().map(|lease| LeaseDoc {
        holder: lease.holder.clone(),
        until: lease.until.as_millis(),
        resting: lease.resting,
    });
    let newest = guard.newest.iter().map(|(part, place)| {
        let doc = PlaceDoc {
            first_event: place.first_event.as_millis(),
            first_seen: place.first_seen.as_millis(),
            push: place.push.to_string(),
        };
        (part.clone(), doc)
    });
    to_json(&GuardDoc { lease, newest: newest.collect() })
}

fn read(doc: &str) -> Option<Guard> {
    let GuardDoc { lease, newest } = serde_json::from_str(doc).ok()?;
    let at = Timestamp::from_millis;
    let lease = lease.map(|l| Lease { holder: l.holder, until: at(l.until), resting: l.resting });
    let newest = newest.into_iter().map(|(part, doc)| {
        let (first_event, first_seen) = (at(doc.first_event), at(doc.first_seen));
        Some((part, Place { first_event, first_seen, push: PushId::parse(&doc.push)? }))
    });
    Some(Guard { lease, newest: newest.collect::<Option<_>>()? })
}

impl Store {
    /// # Errors
    /// As [`Rows::get`](crate::ports::Rows::get).
    pub async fn guard(&self, target: &Target) -> Result<Option<Stored<Guard>>, StoreError> {
        let (shard, key) = keys::guard(&target.id);
        let row = self.rows.get(shard, &key).await?;
        row.map(|row| {
            let value = read(&row.doc).ok_or_else(|| {
                StoreError::Broken("the guard of a target cannot be read".to_owned())
            })?;
            Ok(Stored { value, version: row.version })
        })
        .transpose()
    }

    /// Writes a guard under the version that was read of it, and returns it as it is stored now.
    ///
    /// # Errors
    /// As [`Rows::write`](crate::ports::Rows::write).
    pub async fn save_guard(
        &self,
        target: &Target,
        before: Option<&Stored<Guard>>,
        after: Guard,
    ) -> Result<Stored<Guard>, StoreError> {
        let (shard, key) = keys::guard(&target.id);
        let doc = write(&after)?;
        let op = match before {
            Some(_) if mutant::is(Mutant::GuardWrittenBlindly) => Op::Put { key, doc },
            Some(before) => Op::Replace { key, doc, version: before.version.clone() },
            None => Op::Insert { key, doc },
        };
        let version = self.rows.write(shard, vec![op]).await?.pop().ok_or(StoreError::Conflict)?;
        Ok(Stored { value: after, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(first_event: i64) -> Place {
        let text = format!("{:0>44x}", first_event.unsigned_abs() + u64::from(first_event < 0));
        let at = Timestamp::from_millis(first_event);
        Place { first_event: at, first_seen: at, push: PushId::parse(&text).unwrap() }
    }

    fn target(part: &str) -> Target {
        Target { id: "group".to_owned(), part: part.to_owned() }
    }

    fn has_newer(guard: &Guard, part: &str, place: Place) -> bool {
        guard.newer(&target(part), place).next().is_some()
    }

    #[test]
    fn a_guard_reads_back_what_it_writes() {
        let mut guard = Guard::default();
        guard.let_through(&target("a"), place(7));
        assert_eq!(read(&write(&guard).unwrap()), Some(guard.clone()));
        let until = Timestamp::from_millis(9);
        guard.lease = Some(Lease { holder: "x".to_owned(), until, resting: true });
        assert_eq!(read(&write(&guard).unwrap()), Some(guard));
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn parts_of_a_target_are_compared_each_with_itself() {
        let mut guard = Guard::default();
        guard.let_through(&target("a"), place(7));
        assert!(has_newer(&guard, "a", place(6)));
        assert!(!has_newer(&guard, "a", place(8)));
        assert!(!has_newer(&guard, "b", place(6)));
    }

    #[test]
    fn all_of_a_target_is_compared_with_each_of_its_parts() {
        let mut guard = Guard::default();
        guard.let_through(&target("a"), place(7));
        assert!(has_newer(&guard, "", place(6)));
        guard.let_through(&target(""), place(9));
        assert!(has_newer(&guard, "b", place(8)) && !has_newer(&guard, "b", place(10)));
    }

    #[test]
    fn a_push_whose_events_turn_out_to_be_earlier_is_no_newer_one_of_itself() {
        let mut guard = Guard::default();
        guard.let_through(&target("a"), place(7));
        let earlier = Place { first_event: Timestamp::from_millis(3), ..place(7) };
        assert!(!has_newer(&guard, "a", earlier));
    }

    #[test]
    fn a_guard_keeps_the_newest_parts() {
        let mut guard = Guard::default();
        for number in 0..=i64::try_from(PARTS_MAX).unwrap() {
            guard.let_through(&target(&number.to_string()), place(number));
        }
        assert_eq!(guard.newest.len(), PARTS_MAX);
        assert!(!has_newer(&guard, "0", place(-1)) && has_newer(&guard, "1", place(0)));
    }
}
