//! The client of one table.

use crate::{
    ConnectionString, Credential, Entity, IfMatch, Page, QueryOptions, TableClientOptions,
    Transaction,
    answer::{Answer, Effect},
    batch::{self, Batch},
    endpoint::{self, Endpoint},
    entity,
    error::{Error, ErrorKind},
    http::Sender,
    limits,
    operation::{Operation, is_etag},
    query,
};
use azure_core::{
    Uuid,
    http::{Etag, HttpClient, Method, Request, Url},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{fmt, sync::Arc};

/// One table. Cheap to clone; clones share connections and token.
///
/// # Errors
/// Every call may fail with `Unavailable`, `Unauthorized`, `TableNotFound` and `Rejected`; a write
/// also with `Limit` (before sending) and `Ambiguous` (the answer was lost). What is special to a
/// call is said there.
#[derive(Clone)]
pub struct TableClient {
    endpoint: Endpoint,
    sender: Sender,
}

impl fmt::Debug for TableClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableClient")
            .field("endpoint", &self.endpoint.base().as_str())
            .field("table", &self.endpoint.table_name())
            .finish_non_exhaustive()
    }
}

impl TableClient {
    /// A client of `table` at `endpoint`, the account's Table service (an emulator's path has the
    /// account). Nothing is sent yet.
    ///
    /// `http` is the transport, best the one of [`crate::http_client`], shared by the whole
    /// process.
    ///
    /// # Errors
    /// `Config`: an endpoint that is neither https nor on this machine or that has a query, a table
    /// name or credential that cannot be.
    pub fn new(
        endpoint: Url,
        table: &str,
        credential: Credential,
        http: Arc<dyn HttpClient>,
        options: TableClientOptions,
    ) -> Result<Self, Error> {
        let endpoint = Endpoint::new(endpoint, table)?;
        let sender = Sender::new(&endpoint, credential, http, options)?;
        Ok(Self { endpoint, sender })
    }

    /// As [`TableClient::new`], with endpoint and credential of a connection string.
    ///
    /// # Errors
    /// `Config`, as [`TableClient::new`] and [`ConnectionString::table_endpoint`].
    pub fn from_connection_string(
        storage: &ConnectionString,
        table: &str,
        http: Arc<dyn HttpClient>,
        options: TableClientOptions,
    ) -> Result<Self, Error> {
        Self::new(storage.table_endpoint()?, table, storage.credential().clone(), http, options)
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        self.endpoint.table_name()
    }

    /// Creates the table; `false` when it was there already.
    ///
    /// # Errors
    /// `Unavailable` also while the service still deletes a table of that name.
    pub async fn create_table(&self) -> Result<bool, Error> {
        let body = json!({ "TableName": self.endpoint.table_name() }).to_string();
        let mut request = Request::new(self.endpoint.tables(), Method::Post);
        request.insert_header("prefer", "return-no-content");
        set_json(&mut request, body);
        match self.sender.send(request, Effect::Write).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("TableAlreadyExists") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads one entity, or only the properties of `select`; `None` when it does not exist.
    ///
    /// # Errors
    /// `Decode` when the entity does not fit `T`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        partition_key: &str,
        row_key: &str,
        select: Option<&[&str]>,
    ) -> Result<Option<Entity<T>>, Error> {
        limits::key("PartitionKey", partition_key)?;
        limits::key("RowKey", row_key)?;
        let mut url = self.endpoint.entity(partition_key, row_key);
        if let Some(names) = select {
            endpoint::set_query(&mut url, &[query::select(names)?]);
        }
        match self.sender.send(Request::new(url, Method::Get), Effect::Read).await {
            Ok(answer) => serde_json::from_slice(&answer.body)
                .map_err(|error| Error::decode(format!("an entity is no JSON: {error}")))
                .and_then(entity::decode)
                .map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Inserts an entity that must not exist.
    ///
    /// # Errors
    /// `EntityAlreadyExists`.
    pub async fn insert<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        row_key: &str,
        properties: &T,
    ) -> Result<Etag, Error> {
        self.put(partition_key, Operation::insert(partition_key, row_key, properties)?).await
    }

    /// Replaces all properties of an entity of that version.
    ///
    /// # Errors
    /// `PreconditionFailed` when it has another version, `NotFound` when it does not exist.
    pub async fn replace<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        row_key: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<Etag, Error> {
        self.put(partition_key, Operation::replace(partition_key, row_key, properties, if_match)?)
            .await
    }

    /// Replaces an entity whatever its version, or inserts it.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn upsert<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        row_key: &str,
        properties: &T,
    ) -> Result<Etag, Error> {
        self.put(partition_key, Operation::upsert(partition_key, row_key, properties)?).await
    }

