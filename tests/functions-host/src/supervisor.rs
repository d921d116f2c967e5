//! The handler process: started on a free port, started again or not by the way it ended.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::app::App;
use crate::logs::{LogSource, Logs};
use crate::wire::{self, Head};
use crate::worker::{Phase, Request, Status};

const PING_EVERY: Duration = Duration::from_millis(25);
const READY_WITHIN: Duration = Duration::from_secs(30);
/// An error that long after the one before is the first again.
const FORGET_ERRORS_AFTER: Duration = Duration::from_secs(30 * 60);
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);
const MOST_ERRORS: u32 = 3;
/// What the handler sees of the environment of the tests.
const INHERITED: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"];

/// The side of a [`Worker`] that runs the process.
pub(crate) struct Supervisor {
    command: Command,
    address: SocketAddr,
    logs: Logs,
    status: watch::Sender<Status>,
    requests: mpsc::UnboundedReceiver<Request>,
    errors: u32,
    last_error: Option<Instant>,
    /// The tasks that read the output of the process.
    readers: JoinSet<()>,
}

enum Ending {
    Exited(ExitStatus),
    NotReady,
    Asked(Request),
}

fn command(app: &App, port: u16) -> Command {
    let worker_id = Uuid::new_v4().to_string();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    variables.extend(app.settings.iter().map(|(name, value)| (name.clone(), value.clone())));
    for name in ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"] {
        variables.insert(name.to_owned(), port.to_string());
    }
    for name in ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "FUNCTIONS_HTTPWORKER_ID"] {
        variables.insert(name.to_owned(), worker_id.clone());
    }
    let root = app.root.display().to_string();
    variables.insert("FUNCTIONS_APP_ROOT_PATH".to_owned(), root);
    let inherited = INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let mut command = Command::new(&app.handler.executable);
    command
        .args(&app.handler.arguments)
        .current_dir(&app.handler.directory)
        .env_clear()
        .envs(inherited)
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Supervisor {
    pub(crate) fn new(
        app: &App,
        address: SocketAddr,
        logs: Logs,
        status: watch::Sender<Status>,
        requests: mpsc::UnboundedReceiver<Request>,
    ) -> Self {
        Self {
            command: command(app, address.port()),
            address,
            logs,
            status,
            requests,
            errors: 0,
            last_error: None,
            readers: JoinSet::new(),
        }
    }

    /// Keeps the handler alive for as long as the rules say. Dropping the future kills it.
    pub(crate) async fn run(mut self) {
        loop {
            let mut child = match self.command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    self.logs.host(format!("The handler could not be started: {error}"));
                    return self.set(Phase::Closed);
                }
            };
            self.status.send_modify(|status| {
                *status =
                    Status { phase: Phase::Starting, pid: child.id(), starts: status.starts + 1 };
            });
            self.listen(&mut child);
            match self.watch(&mut child).await {
                Ending::Asked(Request::Release(to)) => {
                    // The receiver is gone: then the handler ends with this future.
                    let _gone = to.send(Some(child));
                    return self.set(Phase::Closed);
                }
                Ending::Exited(status) if !self.goes_on_after(status).await => return,
                Ending::NotReady | Ending::Asked(Request::Kill) => {
                    self.end(&mut child).await;
                    if !self.goes_on_after_error() {
                        return;
                    }
                }
                Ending::Asked(Request::Restart) => self.end(&mut child).await,
                Ending::Exited(_) => {}
            }
        }
    }

    fn set(&self, phase: Phase) {
        self.status.send_modify(|status| {
            status.phase = phase;
            if phase != Phase::Ready {
                status.pid = None;
            }
        });
    }

    async fn end(&self, child: &mut Child) {
        if let Err(error) = child.kill().await {
            self.logs.host(format!("The handler could not be killed: {error}"));
        }
    }

    async fn goes_on_after(&mut self, status: ExitStatus) -> bool {
        // Its last words; a process that it left behind may hold the pipe open, though.
        let read_to_the_end = async { while self.readers.join_next().await.is_some() {} };
        let _in_time = timeout(LAST_WORDS_WITHIN, read_to_the_end).await;
        self.logs.host(format!("The handler ended: {status}"));
        match status.code() {
            Some(0) => {
                self.set(Phase::Closed);
                false
            }
            Some(200) => true,
            _ => self.goes_on_after_error(),
        }
    }

    fn goes_on_after_error(&mut self) -> bool {
        let is_first = self.last_error.is_none_or(|last| last.elapsed() > FORGET_ERRORS_AFTER);
        self.errors = if is_first { 1 } else { self.errors + 1 };
        self.last_error = Some(Instant::now());
        let goes_on = self.errors < MOST_ERRORS;
        if !goes_on {
            self.logs.host("Exceeded the restart count of the handler. The host stops.");
            self.set(Phase::GivenUp);
        }
        goes_on
    }

    /// Waits until the process ends or something is asked; meanwhile it becomes ready.
    async fn watch(&mut self, child: &mut Child) -> Ending {
        let ready = timeout(READY_WITHIN, until_it_answers(self.address));
        tokio::pin!(ready);
        let mut is_starting = true;
        loop {
            tokio::select! {
                status = child.wait() => return status.map_or(Ending::NotReady, Ending::Exited),
                Some(request) = self.requests.recv() => return Ending::Asked(request),
                answered = &mut ready, if is_starting => match answered {
                    Ok(()) => {
                        is_starting = false;
                        self.set(Phase::Ready);
                    }
                    Err(_) => return Ending::NotReady,
                },
            }
        }
    }

    fn listen(&mut self, child: &mut Child) {
        if let Some(stdout) = child.stdout.take() {
            self.readers.spawn(copy_lines(stdout, LogSource::Stdout, self.logs.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            self.readers.spawn(copy_lines(stderr, LogSource::Stderr, self.logs.clone()));
        }
    }
}

async fn copy_lines(from: impl AsyncRead + Unpin, source: LogSource, logs: Logs) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        logs.add(source.clone(), line);
    }
}

/// Any answer will do, whatever its status.
async fn until_it_answers(address: SocketAddr) {
    let headers = vec![("Host".to_owned(), address.to_string())];
    let ping = Head { first: "GET / HTTP/1.1".to_owned(), headers };
    while wire::exchange(address, &ping, &[]).await.is_err() {
        sleep(PING_EVERY).await;
    }
}
