//! HTTP/1.1 by hand: the recordings are compared byte for byte, which no library allows.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The first line of a request or response, and its headers in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub first: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The lines as they stood on the wire.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}"));
        std::iter::once(self.first.clone()).chain(headers).collect()
    }

    /// The bytes of the head, with the empty line.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        (self.lines().join("\r\n") + "\r\n\r\n").into_bytes()
    }

    /// The status code of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.first.split(' ').nth(1)?.parse().ok()
    }

    /// The declared length, if there is one.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.trim().parse().ok()
    }

    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.contains("chunked"))
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let line = line.strip_suffix(b"\n").ok_or_else(|| invalid("a line without an end"))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}

/// Reads a head; `None` if the other side closed the connection instead.
///
/// # Errors
/// The connection broke, or what came is no HTTP.
pub async fn read_head<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<Head>> {
    let Some(first) = read_line(reader).await? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader).await?.ok_or_else(|| invalid("a head without an end"))?;
        if line.is_empty() {
            return Ok(Some(Head { first, headers }));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without ':'"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Reads the body that a request with this head carries.
///
/// # Errors
/// The connection broke, or the framing is wrong.
pub async fn read_body<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    head: &Head,
) -> io::Result<Vec<u8>> {
    if head.is_chunked() {
        return read_chunks(reader).await;
    }
    let mut body = vec![0; head.content_length().unwrap_or(0)];
    reader.read_exact(&mut body).await?;
    Ok(body)
}

async fn read_chunks<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader).await?.ok_or_else(|| invalid("a body without an end"))?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size =
            usize::from_str_radix(size, 16).map_err(|_| invalid("a chunk without a size"))?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).await?;
        let end = read_line(reader).await?;
        if end.as_deref() != Some("") {
            return Err(invalid("a chunk of another size than it says"));
        }
        if size == 0 {
            return Ok(body);
        }
    }
}

/// A response as a client reads it.
#[derive(Debug)]
pub struct Received {
    pub head: Head,
    pub body: Vec<u8>,
}

/// Reads a response to a request that was not `HEAD`.
///
/// # Errors
/// The connection broke before the end of the answer, or it is no HTTP.
pub async fn read_response<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Received> {
    let head = read_head(reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let has_body = !matches!(head.status(), Some(204 | 304));
    let body = if !has_body {
        Vec::new()
    } else if head.is_chunked() || head.content_length().is_some() {
        read_body(reader, &head).await?
    } else {
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await?;
        rest
    };
    Ok(Received { head, body })
}

/// How much of a body goes into one chunk: little enough for a body of any size to need several.
const CHUNK: usize = 4096;

/// The body in chunks, with the last, empty one.
#[must_use]
pub fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 128 + 16);
    for chunk in body.chunks(CHUNK) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Sends a request on a new connection and reads the answer. A body goes out as `head` frames
/// it: in chunks if it says so, as it is otherwise.
///
/// # Errors
/// The connection could not be made, broke, or what came back is no HTTP.
pub async fn exchange(to: SocketAddr, head: &Head, body: &[u8]) -> io::Result<Received> {
    let mut stream = BufReader::new(TcpStream::connect(to).await?);
    let mut bytes = head.to_bytes();
    if head.is_chunked() {
        bytes.extend(chunked(body));
    } else {
        bytes.extend_from_slice(body);
    }
    stream.write_all(&bytes).await?;
    read_response(&mut stream).await
}
