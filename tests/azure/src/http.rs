//! A request as it came, and an answer before it goes.

use functions_host::wire::Head;
use serde_json::Value;
use url::form_urlencoded;

/// A request that was read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    head: Head,
    pub(crate) method: String,
    pub(crate) path: String,
    query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(head: Head, body: Vec<u8>) -> Self {
        let mut words = head.first.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_end_matches('/').to_owned();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { head, method, path, query, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// A value of the query; names are compared without case, as ARM does.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// A value of a form in the body.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(&self.body);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The parts of the path between its slashes.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// An answer; also what [`Fault::Instead`](crate::Fault::Instead) puts in the place of one.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// A status with nothing else.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A status and a JSON document.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", &body.to_string())
    }

    /// A status and a text of some kind, such as the HTML page of a proxy.
    #[must_use]
    pub fn text(status: u16, content_type: &str, body: &str) -> Self {
        let answer = Self { body: body.as_bytes().to_vec(), ..Self::empty(status) };
        answer.header("Content-Type", content_type)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn retry_after(self, seconds: Option<u32>) -> Self {
        match seconds {
            Some(seconds) => self.header("Retry-After", seconds.to_string()),
            None => self,
        }
    }

    /// What goes over the wire. A 204 has no body, and no length either.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Fake\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status == 204 {
            return (head + "\r\n").into_bytes();
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend(self.body);
        bytes
    }
}
