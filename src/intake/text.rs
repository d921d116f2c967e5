//! Texts of a caller that are kept: each has a size, and none has control characters.

use crate::{clock, limits};
use fan_in::Timestamp;
use sha2::{Digest, Sha256};

/// A text as it is kept; none when nothing is left of it.
pub(super) fn kept(text: &str) -> Option<String> {
    let visible: String =
        text.chars().filter(|c| !c.is_control()).take(limits::ORIGIN_CHARS_MAX).collect();
    (!visible.is_empty()).then_some(visible)
}

/// An id as it is kept. One that would have to be cut is hashed instead: two ids must never become one.
pub(super) fn id(text: &str) -> String {
    match kept(text) {
        Some(whole) if whole == text => whole,
        _ => hash(text),
    }
}

pub(super) fn hash(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest.iter().fold(String::from("sha256:"), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A time that can be written again as it was read.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let short = Some(text).filter(|text| text.len() <= limits::TIMESTAMP_MAX)?;
    clock::parse_rfc3339(short).filter(|time| writable(*time))
}

/// Is it within the years that RFC 3339 has numbers for?
pub(super) fn writable(time: Timestamp) -> bool {
    !clock::rfc3339(time).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_texts_are_short_and_visible() {
        assert_eq!(kept("docker/17\r\n\u{7f}x"), Some("docker/17x".to_owned()));
        assert_eq!(kept("\u{0}\n"), None);
        assert_eq!(kept(&"ä".repeat(300)), Some("ä".repeat(256)));
    }

    #[test]
    fn two_ids_never_become_one() {
        assert_eq!(id("cb8c3971"), "cb8c3971");
        let (long, longer) = ("a".repeat(257), "a".repeat(258));
        assert_ne!(id(&long), id(&longer));
        assert_ne!(id("a\n"), id("a"));
        assert_eq!(id(&longer).len(), 71);
        assert_eq!(id(&id(&long)), id(&long));
    }

    #[test]
    fn a_time_that_cannot_be_written_is_no_time() {
        assert!(time("2017-11-17T16:52:01.343145347Z").is_some());
        assert!(time("9999-12-31T23:59:59-23:59").is_none());
        assert!(time(&format!("2017-11-17T16:52:01.{}Z", "0".repeat(64))).is_none());
    }
}
