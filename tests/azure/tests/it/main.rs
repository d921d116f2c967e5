//! Each trap of the real Azure that the fake must set, as a test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod client;
mod containers;
mod faults;
mod lacks;
mod logs;
mod operations;
mod secrets;
mod sign_in;
mod updates;
