//! Compares what was recorded with what happened, but for ids, times and ports.

use crate::recording::Exchanged;

/// Members whose value is a time, with what may follow its seconds.
const TIMES: [(&str, bool); 7] = [
    ("UtcNow", true),
    ("Last", true),
    ("Next", true),
    ("LastUpdated", true),
    ("ExpirationTime", false),
    ("InsertionTime", false),
    ("NextVisibleTime", false),
];
const IDS: [&str; 2] = ["RandGuid", "Id"];

/// Compares calls of the handler.
pub(crate) fn assert_calls(name: &str, recorded: &[Exchanged], happened: &[Exchanged]) {
    assert_eq!(happened.len(), recorded.len(), "{name}: number of calls");
    for (recorded, happened) in recorded.iter().zip(happened) {
        let head = |exchanged: &Exchanged| {
            exchanged.head.iter().map(|line| head_line(line)).collect::<Vec<_>>()
        };
        assert_eq!(head(happened), head(recorded), "{name}: head of a call");
        assert_body(name, &recorded.body, &happened.body);
    }
}

/// Compares answers of the host.
pub(crate) fn assert_answer(name: &str, recorded: &Exchanged, happened: &Exchanged) {
    let dateless = happened.head.iter().filter(|line| !line.starts_with("Date: "));
    assert_eq!(dateless.collect::<Vec<_>>(), recorded.head.iter().collect::<Vec<_>>(), "{name}");
    assert!(happened.body == recorded.body, "{name}: body {:.200}", happened.body);
}

fn head_line(line: &str) -> String {
    if line.starts_with("Host: 127.0.0.1:") {
        return "Host: 127.0.0.1:<port>".to_owned();
    }
    match line.strip_prefix("X-Azure-Functions-InvocationId: ") {
        Some(id) if is_guid(id) => "X-Azure-Functions-InvocationId: <id>".to_owned(),
        _ => line.to_owned(),
    }
}

fn assert_body(name: &str, recorded: &str, happened: &str) {
    // Long ones were written down as their start and their length.
    if let Some((start, length)) = recorded.split_once("…<") {
        let length: usize = length.split(' ').next().unwrap().parse().unwrap();
        assert!(normal(happened).starts_with(&normal(start)), "{name}: {happened:.1000}");
        // A time may be up to seven digits shorter than another one.
        let difference = happened.chars().count().abs_diff(length);
        assert!(difference <= 7, "{name}: {difference} characters more or less");
    } else {
        assert_eq!(normal(happened), normal(recorded), "{name}: body of a call");
    }
}

/// The text with placeholders for ids and times.
fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, has_fraction) in TIMES {
        text = replaced(&text, name, |value| time_shape(value, has_fraction));
    }
    for name in IDS {
        text = replaced(&text, name, |value| {
            let bare = value.trim_matches(['\\', '"']);
            if is_guid(bare) { value.replace(bare, "<id>") } else { value.to_owned() }
        });
    }
    replaced(&text, "PopReceipt", |_| "<receipt>".to_owned())
}

/// The text with the string values of a member replaced. Members of a JSON text inside a string
/// are no members: their quotes are escaped.
fn replaced(text: &str, name: &str, replace: impl Fn(&str) -> String) -> String {
    let opening = format!("\"{name}\":\"");
    let mut pieces = text.split(&opening);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = end_of_string(piece);
        out.push_str(&opening);
        out.push_str(&replace(&piece[..end]));
        out.push_str(&piece[end..]);
    }
    out
}

/// Where the quote stands that ends a string, or the end of the text.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// `2026-11-20T23:00:11.8283067Z` is `<time>Z`.
fn time_shape(value: &str, has_fraction: bool) -> String {
    let (Some(seconds), Some(rest)) = (value.get(..19), value.get(19..)) else {
        return value.to_owned();
    };
    let shape: String = seconds.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape != "0000-00-00T00:00:00" {
        return value.to_owned();
    }
    let is_fraction = |c: char| has_fraction && (c == '.' || c.is_ascii_digit());
    format!("<time>{}", rest.trim_start_matches(is_fraction))
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    let is_digit = |b: u8| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(is_digit)
}

#[test]
fn a_body_that_differs_in_more_than_ids_and_times_is_told_apart() {
    let recorded = r#"{"UtcNow":"2026-11-20T23:00:11.8Z","Id":"\"evt-1\"","n":"1"}"#;
    let later = recorded.replace("11.8Z", "12Z");
    assert_eq!(normal(&later), normal(recorded));
    for (from, to) in [("evt-1", "evt-2"), ("11.8Z", "11.8+00:00"), (r#""1""#, "1")] {
        assert_ne!(normal(&recorded.replace(from, to)), normal(recorded));
    }
}
