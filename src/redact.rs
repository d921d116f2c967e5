//! What a sink or Azure says is kept and shown on the status page, and it may say back what it was told: the
//! secrets in a URL, in headers, in a container's environment.

use crate::limits::{TEXT_CHARS_MAX, cut};
use crate::secret::{Secret, SecretUrl};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What is shorter is a word of every text.
const WHOLE_MIN: usize = 4;
const SECRET: &str = "[secret]";
const URL: &str = "[url]";

/// Texts that are taken out of whatever is kept.
#[derive(Clone)]
pub(crate) struct Redactor {
    /// The longest first, since a short one may be part of it.
    secrets: Vec<Secret>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    pub(crate) fn new<'a>(url: &SecretUrl, others: impl IntoIterator<Item = &'a Secret>) -> Self {
        /// Shorter parts of a URL are words like `api` and versions.
        const PART_MIN: usize = 6;
        let url = url.expose();
        let query = url.query().unwrap_or_default();
        let user = [url.username(), url.password().unwrap_or_default()];
        let mut parts: Vec<String> = url.path().split('/').chain(user).map(str::to_owned).collect();
        parts.extend(query.split(['&', '=']).map(str::to_owned));
        let plain: Vec<_> = parts.iter().map(|part| decoded(part)).collect();
        parts.extend(plain);
        parts.retain(|part| part.len() >= PART_MIN);
        let mut wholes = vec![url.path().to_owned(), query.to_owned()];
        if user != ["", ""] {
            // As it stands in the header of basic authentication.
            wholes.push(STANDARD_NO_PAD.encode(user.map(decoded).join(":")));
        }
        for secret in others {
            // `Bearer x` is said back as `x`.
            wholes.extend(secret.expose().split_whitespace().map(str::to_owned));
            wholes.push(secret.expose().to_owned());
        }
        parts.extend(wholes.into_iter().filter(|whole| whole.len() >= WHOLE_MIN));
        Self::of(parts)
    }

    /// For a sink without an address of its own: takes out these texts, but for those that are too short to be
    /// secrets.
    pub(crate) fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        // What is said back comes as one line, so a text of several lines is known by that, too.
        let known = |text: String| {
            let words: Vec<_> = text.split_whitespace().collect();
            [words.join(" "), clean(&text), text]
        };
        let mut parts: Vec<_> =
            secrets.into_iter().flat_map(known).filter(|text| text.len() >= WHOLE_MIN).collect();
        parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        parts.dedup();
        Self { secrets: parts.into_iter().map(Secret::new).collect() }
    }

    /// A text as it may be kept: one line, short, without secrets and URLs.
    pub(crate) fn keep(&self, text: &str) -> String {
        let mut text = clean(text);
        for secret in &self.secrets {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), SECRET);
            }
        }
        cut(without_urls(&text).trim(), TEXT_CHARS_MAX)
    }
}

/// One line without what moves the cursor or the direction of writing: line breaks and tabs become spaces,
/// other control characters and the bidirectional ones are left out.
#[must_use]
pub fn clean(text: &str) -> String {
    let direction = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !direction(*c)) {
        match c {
            '\n' | '\t' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Percent-decoded; a query's `+` stays what it is.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex =
            tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Brackets are part of a URL, since a secret in it is in brackets by now.
fn without_urls(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | '}' | '`');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = rest[..at]
            .bytes()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let start = at - scheme.count();
        out.push_str(&rest[..start]);
        out.push_str(URL);
        let tail = &rest[at..];
        rest = &tail[tail.find(ends).unwrap_or(tail.len())..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn redactor(url: &str, others: &[&str]) -> Redactor {
        let others: Vec<_> = others.iter().map(|text| Secret::new(*text)).collect();
        Redactor::new(&SecretUrl::new(Url::parse(url).unwrap()), &others)
    }

    #[test]
    fn a_sink_that_says_our_secrets_back_is_not_quoted() {
        let slack = redactor("https://hooks.slack.com/services/T0123456/B0123456/xyzxyzxyz", &[]);
        assert_eq!(slack.keep("no /services/T0123456/B0123456/xyzxyzxyz here"), "no [secret] here");
        assert_eq!(
            slack.keep(r"\/services\/T0123456\/B0123456\/xyzxyzxyz"),
            r"\/[secret]\/[secret]\/[secret]\/[secret]"
        );
        assert_eq!(slack.keep("xyz\u{0}xyz\u{202e}xyz!"), "[secret]!");

        let teams = redactor(
            "https://x.logic.azure.com/flow?api-version=1&sig=ab%2Bcdef_g&sp=%2Frun",
            &["Bearer tok5"],
        );
        for echo in [
            "sig=ab%2Bcdef_g",
            "ab+cdef_g",
            "api-version=1&sig=ab%2Bcdef_g&sp=%2Frun",
            "Bearer tok5",
            "tok5",
        ] {
            let kept = teams.keep(&format!("'{echo}'"));
            assert!(!kept.contains("cdef") && !kept.contains("tok5"), "{kept}");
        }
        let user = redactor("https://deploy:p%40ssword@scm.example/", &[]);
        assert_eq!(user.keep("p%40ssword or p@ssword"), "[secret] or [secret]");
        assert_eq!(user.keep("Basic ZGVwbG95OnBAc3N3b3Jk"), "Basic [secret]");
    }

    #[test]
    fn a_secret_of_several_lines_is_found_in_one() {
        let key = Redactor::of(["-----BEGIN-----\n  abc\r\nxyz\n".to_owned()]);
        assert_eq!(key.keep("bad: -----BEGIN----- abc xyz!"), "bad: [secret]!");
        assert_eq!(key.keep("bad: -----BEGIN-----\n  abc\r\nxyz\n!"), "bad: [secret]!");
    }

    #[test]
    fn what_is_kept_is_one_short_line_without_urls() {
        let none = redactor("https://sink.example/", &[]);
        assert_eq!(none.keep(" a\r\nb\tc\u{7} "), "a b c");
        assert_eq!(
            none.keep("see <https://docs.example/x?y=z>, HTTP://a.b or 'ws://c'"),
            "see <[url]>, [url] or '[url]'"
        );
        assert_eq!(none.keep("://"), "[url]");
        assert_eq!(none.keep(&"ö".repeat(1_000)).chars().count(), TEXT_CHARS_MAX);
        assert_eq!(format!("{none:?}"), "Redactor");
    }
}
