//! kill -9 and a bad network: the real binary, killed at every request of ten scenarios and at random times
//! under load, and connected through a proxy that does to it what networks do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;
mod hook;
mod http;
mod process;
mod proxy;
mod scenarios;
mod sink;
mod sweep;
mod table;
mod world;
