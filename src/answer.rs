//! Requests and answers without any framework: both homes translate to and from these.

use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;

/// An HTTP request as both homes see it. Header names are compared without case.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Decoded.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    /// None where there was no body at all, or the host dropped it.
    pub body: Option<Vec<u8>>,
    /// The length of the body as its sender wrote it.
    pub body_bytes: usize,
}

impl Request {
    /// The values of a parameter that is given more than once are joined by commas, as the Functions host does.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let named = self.query.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut values = named.map(|(_, value)| value.as_str());
        let first = Cow::Borrowed(values.next()?);
        Some(values.fold(first, |joined, value| joined + "," + value))
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Empty,
    Json(Value),
    Html(String),
    Text(String),
}

impl Answer {
    #[must_use]
    pub fn json(status: u16, body: impl Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_else(|_| json!({}));
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    /// A refusal, with a sentence that says what to do.
    #[must_use]
    pub fn error(status: u16, sentence: &str) -> Self {
        Self::json(status, json!({ "error": sentence }))
    }

    /// Nothing was stored, and nothing is wrong.
    #[must_use]
    pub fn ignored(reason: &str) -> Self {
        Self::json(200, json!({ "result": "ignored", "reason": reason }))
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_given_more_than_once_is_all_of_its_values() {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let query = [("region", "a"), ("x", ""), ("REGION", "b,c"), ("X", "")].map(pair).into();
        let request = Request { query, ..Request::default() };
        assert_eq!(request.query("Region").as_deref(), Some("a,b,c"));
        assert_eq!(request.query("x").as_deref(), Some(","));
        assert_eq!(request.query("y"), None);
    }
}
