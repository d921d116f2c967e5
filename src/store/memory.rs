//! Rows in memory: the reference for what the other stores do, and the store of the simulation.

use crate::ports::{Op, Row, Rows, StoreError, Version};
use async_trait::async_trait;
use fan_in::{Shard, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound::{Excluded, Included};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

#[derive(Default)]
struct Table {
    shards: BTreeMap<Shard, BTreeMap<String, (u64, String)>>,
    /// Grows with every write, so that a version never comes again.
    version: u64,
}

/// Clones share their rows.
#[derive(Clone)]
pub struct Memory {
    clock: Clock,
    table: Arc<Mutex<Table>>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: usize = self.table().shards.values().map(BTreeMap::len).sum();
        f.debug_struct("Memory").field("rows", &rows).finish()
    }
}

impl Memory {
    #[must_use]
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), table: Arc::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Rows::get`], at once.
    #[must_use]
    pub fn row(&self, shard: Shard, key: &str) -> Option<Row> {
        let table = self.table();
        let found = table.shards.get(&shard).and_then(|rows| rows.get(key));
        found.map(|(version, doc)| row(key, *version, doc))
    }

    /// As [`Rows::range`], at once.
    #[must_use]
    pub fn rows(&self, shard: Shard, from: &str, below: &str, limit: usize) -> Vec<Row> {
        let table = self.table();
        let Some(rows) = table.shards.get(&shard).filter(|_| from < below) else {
            return Vec::new();
        };
        let rows = rows.range::<str, _>((Included(from), Excluded(below))).take(limit);
        rows.map(|(key, (version, doc))| row(key, *version, doc)).collect()
    }

    /// Everything there is, for tests to look at.
    #[must_use]
    pub fn dump(&self) -> Vec<(Shard, Row)> {
        let table = self.table();
        let rows = table.shards.iter().flat_map(|(shard, rows)| {
            rows.iter().map(|(key, (version, doc))| (*shard, row(key, *version, doc)))
        });
        rows.collect()
    }
}

fn row(key: &str, version: u64, doc: &str) -> Row {
    Row { key: key.to_owned(), version: Version(version.to_string()), doc: doc.to_owned() }
}

fn holds(table: &Table, shard: Shard, op: &Op) -> bool {
    let row = table.shards.get(&shard).and_then(|rows| rows.get(op.key()));
    let found = row.map(|(version, _)| *version);
    match op {
        Op::Insert { .. } => found.is_none(),
        Op::Replace { version, .. } | Op::Delete { version: Some(version), .. } => {
            found.is_some() && found == version.0.parse().ok()
        }
        Op::Delete { version: None, .. } => found.is_some(),
        Op::Put { .. } => true,
    }
}

#[async_trait]
impl Rows for Memory {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.row(shard, key))
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(self.rows(shard, from, below, limit))
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        let mut table = self.table();
        if !ops.iter().all(|op| holds(&table, shard, op)) {
            return Err(StoreError::Conflict);
        }
        table.version += 1;
        let version = table.version;
        let versions = vec![Version(version.to_string()); ops.len()];
        let rows = table.shards.entry(shard).or_default();
        for op in ops {
            match op {
                Op::Insert { key, doc } | Op::Replace { key, doc, .. } | Op::Put { key, doc } => {
                    rows.insert(key, (version, doc));
                }
                Op::Delete { key, .. } => {
                    rows.remove(&key);
                }
            }
        }
        Ok(versions)
    }
}
