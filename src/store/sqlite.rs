//! Rows in one SQLite file: the store of the standalone home.
//!
//! Two threads own a connection each. The writer takes everything that waits into one transaction, so that
//! many writes share one fsync (`synchronous=FULL`: what was acknowledged survives a power cut); an answer
//! waits for the fsync of its group. A version conflict fails that item alone, a failed commit the whole group.

use crate::clock;
use crate::ports::{Op, Row, Rows, StoreError, Version};
use async_trait::async_trait;
use fan_in::{Shard, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Writes that share one transaction.
const GROUP_MAX: usize = 256;
/// How long a connection waits for another process' lock.
const BUSY: Duration = Duration::from_secs(5);
const PAGES_KEPT_IN_WAL: u32 = 4_000;
/// Pages that each connection keeps in memory.
const CACHE_KIB: i32 = 8 * 1024;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS row (
        shard INTEGER NOT NULL,
        key TEXT NOT NULL,
        ver INTEGER NOT NULL,
        doc TEXT NOT NULL,
        PRIMARY KEY (shard, key)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), ver INTEGER NOT NULL);
    INSERT OR IGNORE INTO counter VALUES (0, 0);
";

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Read {
    Get { shard: Shard, key: String, reply: Reply<Option<Row>> },
    Range { shard: Shard, from: String, below: String, limit: usize, reply: Reply<Vec<Row>> },
}

struct Write {
    shard: Shard,
    ops: Vec<Op>,
    reply: Reply<Vec<Version>>,
}

#[derive(Debug)]
pub struct Sqlite {
    reads: mpsc::Sender<Read>,
    writes: mpsc::Sender<Write>,
    /// Held by `serve`, so that a second one on the same file is refused.
    _lock: Option<File>,
}

/// Who opens the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The one that serves.
    Server,
    /// A command beside it.
    Command,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another acr-fanin serves from {} already: stop it, or give another file with --db", .0.display())]
    Served(PathBuf),
    #[error("{} cannot be opened as a database: {error}", .path.display())]
    Database { path: PathBuf, error: rusqlite::Error },
    #[error("{} cannot be locked: {error}", .path.display())]
    Lock { path: PathBuf, error: std::io::Error },
    #[error("no thread could be started for the database: {0}")]
    Thread(std::io::Error),
}

impl Sqlite {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// [`OpenError`], as it says.
    pub fn open(path: &Path, access: Access) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Database { path: path.to_owned(), error };
        create(path);
        let writer = connect(path).map_err(failed)?;
        let lock = match access {
            Access::Server => Some(lock(path)?),
            Access::Command => None,
        };
        writer.execute_batch(SCHEMA).map_err(failed)?;
        let reader = connect(path).map_err(failed)?;
        let (reads, read_queue) = mpsc::channel();
        let (writes, write_queue) = mpsc::channel();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(OpenError::Thread)
        };
        spawn("sqlite-read", Box::new(move || read_all(&reader, &read_queue)))?;
        spawn("sqlite-write", Box::new(move || write_all(&writer, &write_queue)))?;
        Ok(Self { reads, writes, _lock: lock })
    }
}

/// Makes the file its owner's alone before SQLite makes it anybody's: logs of jobs lie in it, and the key of their
/// names. What SQLite puts beside it has the mode of the file. One that is there is left as it is, and what cannot
/// be made SQLite will complain about.
fn create(path: &Path) {
    if path.exists() {
        return;
    }
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
}

/// Locks the file's own name: a link to it is another name for the same lock. The file is there already.
fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Lock { path: path.to_owned(), error };
    let mut name = path.canonicalize().map_err(failed)?.into_os_string();
    name.push(".lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Served(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Without this every new value of a bound parameter makes SQLite plan a range read anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_KEPT_IN_WAL)?;
    Ok(connection)
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(format!("SQLite: {error}"))
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        key: row.get(0)?,
        version: Version(row.get::<_, i64>(1)?.to_string()),
        doc: row.get(2)?,
    })
}

fn read_all(connection: &Connection, queue: &mpsc::Receiver<Read>) {
    while let Ok(read) = queue.recv() {
        // Whoever asked may be gone; that is his affair.
        match read {
            Read::Get { shard, key, reply } => {
                drop(reply.send(get(connection, shard, &key).map_err(unavailable)))
            }
            Read::Range { shard, from, below, limit, reply } => {
                drop(
                    reply.send(range(connection, shard, &from, &below, limit).map_err(unavailable)),
                );
            }
        }
    }
}

fn get(connection: &Connection, shard: Shard, key: &str) -> rusqlite::Result<Option<Row>> {
    let mut statement =
        connection.prepare_cached("SELECT key, ver, doc FROM row WHERE shard = ? AND key = ?")?;
    statement.query_row(params![shard.index(), key], row).optional()
}

fn range(
    connection: &Connection,
    shard: Shard,
    from: &str,
    below: &str,
    limit: usize,
) -> rusqlite::Result<Vec<Row>> {
    let sql = "SELECT key, ver, doc FROM row WHERE shard = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map(params![shard.index(), from, below, limit], row)?.collect()
}

