//! kill -9 and a bad network: the real binary, killed at every request of a dozen scenarios and at random times
//! under load, and connected through a proxy that does to it what networks do.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alone;
mod arm;
mod azure;
mod check;
mod endurance;
mod faults;
mod home;
mod hook;
mod http;
mod kill_loop;
mod ledger;
mod process;
mod proxy;
mod registry;
mod scenarios;
mod sink;
mod standalone;
mod sweep;
mod table;
mod world;

/// How much of it, where one wants another measure than every run's.
#[expect(clippy::disallowed_methods, reason = "the tests' own settings")]
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Shown with `--nocapture`, or when a test fails.
#[expect(clippy::print_stdout, reason = "this is what the tests talk through")]
fn progress(line: &str) {
    println!("{line}");
}
