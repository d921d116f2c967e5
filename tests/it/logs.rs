//! What becomes of log lines.

use crate::support::{Standalone, acr_push, parse};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_server_whose_log_nobody_reads_answers_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever holds this reads no further than the line that says where the server is.
    let reading = Arc::new(Mutex::new(()));
    let reader = Arc::clone(&reading);
    let nobody_reads = reading.lock().unwrap();
    let settings = [("WebhookRegions", "northeurope,westeurope")];
    let server = Standalone::start_seen_by(folder.path(), &settings, move |line| {
        if parse(line)["address"].is_string() {
            drop(reader.lock());
        }
    });
    // Let go before the server is, however this test ends: its reader is waited for.
    let nobody_reads = nobody_reads;
    // A pipe holds 64 KiB.
    for number in 0..300 {
        let tag = format!("v{number}-{}", "x".repeat(100));
        let body = acr_push(&number.to_string(), "app", &tag, 'a');
        assert_eq!(server.post("northeurope", &body).await.status, 202, "webhook {number}");
    }
    drop(nobody_reads);
    server.logs.wait("what was held back", |lines| {
        lines.iter().filter(|line| line.contains("arrival recorded")).count() == 300
    });
}

#[tokio::test]
async fn the_last_lines_are_printed_before_the_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[("WebhookRegions", "northeurope")]);
    let logs = server.logs.clone();
    assert!(server.terminate().success());
    logs.wait("its last word", |lines| lines.iter().any(|line| line.contains("stopping")));
}
