//! What stands in the table, read past the product.

use azure_data_tables::{
    ConnectionString, Entity, ErrorKind, Filter, Page, QueryOptions, TableClient,
    TableClientOptions, http_client,
};
use serde_json::{Map, Value};
use std::time::Duration;

/// Of one page.
const TRIES: u32 = 5;

/// A due marker: when there is work, in milliseconds, and for which push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) due_ms: i64,
    pub(crate) push: String,
}

#[derive(Debug)]
pub(crate) struct Table(TableClient);

impl Table {
    pub(crate) fn new(connection: &str, name: &str) -> Self {
        let connection = ConnectionString::parse(connection).unwrap();
        let (endpoint, credential) =
            (connection.table_endpoint().unwrap(), connection.credential().clone());
        let http = http_client(Duration::from_secs(30)).unwrap();
        let options = TableClientOptions::default().with_timeout(Duration::from_secs(30));
        Self(TableClient::new(endpoint, name, credential, http, options).unwrap())
    }

    pub(crate) async fn create(&self) {
        self.0.create_table().await.unwrap();
    }

    /// All keys.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let entities = self.entities(QueryOptions::default()).await;
        entities.into_iter().map(|entity| entity.row_key).collect()
    }

    /// All that stands there.
    pub(crate) async fn text(&self) -> String {
        format!("{:?}", self.entities(QueryOptions::default()).await)
    }

    /// Azurite may close a connection at the moment when it is used again, and be busy; to read once more does no harm.
    async fn page(&self, query: &QueryOptions) -> Page<Map<String, Value>> {
        for _ in 1..TRIES {
            match self.0.query(query).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {}
                page => return page.unwrap(),
            }
        }
        self.0.query(query).await.unwrap()
    }

    async fn entities(&self, mut query: QueryOptions) -> Vec<Entity<Map<String, Value>>> {
        let mut entities = Vec::new();
        loop {
            let page = self.page(&query).await;
            entities.extend(page.items);
            query.continuation = page.next;
            if query.continuation.is_none() {
                return entities;
            }
        }
    }

    pub(crate) async fn markers(&self) -> Vec<Marker> {
        let filter = Filter::expression("RowKey ge '!' and RowKey lt '\"'");
        let query = QueryOptions { filter: Some(filter), ..QueryOptions::default() };
        let entities = self.entities(query).await;
        let markers = entities.iter().filter_map(|entity| {
            let (due, push) = entity.row_key.strip_prefix('!')?.split_at(13);
            Some(Marker { due_ms: due.parse().unwrap(), push: push.to_owned() })
        });
        markers.collect()
    }
}
