//! One suite for all stores: whatever holds rows keeps the same promises.

use acr_fanin::boot;
use acr_fanin::config::Storage;
use acr_fanin::ports::{Op, Rows, StoreError, Version};
use acr_fanin::secret::Secret;
use acr_fanin::store::azure_table::AzureTable;
use acr_fanin::store::sqlite::Access;
use fan_in::Shard;
use std::sync::Arc;

fn insert(key: &str, doc: &str) -> Op {
    Op::Insert { key: key.to_owned(), doc: doc.to_owned() }
}

fn put(key: &str, doc: &str) -> Op {
    Op::Put { key: key.to_owned(), doc: doc.to_owned() }
}

fn replace(key: &str, doc: &str, version: &Version) -> Op {
    Op::Replace { key: key.to_owned(), doc: doc.to_owned(), version: version.clone() }
}

fn delete(key: &str, version: Option<&Version>) -> Op {
    Op::Delete { key: key.to_owned(), version: version.cloned() }
}

const SHARD: fn() -> Shard = || Shard::of(3);

async fn doc(rows: &dyn Rows, key: &str) -> Option<String> {
    rows.get(SHARD(), key).await.unwrap().map(|row| row.doc)
}

async fn version(rows: &dyn Rows, key: &str) -> Version {
    rows.get(SHARD(), key).await.unwrap().unwrap().version
}

async fn what_is_written_is_read(rows: &dyn Rows) {
    assert_eq!(rows.get(SHARD(), "p:none").await, Ok(None));
    let long = "{\"a\":\"ü😀\\n\"}".repeat(9_000);
    rows.write(SHARD(), vec![insert("p:1", &long), put("!0000000000001ab", "{}")]).await.unwrap();
    assert_eq!(doc(rows, "p:1").await, Some(long));
    assert_eq!(doc(rows, "!0000000000001ab").await.as_deref(), Some("{}"));
    assert_eq!(rows.get(Shard::of(4), "p:1").await, Ok(None), "shards are apart");
}

async fn an_insert_of_a_row_that_is_there_is_a_conflict(rows: &dyn Rows) {
    rows.write(SHARD(), vec![insert("p:1", "a")]).await.unwrap();
    assert_eq!(rows.write(SHARD(), vec![insert("p:1", "b")]).await, Err(StoreError::Conflict));
    assert_eq!(doc(rows, "p:1").await.as_deref(), Some("a"));
}

async fn a_write_returns_the_version_that_the_next_one_needs(rows: &dyn Rows) {
    let first = rows.write(SHARD(), vec![put("d:1", "x"), insert("p:1", "a")]).await.unwrap();
    assert_eq!(first[1], version(rows, "p:1").await);
    let second = rows.write(SHARD(), vec![replace("p:1", "b", &first[1])]).await.unwrap();
    assert_ne!(first[1], second[0]);
    let stale = rows.write(SHARD(), vec![replace("p:1", "c", &first[1])]).await;
    assert_eq!(stale, Err(StoreError::Conflict));
    rows.write(SHARD(), vec![replace("p:1", "c", &second[0])]).await.unwrap();
    assert_eq!(doc(rows, "p:1").await.as_deref(), Some("c"));
}

async fn a_transaction_is_all_or_nothing(rows: &dyn Rows) {
    rows.write(SHARD(), vec![insert("p:1", "a"), insert("p:2", "a")]).await.unwrap();
    let mixed =
        vec![put("d:1", "new"), insert("t:1", "new"), delete("p:2", None), insert("p:1", "b")];
    assert_eq!(rows.write(SHARD(), mixed).await, Err(StoreError::Conflict));
    assert_eq!(doc(rows, "d:1").await, None);
    assert_eq!(doc(rows, "t:1").await, None);
    assert_eq!(doc(rows, "p:2").await.as_deref(), Some("a"));
}

async fn a_delete_needs_the_row_and_its_version_if_one_is_given(rows: &dyn Rows) {
    assert_eq!(rows.write(SHARD(), vec![delete("p:1", None)]).await, Err(StoreError::Conflict));
    let old = rows.write(SHARD(), vec![insert("p:1", "a")]).await.unwrap().remove(0);
    let new = rows.write(SHARD(), vec![put("p:1", "b")]).await.unwrap().remove(0);
    assert_eq!(
        rows.write(SHARD(), vec![delete("p:1", Some(&old))]).await,
        Err(StoreError::Conflict)
    );
    rows.write(SHARD(), vec![delete("p:1", Some(&new))]).await.unwrap();
    rows.write(SHARD(), vec![insert("p:1", "c")]).await.unwrap();
    assert_eq!(
        rows.write(SHARD(), vec![delete("p:1", Some(&new))]).await,
        Err(StoreError::Conflict)
    );
    rows.write(SHARD(), vec![delete("p:1", None)]).await.unwrap();
    assert_eq!(doc(rows, "p:1").await, None);
}

