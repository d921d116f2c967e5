//! Reading `multipart/mixed`, as far as the answers to transactions need it.

use crate::answer::Answer;

/// The `boundary` of a content type.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty())
}

/// The parts between the delimiters; `None` where the closing one is missing, so where the text was
/// cut off.
pub(crate) fn parts<'a>(text: &'a str, boundary: &str) -> Option<Vec<&'a str>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    for piece in text.split(delimiter.as_str()).skip(1) {
        if piece.starts_with("--") {
            return Some(parts);
        }
        parts.push(
            piece.trim_start_matches([' ', '\t']).trim_start_matches('\r').trim_start_matches('\n'),
        );
    }
    None
}

/// Headers, names in lower case, and what follows the empty line.
pub(crate) fn headers_and_body(text: &str) -> (Vec<(String, String)>, &str) {
    let (head, body) = split_head(text);
    let headers = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    (headers, body)
}

/// Reads the answer to one request: `HTTP/1.1 204 No Content`, headers, empty line, body.
pub(crate) fn http_answer(text: &str) -> Option<Answer> {
    let text = text.trim_start();
    let (first, rest) = text.split_once('\n')?;
    let mut words = first.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    let status = words.next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    let (headers, body) = headers_and_body(rest);
    Some(Answer { status, headers, body: body.trim().as_bytes().to_vec() })
}

/// Splits at the first empty line; without one all is head.
fn split_head(text: &str) -> (&str, &str) {
    if let Some(body) = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')) {
        return ("", body);
    }
    let windows = text.find("\r\n\r\n").map(|at| (at, at + 4));
    let unix = text.find("\n\n").map(|at| (at, at + 2));
    match windows.into_iter().chain(unix).min() {
        Some((end, start)) => (&text[..end], &text[start..]),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_found_in_every_spelling() {
        assert_eq!(boundary("multipart/mixed; boundary=a_1"), Some("a_1"));
        assert_eq!(boundary("Multipart/Mixed;charset=utf-8; Boundary=\"a_1\""), Some("a_1"));
        assert_eq!(boundary("application/json; boundary=a_1"), None);
        assert_eq!(boundary("multipart/mixed; boundary="), None);
        assert_eq!(boundary("multipart/mixed"), None);
    }

    #[test]
    fn parts_end_with_the_closing_delimiter_and_not_with_the_text() {
        let text = "preamble\r\n--b\r\none\r\n--b\r\ntwo\r\n--b--\r\nepilogue";
        assert_eq!(parts(text, "b"), Some(vec!["one\r\n", "two\r\n"]));
        assert_eq!(parts("--b\r\none\r\n", "b"), None);
        assert_eq!(parts("", "b"), None);
    }

    #[test]
    fn an_answer_has_status_headers_and_body_with_either_line_end() {
        for text in [
            "HTTP/1.1 409 Conflict\r\nContent-ID: 1\r\nETag: W/\"a:b\"\r\n\r\n{\"a\":1}\r\n",
            "\nHTTP/1.1 409 Conflict\nContent-ID: 1\nETag: W/\"a:b\"\n\n{\"a\":1}\n",
        ] {
            let answer = http_answer(text).unwrap();
            assert_eq!(answer.status, 409);
            assert_eq!(answer.header("content-id"), Some("1"));
            assert_eq!(answer.header("etag"), Some("W/\"a:b\""));
            assert_eq!(answer.body, br#"{"a":1}"#);
        }
    }

    #[test]
    fn what_is_no_answer_is_not_taken_for_one() {
        for text in ["", "HTTP/1.1", "HTTP/1.1 abc\r\n", "HTTP/1.1 99 X\r\n", "204 No Content\r\n"]
        {
            assert!(http_answer(text).is_none(), "{text:?}");
        }
        let bare = http_answer("HTTP/1.1 204 No Content\n\n").unwrap();
        assert_eq!((bare.status, bare.body.len()), (204, 0));
    }
}
