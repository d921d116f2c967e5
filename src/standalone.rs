//! The standalone home: own listener, timer and queue over the same use cases.

use crate::answer::{Answer, Request};
use crate::api::image_push::{Fallback, image_push};
use crate::api::{authorize, jobs, metrics, status};
use crate::app::{App, Bell, Bells};
use crate::config::Config;
use crate::limits::BODY_MAX;
use crate::server::{self, BROKEN_OFF, Unread};
use actix_web::dev::ServerHandle;
use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

const TICK_EVERY: Duration = Duration::from_secs(1);
/// Bells that are answered side by side; what one sink may have of that is less.
const DELIVERIES_MAX: usize = 512;
/// How long a stop waits for what is under way.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// A sender gets this long for its whole body.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What the routes work with.
struct Home {
    app: Arc<App>,
    config: Config,
    bells: mpsc::UnboundedSender<Bell>,
}

/// A server that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    ticker: JoinHandle<()>,
    deliverer: JoinHandle<()>,
    under_way: Arc<Semaphore>,
}

impl Running {
    /// Serves on a listener that is bound already.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start(app: Arc<App>, config: Config, listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (bells, rung) = mpsc::unbounded_channel();
        let under_way = Arc::new(Semaphore::new(DELIVERIES_MAX));
        let deliverer = tokio::spawn(answer_all(Arc::clone(&app), rung, Arc::clone(&under_way)));
        let ticker = tokio::spawn(tick_forever(Arc::clone(&app), bells.clone()));
        let home = web::Data::new(Home { app, config, bells });
        let server = HttpServer::new(move || {
            actix_web::App::new().app_data(home.clone()).default_service(web::to(serve))
        });
        let server = server
            .workers(server::workers())
            .disable_signals()
            .shutdown_timeout(STOP_WITHIN.as_secs());
        let server = server.listen(listener)?.run();
        let handle = server.handle();
        Ok(Self { address, handle, server: tokio::spawn(server), ticker, deliverer, under_way })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: no new request, no new delivery; what is under way gets some time.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        self.ticker.abort();
        self.deliverer.abort();
        let all = u32::try_from(DELIVERIES_MAX).unwrap_or(u32::MAX);
        if tokio::time::timeout(STOP_WITHIN, self.under_way.acquire_many(all)).await.is_err() {
            tracing::warn!("stopped while deliveries were under way; they are repeated");
        }
    }

    /// Serves until the server ends by itself, which it only does in trouble.
    ///
    /// # Errors
    /// The server's.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        (&mut self.server).await.map_err(std::io::Error::other)?
    }
}

async fn answer_all(
    app: Arc<App>,
    mut rung: mpsc::UnboundedReceiver<Bell>,
    under_way: Arc<Semaphore>,
) {
    while let Some(bell) = rung.recv().await {
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            if let Err(error) = app.answer(bell).await {
                tracing::warn!(?bell, %error, "a bell could not be answered; the timer rings again");
            }
            drop(permit);
        });
    }
}

async fn tick_forever(app: Arc<App>, bells: mpsc::UnboundedSender<Bell>) {
    let mut ticks = tokio::time::interval(TICK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match app.sweep().await {
            Ok(swept) => ring(&bells, swept.bells),
            Err(error) => tracing::error!(%error, "the tick could not read what is due"),
        }
    }
}

fn ring(bells: &mpsc::UnboundedSender<Bell>, rung: Bells) {
    // When we are stopping nobody listens any more: the timer of the next start finds what was not rung.
    rung.into_iter().map(|bell| bells.send(bell)).take_while(Result::is_ok).for_each(drop);
}

async fn serve(
    home: web::Data<Home>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let mut read = read(&request);
    let path = request.path().trim_end_matches('/').to_owned();
    let Ok(body) = tokio::time::timeout(BODY_WITHIN, server::read(&mut payload, BODY_MAX)).await
    else {
        return server::respond_to(payload, Answer::error(408, "the body did not come in time"));
    };
    match body {
        Ok(body) => {
            read.body_bytes = body.len();
            read.body = Some(body).filter(|body| !body.is_empty());
        }
        Err(Unread::TooLong) => read.body_bytes = usize::MAX,
        Err(Unread::BrokenOff) => {
            return server::respond_to(payload, Answer::error(400, BROKEN_OFF));
        }
    }
    // A task of its own: what has begun is not dropped with the connection.
    let answer = tokio::spawn(async move { route(&home, &path, &read).await }).await;
    let answer = answer.unwrap_or_else(|_| {
        Answer::error(500, "this request met a fault of ours; it is in the log")
    });
    server::respond_to(payload, answer)
}

fn read(request: &HttpRequest) -> Request {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let headers = request.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Request {
        method: request.method().as_str().to_owned(),
        query: query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        headers: headers.collect(),
        body: None,
        body_bytes: 0,
    }
}

/// Paths are compared without case, as the Functions host does.
async fn route(home: &Home, path: &str, request: &Request) -> Answer {
    let Home { app, config, bells } = home;
    let lower = path.to_ascii_lowercase();
    match lower.as_str() {
        "/api/imagepush" => {
            let pushed = image_push(app, &config.intake, request, Fallback::Refuse).await;
            ring(bells, pushed.bells);
            pushed.answer
        }
        "/healthz" => metrics::health(app, request).await,
        "/metrics" => guarded(config, request, || async { metrics::metrics(app, request) }).await,
        "/api/status" => guarded(config, request, || status::status(app, None, request)).await,
        // Without a token any page in a browser of this machine could send one, and with it a page elsewhere.
        "/api/jobs" if request.header("origin").is_some() => {
            Answer::error(403, "jobs are not started by web pages")
        }
        "/api/jobs" => {
            let begin = || async {
                let asked = jobs::begin(app, request).await;
                ring(bells, asked.bells);
                asked.answer
            };
            guarded(config, request, begin).await
        }
        _ => {
            if let Some(push) = lower.strip_prefix("/api/status/") {
                return guarded(config, request, || status::status(app, Some(push), request)).await;
            }
            if let Some(job) = lower.strip_prefix("/api/jobs/") {
                return guarded(config, request, || jobs::status(app, Some(job), request)).await;
            }
            Answer::error(404, "there is nothing here; webhooks go to /api/ImagePush")
        }
    }
}

async fn guarded<F: Future<Output = Answer>>(
    config: &Config,
    request: &Request,
    answer: impl FnOnce() -> F,
) -> Answer {
    match authorize(request, config.read_token.as_ref()) {
        Ok(()) => answer().await,
        Err(refusal) => refusal,
    }
}
