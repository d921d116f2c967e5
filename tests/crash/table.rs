//! What stands in the table, read past the product.

use azure_data_tables::{
    ConnectionString, Filter, QueryOptions, TableClient, TableClientOptions, http_client,
};
use serde_json::{Map, Value};
use std::time::Duration;

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
        self.keys_of(QueryOptions::default()).await
    }

    async fn keys_of(&self, mut query: QueryOptions) -> Vec<String> {
        let mut keys = Vec::new();
        loop {
            let page = self.0.query::<Map<String, Value>>(&query).await.unwrap();
            keys.extend(page.items.into_iter().map(|entity| entity.row_key));
            query.continuation = page.next;
            if query.continuation.is_none() {
                return keys;
            }
        }
    }

    pub(crate) async fn markers(&self) -> Vec<Marker> {
        let filter = Filter::expression("RowKey ge '!' and RowKey lt '\"'");
        let query = QueryOptions { filter: Some(filter), ..QueryOptions::default() };
        let keys = self.keys_of(query).await;
        let markers = keys.iter().filter_map(|key| {
            let (due, push) = key.strip_prefix('!')?.split_at(13);
            Some(Marker { due_ms: due.parse().unwrap(), push: push.to_owned() })
        });
        markers.collect()
    }
}
