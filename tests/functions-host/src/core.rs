//! The middle of the host: every trigger ends in one call of the handler.

use std::collections::HashMap;
use std::future::{self, Future};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::app::{App, Function, Output};
use crate::in_flight::InFlight;
use crate::json::Json;
use crate::logs::{LogSource, Logs};
use crate::messages;
use crate::result::{Failure, InvocationResult};
use crate::timer::Monitor;
use crate::wire::{self, Head, Received};
use crate::worker::{Phase, Worker};

const VERSION: &str = "4.1037.0.0";
/// As long as the real host waits for a handler that does not get ready.
const READY_WITHIN: Duration = Duration::from_secs(120);
const MOST_REDIRECTS: usize = 50;

/// What all parts of a host share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) app: App,
    pub(crate) worker: Worker,
    /// Function keys: name and value.
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) logs: Logs,
    pub(crate) monitors: Mutex<HashMap<String, Monitor>>,
    pub(crate) in_flight: InFlight,
    pub(crate) stopping: watch::Sender<bool>,
    /// Whether the HTTP server has stopped listening.
    pub(crate) closed: watch::Sender<bool>,
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

/// What a trigger hands to the handler.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) binding: String,
    pub(crate) data: Json,
    pub(crate) metadata: Json,
}

impl Core {
    /// Runs something until it ends or the host does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// Ends all tasks, and with the supervisor its process.
    pub(crate) fn end_tasks(&self) -> JoinSet<()> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
        std::mem::take(&mut tasks)
    }

    /// Calls the handler and does what it answers, but for the HTTP response.
    pub(crate) async fn invoke(
        &self,
        function: &Function,
        call: Call,
    ) -> Result<InvocationResult, Failure> {
        let result = self.invoke_unlogged(function, call).await;
        if let Err(failure) = &result {
            self.logs.host(format!("{} failed: {}", function.name, failure.0));
        }
        result
    }

    async fn invoke_unlogged(
        &self,
        function: &Function,
        call: Call,
    ) -> Result<InvocationResult, Failure> {
        let status = timeout(READY_WITHIN, self.worker.settled()).await;
        let status = status.map_err(|_| Failure::new("the handler does not get ready"))?;
        if status.phase != Phase::Ready {
            return Err(Failure::new("there is no handler"));
        }
        let mut result = match self.app.timeout {
            None => self.call(function, call).await?,
            Some(longest) => match timeout(longest, self.call(function, call)).await {
                Ok(answer) => answer?,
                Err(_) => {
                    self.worker.restart(status.starts).await;
                    return Err(Failure::new("it took longer than functionTimeout"));
                }
            },
        };
        for line in &result.logs {
            self.logs.add(LogSource::Function(function.name.clone()), line);
        }
        result.place_return_value(function);
        for output in &function.outputs {
            if let Output::Queue { binding, queue } = output
                && let Some(value) = result.output(binding)
            {
                messages::put(queue, value, self.app.queues.base64).await?;
            }
        }
        Ok(result)
    }

    /// One call. An answer that says nothing leaves it open for ever.
    async fn call(&self, function: &Function, call: Call) -> Result<InvocationResult, Failure> {
        let body = Json::Object(vec![
            ("Data".to_owned(), Json::Object(vec![(call.binding, call.data)])),
            ("Metadata".to_owned(), call.metadata),
        ]);
        let head = Head {
            first: format!("POST /{} HTTP/1.1", function.name),
            headers: call_headers(self.worker.address, true),
        };
        let answer = follow(self.worker.address, head, body.compact().as_bytes()).await;
        let answer = answer.map_err(|error| Failure::new(format!("no answer: {error}")))?;
        match InvocationResult::read(&answer)? {
            Some(result) => Ok(result),
            None => future::pending().await,
        }
    }
}

fn call_headers(handler: SocketAddr, has_body: bool) -> Vec<(String, String)> {
    let invocation = Uuid::new_v4().to_string();
    let mut headers = vec![
        ("Host", handler.to_string()),
        ("X-Azure-Functions-HostVersion", VERSION.to_owned()),
        ("X-Azure-Functions-InvocationId", invocation),
        ("User-Agent", format!("Azure-Functions-Host/{VERSION}")),
    ];
    if has_body {
        headers.push(("Transfer-Encoding", "chunked".to_owned()));
        headers.push(("Content-Type", "application/json; charset=utf-8".to_owned()));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Sends a request to the handler and goes where it points to: with GET and without a body,
/// but for 307 and 308.
async fn follow(handler: SocketAddr, mut head: Head, mut body: &[u8]) -> std::io::Result<Received> {
    for _ in 0..MOST_REDIRECTS {
        let answer = wire::exchange(handler, &head, body).await?;
        let location = answer.head.header("location");
        let (Some(status @ (301 | 302 | 303 | 307 | 308)), Some(location)) =
            (answer.head.status(), location)
        else {
            return Ok(answer);
        };
        let Some(path) = path_at(handler, location) else { return Ok(answer) };
        if status < 307 {
            body = &[];
            head.headers
                .retain(|(name, _)| !matches!(name.as_str(), "Transfer-Encoding" | "Content-Type"));
            head.first = format!("GET {path} HTTP/1.1");
        } else {
            let method = head.first.split(' ').next().unwrap_or_default();
            head.first = format!("{method} {path} HTTP/1.1");
        }
    }
    wire::exchange(handler, &head, body).await
}

/// The path of a location at the handler; there is no way to anybody else.
fn path_at(handler: SocketAddr, location: &str) -> Option<String> {
    let location = location.strip_prefix(&format!("http://{handler}")).unwrap_or(location);
    location.starts_with('/').then(|| location.to_owned())
}
