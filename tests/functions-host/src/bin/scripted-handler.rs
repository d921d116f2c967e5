//! A handler that does what the payload of a call tells it, for the tests of the host.
//!
//! `{"exit": 1}` ends it, anything else is an answer: `{"delay": 100, "status": 200,
//! "type": "application/json", "body": "{}"}`, where each part may be left out.

use std::env;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use functions_host::json::Json;
use functions_host::wire::{self, Head};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> io::Result<()> {
    let port = env::var_os("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    let port = port.to_string_lossy().parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => say("SIGTERM"),
            accepted = listener.accept() => {
                tokio::spawn(serve(accepted?.0));
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the host collects what its handler prints")]
fn say(line: &str) {
    println!("{line}");
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(head) = wire::read_head(&mut stream).await? else { return Ok(()) };
    let body = wire::read_body(&mut stream, &head).await?;
    if head.first.starts_with("POST") {
        say(&head.first);
    }
    let script = script(&String::from_utf8_lossy(&body)).unwrap_or(Json::Null);
    let number = |name: &str| match script.get(name) {
        Some(Json::Number(text)) => text.parse::<u16>().ok(),
        _ => None,
    };
    if let Some(code) = number("exit") {
        std::process::exit(i32::from(code));
    }
    tokio::time::sleep(Duration::from_millis(number("delay").unwrap_or_default().into())).await;
    let text = |name: &str, default| script.get(name).map_or(Some(default), Json::as_str);
    let answer = text("body", "{}").unwrap_or_default();
    let status = number("status").unwrap_or(200);
    let mut headers = Vec::new();
    if status != 204 {
        headers.push(("Content-Length".to_owned(), answer.len().to_string()));
    }
    if let Some(kind) = text("type", "application/json") {
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
    }
    let head = Head { first: format!("HTTP/1.1 {status} ."), headers };
    stream.write_all(&head.to_bytes()).await?;
    stream.write_all(answer.as_bytes()).await
}

/// What the caller or the message tells the handler to do.
fn script(call: &str) -> Option<Json> {
    let call = Json::parse(call).ok()?;
    let data = call.get("Data")?;
    let text = match (data.get("req"), data.get("msg")) {
        (Some(request), _) => request.get("Body")?.as_str()?.to_owned(),
        (None, Some(message)) => Json::parse(message.as_str()?).ok()?.as_str()?.to_owned(),
        (None, None) => return None,
    };
    Json::parse(&text).ok()
}
