use super::super::health::Restarts;
use super::super::progress::{Phase, Progress};
use super::DIGEST;
use crate::azure::Operation;
use crate::limits::PROGRESS_MAX;

fn updating(operation: Operation) -> Progress {
    let phase = Phase::Updating { operation, since_ms: 1 };
    Progress { mark: DIGEST.to_owned(), phase, ip: Some("20.1.2.3".to_owned()) }
}

#[test]
fn the_next_step_reads_what_this_one_wrote() {
    let restarts = Restarts::from([("web".to_owned(), 2)]);
    let watching = Phase::Watching { since_ms: 5, restarts: Some(restarts) };
    let watching = Progress { mark: DIGEST.to_owned(), phase: watching, ip: None };
    let url = "https://management.azure.com/x?api-version=1".to_owned();
    for progress in [
        updating(Operation::Status(url.clone())),
        updating(Operation::Location(url)),
        updating(Operation::Resource),
        watching,
    ] {
        let text = progress.write().unwrap();
        assert_eq!(Progress::read(Some(&text), DIGEST), Some(progress));
    }
}

#[test]
fn what_is_of_another_push_or_not_understood_is_left_aside() {
    let text = updating(Operation::Resource).write().unwrap();
    assert_eq!(Progress::read(Some(&text), "1417566161"), None);
    for text in ["", "{}", "null", "[1]", &text.replace("updating", "resting")] {
        assert_eq!(Progress::read(Some(text), DIGEST), None, "{text}");
    }
    assert_eq!(Progress::read(None, DIGEST), None);
}

#[test]
fn what_is_written_is_never_too_long() {
    let long = format!("https://management.azure.com/x?c={}", "x".repeat(PROGRESS_MAX));
    let text = updating(Operation::Status(long)).write().unwrap();
    assert_eq!(Progress::read(Some(&text), DIGEST), Some(updating(Operation::Resource)));
    let restarts: Restarts = (0..60).map(|n| (format!("{n:063}"), u64::MAX)).collect();
    let phase = Phase::Watching { since_ms: 5, restarts: Some(restarts) };
    let progress = Progress { mark: DIGEST.to_owned(), phase, ip: None };
    let text = progress.write().unwrap();
    assert!(text.len() <= PROGRESS_MAX);
    let read = Progress::read(Some(&text), DIGEST).unwrap();
    assert_eq!(read.phase, Phase::Watching { since_ms: 5, restarts: Some(Restarts::new()) });
}
