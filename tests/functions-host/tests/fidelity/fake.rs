//! A handler that writes down every call and answers what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use functions_host::wire::{self, Head};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::recording::{Exchanged, HandlerAnswer};

/// Runs until the end of the test.
#[derive(Clone)]
pub(crate) struct FakeHandler {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<HandlerAnswer>>,
    calls: Arc<Mutex<Vec<Exchanged>>>,
}

impl FakeHandler {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handler = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::default(),
            calls: Arc::default(),
        };
        let serving = handler.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        handler
    }

    /// Answers every call like this from now on.
    pub(crate) fn answer(&self, answer: HandlerAnswer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<Exchanged> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    pub(crate) fn has_calls(&self, count: usize) -> bool {
        self.calls.lock().unwrap().len() >= count
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let head = wire::read_head(&mut stream).await.unwrap().unwrap();
        let body = wire::read_body(&mut stream, &head).await.unwrap();
        let answer = if head.first.starts_with("POST") {
            let body = String::from_utf8(body).unwrap();
            self.calls.lock().unwrap().push(Exchanged { head: head.lines(), body });
            self.answer.lock().unwrap().clone()
        } else {
            ready()
        };
        tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
        if !answer.is_drop {
            let mut headers = answer.headers;
            headers.push(("Content-Length".to_owned(), answer.body.len().to_string()));
            let head = Head { first: format!("HTTP/1.1 {} .", answer.status), headers };
            stream.write_all(&head.to_bytes()).await.unwrap();
            stream.write_all(&answer.body).await.unwrap();
        }
    }
}

/// What the recorded handler said to everything but a call: to pings, and where it redirected to.
pub(crate) fn ready() -> HandlerAnswer {
    HandlerAnswer {
        status: "200".to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
        ..HandlerAnswer::default()
    }
}
