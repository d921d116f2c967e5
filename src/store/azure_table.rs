//! Rows in Azure Table Storage: a shard is a partition, a row an entity, a transaction an entity-group
//! transaction. The JSON of a row stands in as many string properties as it needs.

use crate::azure::credential;
use crate::clock;
use crate::config::Storage;
use crate::limits::STORAGE_REQUEST;
use crate::ports::{Op, Row, Rows, StoreError, Version};
use async_trait::async_trait;
use azure_data_tables::{
    ConnectionString, Entity, Error, ErrorKind, Etag, Filter, IfMatch, OffsetDateTime,
    QueryOptions, TableClient, TableClientOptions, Transaction, http_client,
};
use fan_in::{Shard, Timestamp};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Mutex;
use url::Url;

/// A string property holds 32,768 UTF-16 units; a text has no more of them than bytes.
const PROPERTY_MAX: usize = 30_000;
/// Entities of one answer: the service's own limit.
const PAGE_MAX: u32 = 1_000;
/// Our clock may be so far ahead of the service's `Date`, which has whole seconds and travels to us.
const AHEAD_MILLIS: i64 = 2_000;

#[derive(Debug)]
pub struct AzureTable {
    client: TableClient,
    /// The service's clock less ours, in milliseconds; 0 while they agree.
    skew: Arc<AtomicI64>,
    /// Held while the table is being created, so that it is done once.
    creating: Mutex<()>,
}

impl AzureTable {
    /// `authority_host` is the sign-in service, where it is another than the public cloud's.
    ///
    /// # Errors
    /// When the settings do not fit together or no HTTP client can be made. The service is not asked.
    pub fn new(
        storage: &Storage,
        table: &str,
        authority_host: Option<&Url>,
    ) -> anyhow::Result<Self> {
        let http = http_client(STORAGE_REQUEST)?;
        let (endpoint, credential) = match storage {
            Storage::ConnectionString(text) => {
                let parsed = ConnectionString::parse(text.expose())?;
                (parsed.table_endpoint()?, parsed.credential().clone())
            }
            Storage::Identity { table_endpoint, identity } => {
                let token = credential::shared(identity, authority_host)?;
                (table_endpoint.clone(), azure_data_tables::Credential::Token(token))
            }
        };
        let skew = Arc::new(AtomicI64::new(0));
        let heard = Arc::clone(&skew);
        let options =
            TableClientOptions::default().with_timeout(STORAGE_REQUEST).with_on_date(move |date| {
                let skew = heard.load(Ordering::Relaxed);
                heard.store(corrected(skew, date, clock::now()), Ordering::Relaxed);
            });
        let client = TableClient::new(endpoint, table, credential, http, options)?;
        Ok(Self { client, skew, creating: Mutex::default() })
    }

    /// Creates the table after somebody found it missing.
    async fn create_table(&self) -> Result<(), StoreError> {
        let _once = self.creating.lock().await;
        if self.client.create_table().await.map_err(store_error)? {
            tracing::info!(table = self.client.table(), "created the table");
        }
        Ok(())
    }

    async fn page(
        &self,
        query: &QueryOptions,
    ) -> Result<azure_data_tables::Page<Map<String, Value>>, StoreError> {
        match self.client.query(query).await {
            Err(error) if error.kind() == ErrorKind::TableNotFound => {
                self.create_table().await?;
                self.client.query(query).await.map_err(store_error)
            }
            page => page.map_err(store_error),
        }
    }
}

/// The skew stays while our clock with it agrees with the service's as far as the header tells: one that
/// were found anew with every whole second would make time go back and forth.
fn corrected(skew: i64, date: OffsetDateTime, now: Timestamp) -> i64 {
    let date = date.unix_timestamp().saturating_mul(1_000);
    let now = now.as_millis();
    now.saturating_add(skew).clamp(date, date.saturating_add(AHEAD_MILLIS)) - now
}

fn partition(shard: Shard) -> String {
    format!("{:x}", shard.index())
}

fn properties(doc: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut rest = doc;
    while !rest.is_empty() {
        let (part, more) = rest.split_at(rest.floor_char_boundary(PROPERTY_MAX));
        properties.insert(format!("d{}", properties.len()), part.into());
        rest = more;
    }
    properties
}

fn row(entity: &Entity<Map<String, Value>>) -> Row {
    let mut doc = String::new();
    let mut part = 0;
    while let Some(text) = entity.properties.get(&format!("d{part}")).and_then(Value::as_str) {
        doc += text;
        part += 1;
    }
    Row { key: entity.row_key.clone(), version: Version(entity.etag.to_string()), doc }
}

