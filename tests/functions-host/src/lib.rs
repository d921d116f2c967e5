//! A small Azure Functions host for tests.
//!
//! It does what a real host does with a custom handler in JSON mode, as far as recordings of one
//! show it: `tests/fidelity.rs` plays every recording through the code that the end-to-end tests
//! of the handler use.
//!
//! ```no_run
//! # async fn example() -> Result<(), functions_host::HostError> {
//! let host = functions_host::Host::builder("app")
//!     .setting("AzureWebJobsStorage", "UseDevelopmentStorage=true")
//!     .key("default", "a key")
//!     .start()
//!     .await?;
//! // Call host.url("/api/…"), then run what that has caused.
//! host.pump_queue().await?;
//! host.tick("FanInTimer").await?;
//! host.stop().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod app;
mod builder;
mod clock;
mod core;
mod error;
mod front;
mod host;
mod in_flight;
pub mod json;
mod kestrel;
mod logs;
mod messages;
mod metadata;
mod newtonsoft;
mod queue;
mod request;
mod result;
mod route;
mod schedule;
mod settings;
mod storage;
mod supervisor;
mod timer;
pub mod wire;
mod worker;

pub use builder::HostBuilder;
pub use error::HostError;
pub use host::{Host, Orphan};
pub use logs::{LogLine, LogSource};
pub use storage::{Message, QueueClient, Storage};
