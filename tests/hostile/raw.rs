//! HTTP by hand: bytes out, answers in. An answer that is not well-formed fails the test.

use crate::process::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        headers.map(|(n, v)| (n, v.trim())).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|h| h.1)
    }
}

pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    /// The other side closed while we were still sending; what it said last may be lost.
    reset: bool,
}

impl Wire {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new(), reset: false }
    }

    /// The other side may have closed, which `answer` then finds out.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn no_more(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap_or_default();
    }

    /// The next answer; none when the connection is closed.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at,
                None if self.more() => {}
                None => {
                    let rest = String::from_utf8_lossy(&self.read);
                    assert!(self.read.is_empty() || self.reset, "half an answer: {rest}");
                    return None;
                }
            }
        };
        let text = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {text}"));
        let mut answer = Answer { status, head: text.trim_end().to_owned(), body: Vec::new() };
        if status == 100 {
            return self.answer();
        }
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        assert!(answer.header("transfer-encoding").is_none(), "{text}");
        while self.read.len() < length {
            if !self.more() {
                assert!(self.reset, "the body is cut off: {text}");
                return None;
            }
        }
        answer.body = self.read.drain(..length).collect();
        Some(answer)
    }

    /// All answers until the connection is closed.
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answer()).collect()
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                self.reset = true;
                false
            }
            Err(error) => panic!("no answer and no end: {error}"),
        }
    }
}

/// A request with its length.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: fanin.example\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One request over a connection of its own, and every answer to it.
pub(crate) fn once(address: SocketAddr, bytes: &[u8]) -> Vec<Answer> {
    let mut wire = Wire::to(address);
    wire.send(bytes);
    wire.no_more();
    wire.answers()
}
