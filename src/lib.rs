//! acr-fanin: one notice when an image is in every region.
//!
//! Start reading at [`app`], the use cases; [`ports`] says what they need of the world, `boot` puts the
//! two together for the two homes, [`functions`] and [`standalone`]. `docs/ARCHITECTURE.md` is the map.

pub mod address;
pub mod answer;
pub mod api;
pub mod app;
pub mod azure;
pub mod boot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod functions;
#[doc(hidden)]
pub mod fuzzing;
pub mod intake;
pub mod keys;
pub mod limits;
pub mod ports;
mod redact;
pub mod retry_after;
pub mod secret;
mod server;
pub mod sink;
pub mod standalone;
pub mod store;
pub mod telemetry;
