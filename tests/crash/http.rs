//! HTTP/1.1 as far as a proxy and a small client need it.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ErrorKind};
use tokio::net::TcpStream;
use watched::{READ_TOKEN, WEBHOOK_SECRET};

/// A request or an answer; the body is kept as it was framed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} Planned\r\nContent-Length: {length}\r\n{headers}\r\n");
        Self { head, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn with_header(&self, name: &str, value: &str) -> Self {
        let lines = self.head.lines().filter(|line| !line.is_empty());
        let of_name = |line: &&str| {
            line.split_once(':').is_some_and(|(own, _)| own.trim().eq_ignore_ascii_case(name))
        };
        let mut head: String =
            lines.filter(|line| !of_name(line)).map(|line| format!("{line}\r\n")).collect();
        head += &format!("{name}: {value}\r\n\r\n");
        Self { head, body: self.body.clone() }
    }

    pub(crate) fn status(&self) -> u16 {
        self.line().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head.as_bytes(), &self.body].concat()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"))
    }

    /// The body without its framing.
    pub(crate) fn content(&self) -> Vec<u8> {
        if !self.is_chunked() {
            return self.body.clone();
        }
        let (mut content, mut rest) = (Vec::new(), self.body.as_slice());
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let size = chunk_size(&rest[..end]).unwrap_or_default();
            let Some(chunk) = rest.get(end + 2..end + 2 + size).filter(|_| size > 0) else { break };
            content.extend_from_slice(chunk);
            rest = rest.get(end + 4 + size..).unwrap_or_default();
        }
        content
    }
}

fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(line).ok()?.split(';').next()?.trim();
    usize::from_str_radix(digits, 16).ok()
}

/// Reads the next message of a connection; none at its end.
pub(crate) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Message>> {
    let mut message = Message { head: String::new(), body: Vec::new() };
    loop {
        let before = message.head.len();
        if from.read_line(&mut message.head).await? == 0 {
            let broken = !message.head.is_empty();
            return if broken { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
        }
        if message.head[before..].trim().is_empty() {
            break;
        }
    }
    if message.is_chunked() {
        read_chunks(from, &mut message.body).await?;
    } else if let Some(length) = message.header("content-length").and_then(|l| l.parse().ok()) {
        message.body = vec![0; length];
        from.read_exact(&mut message.body).await?;
    }
    Ok(Some(message))
}

async fn read_chunks(from: &mut (impl AsyncBufRead + Unpin), body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let start = body.len();
        if from.read_until(b'\n', body).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = chunk_size(&body[start..]).ok_or(ErrorKind::InvalidData)?;
        let mut chunk = vec![0; size + 2];
        from.read_exact(&mut chunk).await?;
        body.extend_from_slice(&chunk);
        if size == 0 {
            return Ok(());
        }
    }
}

/// Sends requests and keeps its connections, as the Functions host and a reverse proxy do.
#[derive(Debug, Default)]
pub(crate) struct Client(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    to: SocketAddr,
    since: Instant,
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Servers close what is idle, so nothing is used that has been so for long.
    const IDLE: Duration = Duration::from_secs(2);
    /// Far more than any answer takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) async fn call(
        &self,
        to: SocketAddr,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<Message> {
        let asked = self.ask(to, method, path, body);
        tokio::time::timeout(Self::PATIENCE, asked)
            .await
            .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    async fn ask(
        &self,
        to: SocketAddr,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<Message> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\n\
             X-Fanin-Secret: {WEBHOOK_SECRET}\r\nAuthorization: Bearer {READ_TOKEN}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        if let Some(kept) = self.kept(to)
            && let Ok(answer) = self.exchange(to, kept, &request).await
        {
            return Ok(answer);
        }
        // One that was kept may have been closed meanwhile.
        let new = BufReader::new(TcpStream::connect(to).await?);
        self.exchange(to, new, &request).await
    }

    async fn exchange(
        &self,
        to: SocketAddr,
        mut stream: BufReader<TcpStream>,
        request: &str,
    ) -> io::Result<Message> {
        stream.get_mut().write_all(request.as_bytes()).await?;
        let answer = read(&mut stream).await?.ok_or(ErrorKind::UnexpectedEof)?;
        if answer.header("connection") != Some("close") {
            self.0.lock().unwrap().push(Kept { to, since: Instant::now(), stream });
        }
        Ok(answer)
    }

    fn kept(&self, to: SocketAddr) -> Option<BufReader<TcpStream>> {
        let mut kept = self.0.lock().unwrap();
        kept.retain(|one| one.to == to && one.since.elapsed() < Self::IDLE);
        kept.pop().map(|one| one.stream)
    }
}
