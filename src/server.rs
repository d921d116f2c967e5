//! What both homes' servers share.

use crate::answer::{Answer, Body};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::StreamExt;
use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Why there is no body to work with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unread {
    /// It is longer than we take; it has been read to its end and thrown away.
    TooLong,
    /// It ended before its end: nobody knows what the sender meant to say.
    BrokenOff,
}

pub(crate) const BROKEN_OFF: &str = "the body broke off";

/// What is read and thrown away of a body that is too long, before the connection is given up.
const DRAIN_MAX: usize = 128 * 1024 * 1024;

/// Server threads: the work is waiting, and the machines are small.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, 4)
}

/// Reads a body of at most `max` bytes.
pub(crate) async fn read(payload: &mut web::Payload, max: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    let mut length = 0_usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unread::BrokenOff)?;
        length = length.saturating_add(chunk.len());
        if length <= max {
            body.extend_from_slice(&chunk);
        } else if length > DRAIN_MAX {
            break;
        } else {
            body = Vec::new();
        }
    }
    if length > max { Err(Unread::TooLong) } else { Ok(body) }
}

/// An answer that holds the request's body. When the body has not come to its end by then, the server closes
/// the connection after the answer; of one that is given up before, it would wait for the rest, for ever.
struct Held {
    answer: BoxBody,
    _payload: web::Payload,
}

impl MessageBody for Held {
    type Error = Box<dyn StdError>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().answer).poll_next(cx)
    }
}

/// The answer to a request with this body.
pub(crate) fn respond_to(payload: web::Payload, answer: Answer) -> HttpResponse {
    respond(answer).map_body(|_, answer| BoxBody::new(Held { answer, _payload: payload }))
}

/// The answer as the server sends it.
fn respond(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header(("X-Content-Type-Options", "nosniff"));
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    match answer.body {
        Body::Empty => response.finish(),
        Body::Json(value) => response.json(value),
        Body::Html(html) => response.content_type("text/html; charset=utf-8").body(html),
        Body::Text(text) => response.content_type("text/plain; charset=utf-8").body(text),
    }
}
