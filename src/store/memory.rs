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
    rows: BTreeMap<(Shard, String), (u64, String)>,
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
        f.debug_struct("Memory").field("rows", &self.table().rows.len()).finish()
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

    /// Everything there is, for tests to look at.
    #[must_use]
    pub fn dump(&self) -> Vec<(Shard, Row)> {
        let table = self.table();
        table
            .rows
            .iter()
            .map(|((shard, key), (version, doc))| (*shard, row(key, *version, doc)))
            .collect()
    }
}

fn row(key: &str, version: u64, doc: &str) -> Row {
    Row { key: key.to_owned(), version: Version(version.to_string()), doc: doc.to_owned() }
}

fn holds(table: &Table, shard: Shard, op: &Op) -> bool {
    let found =
        table.rows.get(&(shard, op.key().to_owned())).map(|(version, _)| version.to_string());
    match op {
        Op::Insert { .. } => found.is_none(),
        Op::Replace { version, .. } | Op::Delete { version: Some(version), .. } => {
            found.as_ref() == Some(&version.0)
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
        let table = self.table();
        Ok(table.rows.get(&(shard, key.to_owned())).map(|(version, doc)| row(key, *version, doc)))
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if from >= below {
            return Ok(Vec::new());
        }
        let bounds = (Included((shard, from.to_owned())), Excluded((shard, below.to_owned())));
        let table = self.table();
        let rows = table.rows.range(bounds).take(limit);
        Ok(rows.map(|((_, key), (version, doc))| row(key, *version, doc)).collect())
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        let mut table = self.table();
        if !ops.iter().all(|op| holds(&table, shard, op)) {
            return Err(StoreError::Conflict);
        }
        table.version += 1;
        let version = table.version;
        let versions = vec![Version(version.to_string()); ops.len()];
        for op in ops {
            match op {
                Op::Insert { key, doc } | Op::Replace { key, doc, .. } | Op::Put { key, doc } => {
                    table.rows.insert((shard, key), (version, doc));
                }
                Op::Delete { key, .. } => {
                    table.rows.remove(&(shard, key));
                }
            }
        }
        Ok(versions)
    }
}
