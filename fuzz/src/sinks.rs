//! What sinks are sent of texts that a caller chose.

use acr_fanin::fuzzing::{read_family, slack_message, teams_message};
use acr_fanin::ports::Parcel;
use fan_in::{Claim, Notice, NoticeKind, Push, Timestamp};
use serde_json::Value;

const ROW: &str = include_str!("../corpus/row_decode/completed");

/// The bytes are a row of the store, or else the texts of an event in one that is in order.
pub fn slack_render(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let push = read_family(&text).map_or_else(|_| with_texts(&text), |family| family.newest);
    for kind in NoticeKind::ALL {
        let notice = Notice {
            kind,
            region: push.expected.iter().next().cloned(),
            at: push.deadline,
            regions: push.expected.len(),
            missing: push.expected.clone(),
            cause: Some(text.chars().take(64).collect()),
            detail: Some(text.clone().into_owned()),
            deliveries: Vec::new(),
        };
        let claim =
            Claim { notice: 0, sink: "slack".to_owned(), attempt: 2, repeat: true, progress: None };
        let now = Timestamp::from_millis(0);
        let parcel = Parcel { push: &push, notice: &notice, claim: &claim, now, outdated: false };
        check_slack(&slack_message(parcel).to_string());
        check_teams(&teams_message(parcel).to_string());
    }
}

fn with_texts(text: &str) -> Push {
    let mut push = read_family(ROW).expect("the sample is in order").newest;
    push.origin.timestamp = text.to_owned();
    push.origin.event_id = text.to_owned();
    push.origin.name = Some(text.to_owned());
    push
}

/// Slack formats `<…>`, and what controls the direction of writing can make one text look like another.
fn check_slack(sent: &str) {
    assert!(!sent.contains(['<', '>']), "{sent}");
    let message: Value = serde_json::from_str(sent).expect("Slack gets JSON");
    check_texts(&message);
    assert!(message["text"].as_str().is_some_and(|text| text.chars().count() <= 4_000));
    let blocks = message["blocks"].as_array().expect("blocks");
    for text in blocks.iter().map(|block| &block["text"]).filter(|text| !text.is_null()) {
        assert_eq!(text["type"], "plain_text");
        assert!(
            text["text"].as_str().is_some_and(|text| (1..=3_000).contains(&text.chars().count()))
        );
    }
}

/// Teams takes 28 KB.
fn check_teams(sent: &str) {
    assert!(sent.len() <= 28 * 1024, "{}", sent.len());
    check_texts(&serde_json::from_str(sent).expect("Teams gets JSON"));
}

fn check_texts(value: &Value) {
    match value {
        Value::String(text) => {
            let hidden =
                |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!text.contains(hidden), "{text:?}");
        }
        Value::Array(values) => values.iter().for_each(check_texts),
        Value::Object(members) => members.values().for_each(check_texts),
        _ => {}
    }
}