    /// Changes the given properties of an entity of that version and keeps the others.
    ///
    /// # Errors
    /// As [`TableClient::replace`].
    pub async fn merge<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        row_key: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<Etag, Error> {
        self.put(partition_key, Operation::merge(partition_key, row_key, properties, if_match)?)
            .await
    }

    /// Changes the given properties of an entity whatever its version, or inserts it.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn upsert_merge<T: Serialize + ?Sized>(
        &self,
        partition_key: &str,
        row_key: &str,
        properties: &T,
    ) -> Result<Etag, Error> {
        self.put(partition_key, Operation::upsert_merge(partition_key, row_key, properties)?).await
    }

    /// Removes an entity of that version.
    ///
    /// # Errors
    /// As [`TableClient::replace`].
    pub async fn delete(
        &self,
        partition_key: &str,
        row_key: &str,
        if_match: &IfMatch,
    ) -> Result<(), Error> {
        self.write(partition_key, Operation::delete(partition_key, row_key, if_match)?)
            .await
            .map(drop)
    }

    /// Reads one page of entities. To read all, query again from [`Page::next`] until there is
    /// none.
    ///
    /// # Errors
    /// `Limit` for a page size or property name that cannot be, `Decode` when an entity does not
    /// fit `T`.
    pub async fn query<T: DeserializeOwned>(
        &self,
        options: &QueryOptions,
    ) -> Result<Page<T>, Error> {
        let url = self.endpoint.entities(&options.pairs()?);
        let answer = self.sender.send(Request::new(url, Method::Get), Effect::Read).await?;
        Page::read(&answer)
    }

    /// Makes all writes of a transaction, or none. Returns the new version of each entity in the
    /// order of the operations, none for a removed one.
    ///
    /// # Errors
    /// That of the first operation that cannot be made, which [`Error::operation`] names; then
    /// nothing was written. `Limit` for an empty transaction and for one of more than 4 MiB.
    pub async fn transact(&self, transaction: &Transaction) -> Result<Vec<Option<Etag>>, Error> {
        let batch = Batch::new(transaction, &self.endpoint, &Uuid::new_v4().to_string())?;
        let mut request = Request::new(self.endpoint.batch(), Method::Post);
        request.insert_header("content-type", batch.content_type);
        request.set_body(batch.body);
        let answer = self.sender.send(request, Effect::Write).await?;
        batch::outcome(&answer, transaction.operations())
    }

    /// A write that leaves an entity, whose version the answer must name.
    async fn put(&self, partition_key: &str, operation: Operation) -> Result<Etag, Error> {
        let answer = self.write(partition_key, operation).await?;
        answer.header("etag").filter(|tag| is_etag(tag)).map(Etag::from).ok_or_else(|| {
            Error::new(
                Effect::Write.unreadable(),
                "the entity was written, but the answer has no ETag",
            )
        })
    }

    async fn write(&self, partition_key: &str, operation: Operation) -> Result<Answer, Error> {
        let url = operation.url(&self.endpoint, partition_key);
        let mut request = Request::new(url, operation.method);
        if operation.method == Method::Post {
            request.insert_header("prefer", "return-no-content");
        }
        if let Some(tag) = operation.if_match {
            request.insert_header("if-match", tag);
        }
        if let Some(body) = operation.body {
            set_json(&mut request, body);
        }
        self.sender.send(request, Effect::Write).await
    }
}

fn set_json(request: &mut Request, body: String) {
    request.insert_header("content-type", "application/json");
    request.set_body(body);
}
