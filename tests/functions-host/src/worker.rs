//! The handler as the rest of the host sees it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};

use crate::app::App;
use crate::error::HostError;
use crate::logs::Logs;
use crate::supervisor::Supervisor;

/// How the handler is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Ready,
    /// It ended with code 0, or could not be started: every call fails from now on.
    Closed,
    /// It failed too often: the host stops.
    GivenUp,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    pub(crate) pid: Option<u32>,
    pub(crate) starts: u32,
}

pub(crate) enum Request {
    /// What somebody outside would do with `kill -9`.
    Kill,
    /// What the host does itself: not counted as an error.
    Restart,
    Release(oneshot::Sender<Option<Child>>),
}

/// A handler: a process of the host, or a server that somebody else runs.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) address: SocketAddr,
    status: watch::Receiver<Status>,
    requests: mpsc::UnboundedSender<Request>,
}

impl Worker {
    /// A handler that is to be started; the supervisor's [`run`](Supervisor::run) does it.
    pub(crate) fn child(app: &App, logs: &Logs) -> Result<(Self, Supervisor), HostError> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let starting = Status { phase: Phase::Starting, pid: None, starts: 0 };
        let (status, watched) = watch::channel(starting);
        let (sender, requests) = mpsc::unbounded_channel();
        let supervisor = Supervisor::new(app, address, logs.clone(), status, requests);
        Ok((Self { address, status: watched, requests: sender }, supervisor))
    }

    /// A handler that is no process of this host.
    pub(crate) fn running(address: SocketAddr) -> Self {
        let ready = Status { phase: Phase::Ready, pid: None, starts: 0 };
        Self { address, status: watch::channel(ready).1, requests: mpsc::unbounded_channel().0 }
    }

    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until the handler has been started, for good or not.
    pub(crate) async fn settled(&self) -> Status {
        self.until(|status| status.phase != Phase::Starting).await
    }

    /// Waits until the handler has been started that often and is ready, or never will be.
    pub(crate) async fn started(&self, times: u32) {
        self.until(|status| match status.phase {
            Phase::Starting => false,
            Phase::Ready => status.starts >= times,
            Phase::Closed | Phase::GivenUp => true,
        })
        .await;
    }

    /// Waits until the handler has failed too often, for ever if need be.
    pub(crate) async fn given_up(&self) {
        if self.until(|status| status.phase == Phase::GivenUp).await.phase != Phase::GivenUp {
            std::future::pending().await
        }
    }

    async fn until(&self, is_it: impl Fn(&Status) -> bool) -> Status {
        let mut status = self.status.clone();
        // An error means that nobody changes the status any more.
        status.wait_for(|status| is_it(status)).await.map_or_else(|_| self.status(), |s| *s)
    }

    pub(crate) async fn kill(&self) {
        let before = self.status().pid;
        if before.is_some() && self.requests.send(Request::Kill).is_ok() {
            self.until(|status| status.pid != before).await;
        }
    }

    /// Has the handler replaced, unless that has happened since it was started for the
    /// `starts`-th time.
    pub(crate) async fn restart(&self, starts: u32) {
        if self.status().starts == starts && self.requests.send(Request::Restart).is_ok() {
            self.until(|status| status.starts != starts).await;
        }
    }

    /// Takes the process out of the host's hands.
    pub(crate) async fn release(&self) -> Option<Child> {
        let (sender, child) = oneshot::channel();
        self.requests.send(Request::Release(sender)).ok()?;
        child.await.ok()?
    }
}
