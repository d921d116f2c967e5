//! A Table Storage in which nothing is, and that notes who writes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Base64, as keys are.
pub(crate) const KEY: &str = "Y2FuYXJ5LWFjY291bnQta2V5LTAxMjM0NTY3ODk=";

#[derive(Clone, Debug)]
pub(crate) struct Tables {
    address: SocketAddr,
    writes: Arc<AtomicUsize>,
    /// Everybody is refused, with an answer that says back what was sent.
    refuses: Arc<AtomicBool>,
}

impl Tables {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let tables = Self { address, writes: Arc::default(), refuses: Arc::default() };
        let state = tables.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = state.clone();
                std::thread::spawn(move || state.serve(stream));
            }
        });
        tables
    }

    pub(crate) fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={KEY};\
             TableEndpoint=http://{}/acc",
            self.address
        )
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/acc", self.address)
    }

    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::Relaxed);
    }

    /// Answers until the connection ends.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
                if line == "\r\n" {
                    break;
                }
                if let Some((_, n)) = line.to_lowercase().split_once("content-length:") {
                    length = n.trim().parse().ok()?;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            writer.write_all(self.answer(&head).as_bytes()).ok()?;
        }
    }

    fn answer(&self, head: &str) -> String {
        let (status, body) = if self.refuses.load(Ordering::Relaxed) {
            let said = serde_json::to_string(head).unwrap_or_default();
            let error = format!(
                r#"{{"odata.error":{{"code":"AuthenticationFailed","message":{{"value":{said}}}}}}}"#
            );
            ("403 Forbidden", error)
        } else if !head.starts_with("GET ") {
            self.writes.fetch_add(1, Ordering::Relaxed);
            ("503 Service Unavailable", String::new())
        } else if head.lines().next().unwrap_or_default().contains("PartitionKey=") {
            ("404 Not Found", r#"{"odata.error":{"code":"ResourceNotFound"}}"#.to_owned())
        } else {
            ("200 OK", r#"{"value":[]}"#.to_owned())
        };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}
