//! A client for Azure Table Storage on the official `azure_core`.
//!
//! ```no_run
//! use azure_data_tables::{ConnectionString, IfMatch, TableClient, TableClientOptions, http_client};
//! use std::time::Duration;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Order {
//!     state: String,
//! }
//!
//! # async fn example() -> Result<(), azure_data_tables::Error> {
//! let storage = ConnectionString::parse("UseDevelopmentStorage=true")?;
//! let http = http_client(Duration::from_secs(10))?;
//! let orders = TableClient::new(
//!     storage.table_endpoint()?,
//!     "orders",
//!     storage.credential().clone(),
//!     http,
//!     TableClientOptions::default(),
//! )?;
//! orders.create_table().await?;
//! orders.insert("2026-11", "1", &Order { state: "new".to_owned() }).await?;
//! if let Some(order) = orders.get::<Order>("2026-11", "1", None).await? {
//!     let paid = Order { state: "paid".to_owned() };
//!     orders.replace("2026-11", "1", &paid, &IfMatch::Tag(order.etag)).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it promises:
//! - One call is one request. Nothing is retried here: only the caller knows whether a write may be
//!   repeated.
//! - [`ErrorKind`] says what the caller has to do next, above all whether a write may have
//!   happened.
//! - What the service would refuse, or what would change the meaning of a request, is refused
//!   before sending.
//! - Neither `Debug` nor `Display` of anything here shows a key, a signature or a signed address.
#![forbid(unsafe_code)]

mod answer;
mod auth;
mod batch;
mod client;
mod connection_string;
mod endpoint;
mod entity;
mod error;
mod http;
mod limits;
mod multipart;
mod operation;
mod query;
mod transaction;

pub use auth::Credential;
pub use azure_core::{
    credentials::Secret,
    http::{Etag, Url},
    time::OffsetDateTime,
};
pub use client::TableClient;
pub use connection_string::ConnectionString;
pub use entity::Entity;
pub use error::{Error, ErrorKind};
pub use http::{DateObserver, TableClientOptions, http_client};
pub use operation::IfMatch;
pub use query::{Continuation, Filter, Page, QueryOptions};
pub use transaction::Transaction;

/// What every call returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
