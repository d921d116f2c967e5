//! Calls over HTTP: what reaches the handler, what the caller gets.

use std::io;
use std::net::SocketAddr;

use functions_host::wire::{self, Head};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::app_with;
use crate::compare::{assert_answer, assert_calls};
use crate::fake::FakeHandler;
use crate::recording::{Exchanged, Recording, folder};

/// Sends a request with the `Host` of the recordings and reads the answer, down to one that ends
/// early: then everything that came stands in its head.
pub(crate) async fn send(
    host: SocketAddr,
    line: &str,
    headers: &[String],
    framing: &str,
    body: &[u8],
) -> io::Result<Exchanged> {
    let mut lines = vec!["Host: 127.0.0.1:7071".to_owned()];
    lines.extend_from_slice(headers);
    match framing {
        "content-length" => lines.push(format!("Content-Length: {}", body.len())),
        "chunked" => lines.push("Transfer-Encoding: chunked".to_owned()),
        _ => {}
    }
    let mut bytes = format!("{line} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes();
    match framing {
        "chunked" => bytes.extend(wire::chunked(body)),
        _ => bytes.extend_from_slice(body),
    }
    let mut stream = BufReader::new(TcpStream::connect(host).await?);
    stream.write_all(&bytes).await?;
    read_answer(&mut stream).await
}

async fn read_answer(stream: &mut BufReader<TcpStream>) -> io::Result<Exchanged> {
    let head = wire::read_head(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut body = Vec::new();
    if head.is_chunked() {
        body = wire::read_body(stream, &head).await?;
    } else if let Some(length) = head.content_length() {
        stream.take(length.try_into().unwrap()).read_to_end(&mut body).await?;
        if body.len() < length {
            return Ok(cut_short(&head, &body));
        }
    }
    Ok(Exchanged { head: head.lines(), body: String::from_utf8(body).unwrap() })
}

fn cut_short(head: &Head, body: &[u8]) -> Exchanged {
    let mut all = head.to_bytes();
    all.extend_from_slice(body);
    let all = String::from_utf8(all).unwrap();
    Exchanged { head: all.split("\r\n").map(str::to_owned).collect(), body: String::new() }
}

async fn play(host: SocketAddr, handler: &FakeHandler, recording: &Recording) {
    handler.answer(recording.handler_answered());
    let line = recording.text("sent_to_host.line");
    let headers = recording.texts("sent_to_host.headers");
    let framing = recording.text("sent_to_host.framing");
    let body = recording.bytes("sent_to_host.body");
    let answer = send(host, line, &headers, framing, &body).await.unwrap();
    assert_calls(&recording.name, &recording.calls(), &handler.calls());
    assert_answer(&recording.name, &recording.host_answered(), &answer);
}

async fn play_folder(name: &str) {
    let handler = FakeHandler::start().await;
    let host = app_with(handler.address).setting(LONG_TIMEOUT.0, LONG_TIMEOUT.1);
    let host = host.start().await.unwrap();
    for recording in folder(name) {
        play(host.address(), &handler, &recording).await;
    }
}

/// Longer than the slow answer of the recordings.
pub(crate) const LONG_TIMEOUT: (&str, &str) =
    ("AzureFunctionsJobHost__functionTimeout", "00:05:00");

#[tokio::test]
async fn requests_reach_the_handler_as_recorded() {
    play_folder("http").await;
}

#[tokio::test]
async fn answers_of_the_handler_reach_the_caller_as_recorded() {
    play_folder("answer").await;
}
