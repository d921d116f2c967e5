//! The handler behind the Azure Functions host: one file for each function folder, bound to 127.0.0.1, where
//! only the host can reach it.

pub(crate) mod envelope;
mod fan_in_timer;
mod image_push;
mod job_status;
mod jobs;
mod notify;
mod status;

use crate::answer::Answer;
use crate::api::notify::to_message;
use crate::app::{App, Bells};
use crate::config::Config;
use crate::limits::ENVELOPE_MAX;
use crate::server::{self, BROKEN_OFF, Unread};
use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use envelope::outputs;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// The host keeps connections for a minute; closing one that it is about to use would fail its invocation.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How often we look whether the host is still there.
const PARENT_EVERY: Duration = Duration::from_secs(1);

/// What the functions work with.
#[derive(Debug)]
pub struct Handler {
    pub app: Arc<App>,
    pub config: Config,
}

/// A function's answer to the host.
enum Invoked {
    /// Always 200 with a JSON object.
    Done(Value),
    /// The host tries a queue message again, and logs a failed tick.
    Failed,
}

/// Serves the host until the process is told to end, or its parent is gone.
///
/// # Errors
/// When the port cannot be bound.
pub async fn run(handler: Handler, port: u16) -> std::io::Result<()> {
    let parent = std::os::unix::process::parent_id();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let handler = web::Data::new(handler);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(handler.clone())
            .route("/ImagePush", web::post().to(invoke))
            .route("/FanInTimer", web::post().to(invoke))
            .route("/Notify", web::post().to(invoke))
            .route("/Status", web::post().to(invoke))
            .route("/Jobs", web::post().to(invoke))
            .route("/JobStatus", web::post().to(invoke))
            // The host asks for readiness and health with GET /: any answer will do.
            .default_service(web::to(|| async { HttpResponse::Ok().json(json!({})) }))
    });
    let server = server.keep_alive(KEEP_ALIVE).workers(server::workers()).listen(listener)?.run();
    let stop = server.handle();
    tokio::spawn(async move {
        parent_gone(parent).await;
        tracing::warn!("the Functions host is gone; ending with it");
        stop.stop(false).await;
    });
    tracing::info!(port, "ready for the Functions host");
    server.await
}

/// A host that is killed leaves its children behind: then somebody else becomes our parent.
async fn parent_gone(parent: u32) {
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(PARENT_EVERY).await;
    }
}

async fn invoke(
    handler: web::Data<Handler>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let body = server::read(&mut payload, ENVELOPE_MAX).await;
    let function = request.path().trim_start_matches('/').to_owned();
    // A task of its own: what has begun is not dropped with the connection.
    let invoked = tokio::spawn(async move { dispatch(&handler, &function, body).await }).await;
    match invoked {
        Ok(Invoked::Done(value)) => HttpResponse::Ok().json(value),
        Ok(Invoked::Failed) | Err(_) => HttpResponse::InternalServerError().json(json!({})),
    }
}

async fn dispatch(handler: &Handler, function: &str, body: Result<Vec<u8>, Unread>) -> Invoked {
    let body = match body {
        Ok(body) => body,
        Err(unread) => {
            let refusal = match unread {
                Unread::TooLong => Answer::error(413, "the body is larger than 256 KiB"),
                Unread::BrokenOff => Answer::error(400, BROKEN_OFF),
            };
            return Invoked::Done(outputs(Some(&refusal), None));
        }
    };
    match function {
        "ImagePush" => image_push::invoke(handler, &body).await,
        "FanInTimer" => fan_in_timer::invoke(handler).await,
        "Notify" => notify::invoke(handler, &body).await,
        "Jobs" => jobs::invoke(handler, &body).await,
        "JobStatus" => job_status::invoke(handler, &body).await,
        _ => status::invoke(handler, &body).await,
    }
}

/// Messages that tell `Notify` what to do.
fn bell_messages(bells: &Bells) -> impl Iterator<Item = String> + '_ {
    bells.iter().copied().map(to_message)
}
