//! The real binary in either home, and what can be seen of it from outside.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Far more than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running binary. Whatever it prints is kept.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// `acr-fanin serve` with its database in the folder.
    pub(crate) fn serve(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = binary(folder, settings);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::start(command, |line| line["address"].as_str()?.parse().ok())
    }

    /// The handler of the Functions host.
    pub(crate) fn handler(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = binary(folder, settings);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string());
        Self::start(command, move |line| {
            (line["message"] == "ready for the Functions host").then_some(address)
        })
    }

    /// Runs it; `ready` finds the address in the line that says that it listens.
    fn start(
        mut command: Command,
        ready: impl Fn(&Value) -> Option<SocketAddr> + Send + 'static,
    ) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = Arc::default();
        keep(child.stderr.take().unwrap(), &printed, |_| {});
        let (found, address) = mpsc::channel();
        keep(child.stdout.take().unwrap(), &printed, move |line| {
            let line = serde_json::from_str(line).unwrap_or_default();
            if let Some(address) = ready(&line) {
                found.send(address).unwrap_or_default();
            }
        });
        let address = address.recv_timeout(PATIENCE);
        let address = address.unwrap_or_else(|_| panic!("it does not start: {printed:?}"));
        Self { child, address, printed }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }

    /// Memory in KiB that it holds at present.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// It still runs, and nothing of ours went wrong: no panic, and every line is JSON.
    pub(crate) fn is_unharmed(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
        for line in self.lines() {
            let line: Value =
                serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            assert_ne!(line["message"], "a fault of ours: please report it", "{line}");
        }
    }

    /// Ends it and gives what it printed.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.kill();
        self.lines()
    }

    fn kill(&mut self) {
        // It may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary with these settings and nothing else of this process' environment.
pub(crate) fn binary(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acr-fanin"));
    command.env_clear().envs(settings.iter().copied()).current_dir(folder);
    command
}

fn keep(
    from: impl Read + Send + 'static,
    printed: &Arc<Mutex<Vec<String>>>,
    mut see: impl FnMut(&str) + Send + 'static,
) {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            see(&line);
            printed.lock().unwrap().push(line);
        }
    });
}
