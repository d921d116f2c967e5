//! Every recording of a real host, played through this one.
//!
//! A recording says what was done to the host and what the handler answered; the rest (what the
//! handler got to see, what the caller got, what stood in the queue) must come out the same, but
//! for ids, times and ports.
//!
//! Recorded on 2026-11-20 with the Azure Functions host 4.1037, the Storage Queues extension 5.3
//! and Azurite 3.35.0. How long something took is not compared: where the recorded app had a
//! `functionTimeout` of 17 seconds, the app here has two.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod compare;
mod fake;
mod messages;
mod over_http;
mod process;
mod recording;
mod timers;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use functions_host::HostBuilder;

/// The app that was recorded.
fn app() -> HostBuilder {
    functions_host::Host::builder(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app"))
        .setting("HANDLER", env!("CARGO_BIN_EXE_scripted-handler"))
        .setting("AzureWebJobsStorage", "UseDevelopmentStorage=true")
        .setting("WAKE_QUEUE", "wake")
        .setting("NOTIFY_QUEUE", "notify")
        .setting("SCHEDULE", "*/15 * * * * *")
        .key("default", "SECRETKEY")
}

/// The app that was recorded, with a handler that the test plays.
fn app_with(handler: SocketAddr) -> HostBuilder {
    app().running_handler(handler)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Waits for something that is bound to happen.
async fn until(what: &str, mut is_it: impl FnMut() -> bool) {
    let waiting = async {
        while !is_it() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    assert!(waited.is_ok(), "{what} did not happen");
}

#[test]
fn every_folder_of_recordings_has_its_test() {
    let names = std::fs::read_dir(fixtures()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let played = ["http", "answer", "queue", "out", "timer", "admin", "process.json"];
    assert_eq!(names.collect::<BTreeSet<_>>(), played.map(str::to_owned).into());
}