fn store_error(error: Error) -> StoreError {
    match error.kind() {
        ErrorKind::EntityAlreadyExists | ErrorKind::PreconditionFailed | ErrorKind::NotFound => {
            StoreError::Conflict
        }
        // A credential can be mended while we wait.
        ErrorKind::Unavailable
        | ErrorKind::Ambiguous
        | ErrorKind::Unauthorized
        | ErrorKind::TableNotFound => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Broken(error.to_string()),
    }
}

fn transaction(shard: Shard, ops: &[Op]) -> Result<Transaction, Error> {
    let tag = |version: &Version| IfMatch::Tag(Etag::from(version.0.clone()));
    let mut transaction = Transaction::new(partition(shard));
    for op in ops {
        match op {
            Op::Insert { key, doc } => transaction.insert(key, &properties(doc))?,
            Op::Replace { key, doc, version } => {
                transaction.replace(key, &properties(doc), &tag(version))?
            }
            Op::Put { key, doc } => transaction.upsert(key, &properties(doc))?,
            Op::Delete { key, version } => {
                transaction.delete(key, &version.as_ref().map_or(IfMatch::Any, tag))?
            }
        };
    }
    Ok(transaction)
}

#[async_trait]
impl Rows for AzureTable {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(
            clock::now().as_millis().saturating_add(self.skew.load(Ordering::Relaxed)),
        )
    }

    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError> {
        match self.client.get(&partition(shard), key, None).await {
            Ok(entity) => Ok(entity.as_ref().map(row)),
            // Nobody has written anything yet: the first write creates it.
            Err(error) if error.kind() == ErrorKind::TableNotFound => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let filter = Filter::partition(&partition(shard)).rows_from(from).rows_before(below);
        let mut query = QueryOptions { filter: Some(filter), ..QueryOptions::default() };
        let mut rows = Vec::new();
        loop {
            let wanted = u32::try_from(limit - rows.len()).unwrap_or(PAGE_MAX);
            query.top = Some(wanted.min(PAGE_MAX));
            let page = self.page(&query).await?;
            rows.extend(page.items.iter().map(row));
            match page.next {
                Some(next) if rows.len() < limit => query.continuation = Some(next),
                _ => break,
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }

    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError> {
        let transaction = transaction(shard, &ops).map_err(store_error)?;
        let written = match self.client.transact(&transaction).await {
            Err(error) if error.kind() == ErrorKind::TableNotFound => {
                self.create_table().await?;
                self.client.transact(&transaction).await
            }
            written => written,
        };
        let tags = written.map_err(store_error)?;
        Ok(tags
            .into_iter()
            .map(|tag| Version(tag.map(|tag| tag.to_string()).unwrap_or_default()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_spread_over_properties_at_character_boundaries() {
        let doc = "ü😀".repeat(12_000);
        let parts = properties(&doc);
        assert!(
            parts.len() > 2
                && parts.values().all(|p| p.as_str().unwrap().encode_utf16().count() <= 32_768)
        );
        let entity = Entity {
            partition_key: "0".to_owned(),
            row_key: "p:1".to_owned(),
            etag: Etag::from("W/\"1\""),
            properties: parts,
        };
        assert_eq!(row(&entity).doc, doc);
    }

    #[test]
    fn a_clock_that_is_off_is_set_right_by_the_services() {
        let date = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        let now_by = |local| local + corrected(0, date, Timestamp::from_millis(local));
        assert_eq!(now_by(1_000_500), 1_000_500);
        assert_eq!(now_by(400_000), 1_000_000);
        assert_eq!(now_by(1_600_000), 1_002_000);
    }

    #[test]
    fn a_clock_that_was_set_right_does_not_go_back() {
        // Ours is 100.3 s behind; answers come every 100 ms, and the header has whole seconds.
        let (mut skew, mut last) = (0, 0);
        for local in (1_000_000..1_010_000).step_by(100) {
            let date = OffsetDateTime::from_unix_timestamp((local + 100_300) / 1_000).unwrap();
            assert!(local + skew >= last, "before the answer");
            skew = corrected(skew, date, Timestamp::from_millis(local));
            assert!(local + skew >= last, "after the answer");
            last = local + skew;
        }
        assert_eq!(skew, 100_300);
    }
}
