//! Whatever comes from outside: the claims of the fuzz targets on every run, a storm of spoilt requests against
//! the real binary in both homes, the cases that servers are attacked with, and secrets that must not show.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
mod echo;
mod mutate;
mod process;
mod raw;
mod secrets;
mod smuggling;
mod storm;
mod tables;
#[expect(unreachable_pub, reason = "the fuzz targets use it, too")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;
