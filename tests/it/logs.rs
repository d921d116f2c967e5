//! What becomes of log lines.

use crate::support::{Standalone, acr_push, parse};
use std::sync::{Arc, Mutex, mpsc};

#[tokio::test]
async fn a_server_whose_log_nobody_reads_answers_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Until this is dropped nobody reads further than the line that says where the server is.
    let (nobody_reads, reading) = mpsc::channel::<()>();
    let reading = Arc::new(Mutex::new(reading));
    let settings = [("WebhookRegions", "northeurope,westeurope")];
    let server = Standalone::start_seen_by(folder.path(), &settings, move |line| {
        if parse(line)["address"].is_string() {
            assert!(reading.lock().unwrap().recv().is_err());
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
    // What waited is written before the server ends.
    server.ask_to_end();
    drop(nobody_reads);
    let logs = server.logs.clone();
    assert!(server.ended().success());
    logs.wait("what was held back", |lines| {
        let recorded = lines.iter().filter(|line| line.contains("arrival recorded"));
        recorded.count() == 300 && lines.iter().any(|line| line.contains("stopping"))
    });
}
