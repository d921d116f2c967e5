//! A host from the outside: driven, stopped and killed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::process::Child;

use crate::app::Trigger;
use crate::builder::HostBuilder;
use crate::core::Core;
use crate::error::HostError;
use crate::logs::LogLine;
use crate::timer;

/// A running host. Dropping it kills it, and its handler with it.
#[derive(Debug)]
pub struct Host {
    pub(crate) core: Arc<Core>,
    pub(crate) address: SocketAddr,
}

/// A handler whose host is gone. Dropping it kills it.
#[derive(Debug)]
pub struct Orphan {
    child: Child,
    address: SocketAddr,
}

impl Orphan {
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where the handler listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the process is still there.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Host {
    /// A host for the app in this folder.
    #[must_use]
    pub fn builder(app_root: impl Into<PathBuf>) -> HostBuilder {
        HostBuilder::new(app_root.into())
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, for example `/api/status`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Handles every queue message that is visible now, each once, and returns how many there
    /// were. What they put into queues waits for the next call.
    ///
    /// # Errors
    /// The storage account does not answer as it should.
    pub async fn pump_queue(&self) -> Result<usize, HostError> {
        Ok(self.core.pump().await?)
    }

    /// Fires a timer now.
    ///
    /// # Errors
    /// There is no such timer, or its invocation failed.
    pub async fn tick(&self, function: &str) -> Result<(), HostError> {
        let unknown = HostError::new(format!("{function} is no timer"));
        let Some(function) = self.core.app.function(function) else { return Err(unknown) };
        let Trigger::Timer(trigger) = &function.trigger else { return Err(unknown) };
        let result = timer::tick(&self.core, function, trigger).await;
        result.map_err(|failure| HostError::new(failure.0))
    }

    /// The process of the handler, while there is one.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        self.core.worker.status().pid
    }

    /// Where the handler listens.
    #[must_use]
    pub fn handler_address(&self) -> SocketAddr {
        self.core.worker.address
    }

    /// How often the handler has been started.
    #[must_use]
    pub fn handler_starts(&self) -> u32 {
        self.core.worker.status().starts
    }

    /// Waits until the handler has been started that often and answers, or never will.
    pub async fn handler_started(&self, times: u32) {
        self.core.worker.started(times).await;
    }

    /// Kills the handler behind the back of the host, which counts it as an error and starts it
    /// again, but stops at the third one.
    pub async fn kill_handler(&self) {
        self.core.worker.kill().await;
    }

    /// Has the host replace its handler, and waits until the new one answers.
    pub async fn restart_handler(&self) {
        self.core.worker.restart(self.handler_starts()).await;
        self.core.worker.settled().await;
    }

    /// Stops the host as SIGTERM does: what is in flight is answered, then the handler is killed.
    pub async fn stop(&self) {
        self.core.stopping.send_replace(true);
        self.core.in_flight.is_idle().await;
        let child = self.core.worker.release().await;
        self.core.end_tasks().shutdown().await;
        if let Some(mut child) = child {
            // An error means that it has ended already.
            let _ended = child.kill().await;
        }
    }

    /// Waits until the host listens no more: it was stopped, or its handler failed too often.
    pub async fn stopped(&self) {
        let mut closed = self.core.closed.subscribe();
        // An error is impossible while `self` holds the sender.
        let _gone = closed.wait_for(|closed| *closed).await;
    }

    /// Kills the host as SIGKILL does, at once and without its handler; `None` if it has none.
    pub async fn kill_host_only(self) -> Option<Orphan> {
        let child = self.core.worker.release().await;
        self.core.end_tasks().shutdown().await;
        Some(Orphan { child: child?, address: self.core.worker.address })
    }

    /// Everything that the handler and the host have said so far.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.core.logs.lines()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.core.end_tasks());
    }
}
