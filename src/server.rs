//! What both homes' servers share.

use crate::answer::{Answer, Body};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use futures_util::StreamExt;

/// A body was longer than we take; it has been read to its end and thrown away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLong;

/// What is read and thrown away of a body that is too long, before the connection is given up.
const DRAIN_MAX: usize = 128 * 1024 * 1024;

/// Server threads: the work is waiting, and the machines are small.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, 4)
}

/// Reads a body of at most `max` bytes. One that breaks off counts as what came of it.
pub(crate) async fn read(mut payload: web::Payload, max: usize) -> Result<Vec<u8>, TooLong> {
    let mut body = Vec::new();
    let mut length = 0_usize;
    while let Some(Ok(chunk)) = payload.next().await {
        length = length.saturating_add(chunk.len());
        if length <= max {
            body.extend_from_slice(&chunk);
        } else if length > DRAIN_MAX {
            break;
        } else {
            body = Vec::new();
        }
    }
    if length > max { Err(TooLong) } else { Ok(body) }
}

/// The answer as the server sends it.
pub(crate) fn respond(answer: Answer) -> HttpResponse {
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