async fn a_replace_of_a_missing_row_is_a_conflict(rows: &dyn Rows) {
    let old = rows.write(SHARD(), vec![insert("p:1", "a")]).await.unwrap().remove(0);
    rows.write(SHARD(), vec![delete("p:1", None)]).await.unwrap();
    assert_eq!(
        rows.write(SHARD(), vec![replace("p:1", "b", &old)]).await,
        Err(StoreError::Conflict)
    );
}

async fn a_range_is_ordered_bounded_and_limited(rows: &dyn Rows) {
    let keys: Vec<String> = (0..90).map(|i| format!("d:{i:013}")).collect();
    rows.write(SHARD(), keys.iter().rev().map(|key| put(key, key)).collect()).await.unwrap();
    rows.write(SHARD(), vec![put("!1", "x"), put("p:1", "x"), put("d;", "x")]).await.unwrap();
    let range = async |from: &str, below: &str, limit| -> Vec<String> {
        rows.range(SHARD(), from, below, limit)
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.key)
            .collect()
    };
    assert_eq!(range("d:", "d;", 1_000).await, keys);
    assert_eq!(range("d:", "d;", usize::MAX).await, keys);
    assert_eq!(range(&keys[10], &keys[20], 1_000).await, keys[10..20]);
    assert_eq!(range(&keys[10], &keys[20], 3).await, keys[10..13]);
    assert_eq!(range("!", "\"", 10).await, ["!1"]);
    assert_eq!(range("d;", "d:", 10).await, [""; 0]);
    assert_eq!(rows.range(Shard::of(9), "!", "z", 10).await, Ok(vec![]));
}

async fn of_many_writers_with_one_version_one_wins(rows: Arc<dyn Rows>) {
    let version = rows.write(SHARD(), vec![insert("p:1", "0")]).await.unwrap().remove(0);
    let rivals = (0..12).map(|i| {
        let (rows, version) = (Arc::clone(&rows), version.clone());
        let ops = vec![replace("p:1", "x", &version), insert(&format!("d:{i}"), "x")];
        tokio::spawn(async move { rows.write(SHARD(), ops).await })
    });
    let mut won = 0;
    for rival in rivals.collect::<Vec<_>>() {
        match rival.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error, StoreError::Conflict),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(
        rows.range(SHARD(), "d:", "d;", 100).await.unwrap().len(),
        1,
        "the losers left nothing behind"
    );
}

async fn the_clock_goes_on(rows: &dyn Rows) {
    let year = std::time::Duration::from_secs(365 * 86_400);
    let (before, _) = (rows.now(), rows.get(SHARD(), "p:1").await.unwrap());
    assert!(before.as_millis() > 0 && rows.now() + year > before);
}

/// Runs every case on fresh rows.
async fn suite(fresh: impl AsyncFn() -> Arc<dyn Rows>) {
    what_is_written_is_read(&*fresh().await).await;
    an_insert_of_a_row_that_is_there_is_a_conflict(&*fresh().await).await;
    a_write_returns_the_version_that_the_next_one_needs(&*fresh().await).await;
    a_transaction_is_all_or_nothing(&*fresh().await).await;
    a_delete_needs_the_row_and_its_version_if_one_is_given(&*fresh().await).await;
    a_replace_of_a_missing_row_is_a_conflict(&*fresh().await).await;
    a_range_is_ordered_bounded_and_limited(&*fresh().await).await;
    of_many_writers_with_one_version_one_wins(fresh().await).await;
    the_clock_goes_on(&*fresh().await).await;
}

#[tokio::test]
async fn memory_keeps_the_promises_of_a_store() {
    suite(async || boot::memory_rows()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_promises_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    suite(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        boot::sqlite_rows(&folder.path().join(format!("{number}.db")), Access::Server).unwrap()
    })
    .await;
}

#[tokio::test]
async fn azure_tables_keep_the_promises_of_a_store() {
    let storage = Storage::ConnectionString(Secret::new(azurite::shared().connection_string()));
    suite(async || {
        let table = format!("t{:016x}", fastrand::u64(..));
        Arc::new(AzureTable::new(&storage, &table, None).unwrap()) as Arc<dyn Rows>
    })
    .await;
}

#[tokio::test]
async fn a_second_server_on_one_sqlite_file_is_refused_and_a_command_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fanin.db");
    let server = boot::sqlite_rows(&path, Access::Server).unwrap();
    server.write(SHARD(), vec![insert("p:1", "a")]).await.unwrap();
    let refusal = boot::sqlite_rows(&path, Access::Server).unwrap_err().to_string();
    assert!(refusal.contains("fanin.db") && refusal.contains("--db"), "{refusal}");
    let command = boot::sqlite_rows(&path, Access::Command).unwrap();
    assert_eq!(doc(&*command, "p:1").await.as_deref(), Some("a"));
    drop(server);
    assert!(
        boot::sqlite_rows(&path, Access::Server).is_ok(),
        "a server that has ended does not block the next"
    );
}