fn write_all(connection: &Connection, queue: &mpsc::Receiver<Write>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(GROUP_MAX - 1));
        // Whoever gave up has been told so, or comes again: a disk that stalled does not owe him this.
        group.retain(|write| !write.reply.is_closed());
        if group.is_empty() {
            continue;
        }
        let results = commit(connection, &group);
        for (i, write) in group.into_iter().enumerate() {
            let result = match &results {
                Ok(results) => results.get(i).cloned().unwrap_or(Err(StoreError::Conflict)),
                Err(error) => Err(StoreError::Unavailable(format!("SQLite: {error}"))),
            };
            drop(write.reply.send(result));
        }
    }
}

/// One transaction for the whole group; dropped without a commit, it is rolled back.
fn commit(
    connection: &Connection,
    group: &[Write],
) -> rusqlite::Result<Vec<Result<Vec<Version>, StoreError>>> {
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let mut version: i64 =
        transaction.query_row("SELECT ver FROM counter", [], |row| row.get(0))?;
    let mut results = Vec::with_capacity(group.len());
    for Write { shard, ops, .. } in group {
        let holds = ops
            .iter()
            .map(|op| holds(&transaction, *shard, op))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        if holds.contains(&false) {
            results.push(Err(StoreError::Conflict));
            continue;
        }
        version += 1;
        for op in ops {
            apply(&transaction, *shard, op, version)?;
        }
        results.push(Ok(vec![Version(version.to_string()); ops.len()]));
    }
    transaction.execute("UPDATE counter SET ver = ?", [version])?;
    transaction.commit()?;
    Ok(results)
}

fn holds(connection: &Connection, shard: Shard, op: &Op) -> rusqlite::Result<bool> {
    if matches!(op, Op::Put { .. }) {
        return Ok(true);
    }
    let mut statement =
        connection.prepare_cached("SELECT ver FROM row WHERE shard = ? AND key = ?")?;
    let found: Option<i64> =
        statement.query_row(params![shard.index(), op.key()], |row| row.get(0)).optional()?;
    Ok(match op {
        Op::Insert { .. } => found.is_none(),
        Op::Replace { version, .. } | Op::Delete { version: Some(version), .. } => {
            found.is_some_and(|found| version.0 == found.to_string())
        }
        Op::Delete { version: None, .. } => found.is_some(),
        Op::Put { .. } => true,
    })
}

fn apply(connection: &Connection, shard: Shard, op: &Op, version: i64) -> rusqlite::Result<()> {
    match op {
        Op::Insert { key, doc } | Op::Replace { key, doc, .. } | Op::Put { key, doc } => {
            let sql = "INSERT OR REPLACE INTO row (shard, key, ver, doc) VALUES (?, ?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![shard.index(), key, version, doc])
        }
        Op::Delete { key, .. } => {
            let sql = "DELETE FROM row WHERE shard = ? AND key = ?";
            connection.prepare_cached(sql)?.execute(params![shard.index(), key])
        }
    }?;
    Ok(())
}

fn gone<E>(_: E) -> StoreError {
    StoreError::Unavailable("SQLite: the database's thread has ended".to_owned())
}

#[async_trait]
impl Rows for Sqlite {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.reads.send(Read::Get { shard, key: key.to_owned(), reply }).map_err(gone)?;
        answer.await.map_err(gone)?
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let (from, below) = (from.to_owned(), below.to_owned());
        self.reads.send(Read::Range { shard, from, below, limit, reply }).map_err(gone)?;
        answer.await.map_err(gone)?
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.writes.send(Write { shard, ops, reply }).map_err(gone)?;
        answer.await.map_err(gone)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_second_server_is_refused_whatever_it_calls_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.db"), folder.path().join("b.db"));
        // The link is there before the file is.
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let first = Sqlite::open(&link, Access::Server).unwrap();
        for name in [&file, &link, &folder.path().join("./a.db")] {
            let second = Sqlite::open(name, Access::Server);
            assert!(matches!(second, Err(OpenError::Served(_))), "{second:?}");
            Sqlite::open(name, Access::Command).unwrap();
        }
        drop(first);
        Sqlite::open(&file, Access::Server).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn a_new_file_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        let _new = Sqlite::open(&folder.path().join("new.db"), Access::Server).unwrap();
        for name in ["new.db", "new.db-wal", "new.db-shm"] {
            assert_eq!(mode(name), 0o600, "{name}");
        }
        let old = folder.path().join("old.db");
        File::create(&old).unwrap().set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
        let _old = Sqlite::open(&old, Access::Server).unwrap();
        for name in ["old.db", "old.db-wal", "old.db-shm"] {
            assert_eq!(mode(name), 0o640, "{name}");
        }
    }

    #[test]
    fn a_write_that_nobody_waits_for_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("a.db")).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let (writes, queue) = mpsc::channel();
        let shard = Shard::of(0);
        let write = |key: &str| {
            let (reply, answer) = oneshot::channel();
            let ops = vec![Op::Put { key: key.to_owned(), doc: "{}".to_owned() }];
            writes.send(Write { shard, ops, reply }).unwrap();
            answer
        };
        drop(write("given up"));
        let waited_for = write("waited for");
        drop(write("given up too"));
        drop(writes);
        write_all(&connection, &queue);
        assert!(waited_for.blocking_recv().unwrap().is_ok());
        let keys: Vec<_> = range(&connection, shard, "", "~", 9).unwrap();
        assert_eq!(keys.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["waited for"]);
    }
}
