//! Slack, as far as an incoming webhook goes.

use actix_web::dev::ServerHandle;
use actix_web::{HttpResponse, HttpServer, web};
use anyhow::Context;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;
use tokio::sync::mpsc;

/// A notice that is not there by then is missing.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct FakeSlack {
    address: SocketAddr,
    texts: mpsc::UnboundedReceiver<String>,
    handle: ServerHandle,
}

impl FakeSlack {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let address = listener.local_addr()?;
        let (sender, texts) = mpsc::unbounded_channel();
        let server = HttpServer::new(move || {
            let sender = web::Data::new(sender.clone());
            actix_web::App::new().app_data(sender).default_service(web::post().to(receive))
        });
        let server = server.workers(1).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, texts, handle })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/services/T000/B000/demo", self.address)
    }

    /// The next message, as it came.
    pub(super) async fn next(&mut self) -> anyhow::Result<String> {
        let text = tokio::time::timeout(PATIENCE, self.texts.recv())
            .await
            .context("no message came to Slack")?;
        text.context("the fake Slack has ended")
    }

    /// A message that nobody has waited for.
    pub(super) fn unexpected(&mut self) -> Option<String> {
        self.texts.try_recv().ok()
    }
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn receive(
    sender: web::Data<mpsc::UnboundedSender<String>>,
    message: web::Json<Value>,
) -> HttpResponse {
    match message.get("text").and_then(Value::as_str) {
        Some(text) if sender.send(text.to_owned()).is_ok() => {
            HttpResponse::Ok().content_type("text/plain").body("ok")
        }
        _ => HttpResponse::BadRequest().body("no_text"),
    }
}
