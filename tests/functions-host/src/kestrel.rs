//! The habits of the web server inside the host: which headers come in which order, what a
//! value may hold, how an answer is framed.

use crate::clock;
use crate::wire::{self, Head};

/// Known headers of a request come in this order and spelling, whatever the caller wrote;
/// all others follow in the order of arrival.
const REQUEST_HEADERS: [&str; 44] = [
    "Accept",
    "Connection",
    "Host",
    "User-Agent",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Authorization",
    "baggage",
    "Cache-Control",
    "Content-Type",
    "Cookie",
    "Correlation-Context",
    "Date",
    "Expect",
    "From",
    "Grpc-Accept-Encoding",
    "Grpc-Encoding",
    "Grpc-Timeout",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Request-Id",
    "TE",
    "traceparent",
    "tracestate",
    "Transfer-Encoding",
    "Translate",
    "Upgrade",
    "Upgrade-Insecure-Requests",
    "Via",
    "Warning",
    "Content-Length",
];

const RESPONSE_HEADERS: [&str; 37] = [
    "Content-Length",
    "Connection",
    "Content-Type",
    "Date",
    "Server",
    "Accept-Ranges",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Age",
    "Allow",
    "Alt-Svc",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "ETag",
    "Expires",
    "Keep-Alive",
    "Last-Modified",
    "Location",
    "Pragma",
    "Proxy-Authenticate",
    "Retry-After",
    "Set-Cookie",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
];

fn position(known: &[&str], name: &str) -> usize {
    known.iter().position(|known| known.eq_ignore_ascii_case(name)).unwrap_or(known.len())
}

/// The headers of a request as the host lists them: one entry a name, with all its values.
pub(crate) fn request_headers(head: &Head) -> Vec<(String, Vec<String>)> {
    let mut headers: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in &head.headers {
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value.clone()),
            None => {
                let spelling = REQUEST_HEADERS.get(position(&REQUEST_HEADERS, name));
                let name = spelling.map_or_else(|| name.clone(), |known| (*known).to_owned());
                headers.push((name, vec![value.clone()]));
            }
        }
    }
    headers.sort_by_key(|(name, _)| position(&REQUEST_HEADERS, name));
    headers
}

/// Whether a header may have this value: printable ASCII, nothing else.
pub(crate) fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// An answer before it is framed.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: i32,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn empty(status: i32) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Sets a header, in place of one of that name.
    pub(crate) fn set_header(&mut self, name: &str, value: String) {
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(header) => header.1 = value,
            None => self.headers.push((name.to_owned(), value)),
        }
    }

    fn declared_length(&self) -> Option<usize> {
        let (_, value) =
            self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        value.parse().ok()
    }

    fn may_have_body(&self) -> bool {
        !matches!(self.status, 101 | 204 | 205 | 304)
    }

    /// The bytes on the wire, and whether the connection can be used again afterwards.
    pub(crate) fn into_bytes(mut self, to_head_request: bool) -> (Vec<u8>, bool) {
        let declared = self.declared_length();
        let body = if self.may_have_body() && !to_head_request {
            std::mem::take(&mut self.body)
        } else {
            Vec::new()
        };
        self.set_header("Date", clock::rfc1123(clock::now()));
        self.set_header("Server", "Kestrel".to_owned());
        let framed = match declared {
            // Too many bytes: nothing of the body goes out, and the connection is cut.
            Some(length) if body.len() > length => (Vec::new(), false),
            Some(length) => (body.clone(), body.len() == length || to_head_request),
            None if body.is_empty() => {
                if self.may_have_body() && !to_head_request {
                    self.set_header("Content-Length", "0".to_owned());
                }
                (Vec::new(), true)
            }
            None => {
                self.set_header("Transfer-Encoding", "chunked".to_owned());
                (wire::chunked(&body), true)
            }
        };
        self.headers.sort_by_key(|(name, _)| position(&RESPONSE_HEADERS, name));
        let first = format!("HTTP/1.1 {} {}", self.status, reason(self.status));
        let mut bytes = Head { first, headers: self.headers }.to_bytes();
        bytes.extend(framed.0);
        (bytes, framed.1)
    }
}

fn reason(status: i32) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
