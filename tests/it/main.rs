//! Tests against real parts: servers on port 0, SQLite files, Azurite, the binary itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod app;
mod conformance;
mod containers;
mod counts;
mod deploys;
mod find;
mod functions;
mod guard;
mod image_push;
mod jobs;
mod logs;
mod protocol;
mod proxy;
mod standalone;
mod standalone_commands;
mod standalone_jobs;
mod support;
mod world;
