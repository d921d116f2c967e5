//! How a host is set up and started.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Trigger};
use crate::core::Core;
use crate::error::HostError;
use crate::front;
use crate::host::Host;
use crate::in_flight::InFlight;
use crate::logs::Logs;
use crate::queue;
use crate::settings::Settings;
use crate::timer;
use crate::worker::{Phase, Worker};

/// A host that is to be started.
#[derive(Debug)]
pub struct HostBuilder {
    root: PathBuf,
    settings: Settings,
    keys: Vec<(String, String)>,
    port: u16,
    handler: Option<SocketAddr>,
    is_real_time: bool,
}

impl HostBuilder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            settings: Settings::default(),
            keys: Vec::new(),
            port: 0,
            handler: None,
            is_real_time: false,
        }
    }

    /// An app setting: the handler sees it in its environment, `%NAME%` in a file is replaced.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.set(name.into(), value.into());
        self
    }

    /// Many app settings.
    #[must_use]
    pub fn settings<N: Into<String>, V: Into<String>>(
        self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        settings.into_iter().fold(self, |builder, (name, value)| builder.setting(name, value))
    }

    /// A function key that callers may show.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.keys.push((name.into(), value.into()));
        self
    }

    /// The port of the host; a free one if this is not called.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Calls a handler that runs already instead of starting the one of `host.json`.
    #[must_use]
    pub fn running_handler(mut self, address: SocketAddr) -> Self {
        self.handler = Some(address);
        self
    }

    /// Polls the queues and runs the timers on schedule. Without it a test pumps and ticks.
    #[must_use]
    pub fn real_time(mut self) -> Self {
        self.is_real_time = true;
        self
    }

    /// Starts the host, and its handler until that answers.
    ///
    /// # Errors
    /// The app cannot be read, the port is taken, or the handler ended before it answered.
    pub async fn start(self) -> Result<Host, HostError> {
        let app = App::load(&self.root, self.settings)?;
        let logs = Logs::default();
        let (worker, supervisor) = match self.handler {
            Some(address) => (Worker::running(address), None),
            None => {
                let (worker, supervisor) = Worker::child(&app, &logs)?;
                (worker, Some(supervisor))
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let address = listener.local_addr()?;
        let core = Arc::new(Core {
            app,
            worker,
            keys: self.keys,
            logs,
            monitors: Mutex::new(HashMap::new()),
            in_flight: InFlight::default(),
            stopping: watch::Sender::new(false),
            closed: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
        });
        let host = Host { core: Arc::clone(&core), address };
        if let Some(supervisor) = supervisor {
            core.spawn(supervisor.run());
        }
        if core.worker.settled().await.phase != Phase::Ready {
            return Err(HostError::new(format!("the handler ended: {:?}", core.logs.lines())));
        }
        core.spawn(front::serve(Arc::clone(&core), listener));
        core.spawn(stop_when_given_up(Arc::clone(&core)));
        if self.is_real_time {
            core.start_listeners();
        }
        Ok(host)
    }
}

async fn stop_when_given_up(core: Arc<Core>) {
    core.worker.given_up().await;
    core.stopping.send_replace(true);
}

impl Core {
    fn start_listeners(self: &Arc<Self>) {
        for function in &self.app.functions {
            let name = function.name.clone();
            match function.trigger {
                Trigger::Http(_) => {}
                Trigger::Queue(_) => self.spawn(queue::run(Arc::clone(self), name)),
                Trigger::Timer(_) => self.spawn(timer::run(Arc::clone(self), name)),
            }
        }
    }
}
