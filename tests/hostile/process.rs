//! The real binary in either home, and what can be seen of it from outside.

use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Far more than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running binary. Whatever it prints is kept.
#[derive(Debug)]
pub(crate) struct Process {
    process: watched::Process,
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
        ready: impl Fn(&Value) -> Option<SocketAddr> + Clone + Send + 'static,
    ) -> Self {
        let printed = Arc::<Mutex<Vec<String>>>::default();
        let (found, address) = mpsc::channel();
        let keep = Arc::clone(&printed);
        let see = move |line: &str| {
            keep.lock().unwrap().push(line.to_owned());
            if let Some(address) = ready(&serde_json::from_str(line).unwrap_or_default()) {
                found.send(address).unwrap_or_default();
            }
        };
        let process = watched::Process::start(&mut command, see).unwrap();
        let address = address.recv_timeout(PATIENCE);
        let address = address.unwrap_or_else(|_| panic!("it does not start: {printed:?}"));
        Self { process, address, printed }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }

    /// Memory in KiB that it holds at present.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.process.resident_kib().unwrap()
    }

    /// It still runs, and nothing of ours went wrong.
    pub(crate) fn is_unharmed(&mut self) {
        assert_eq!(self.process.ended().unwrap(), None, "it has ended");
        let fault = |line: &String| line.contains("a fault of ours: please report it");
        assert_eq!(self.lines().iter().find(|line| fault(line)), None);
    }

    /// Ends it and gives what it printed, each line of which is JSON.
    pub(crate) fn end(mut self) -> Vec<String> {
        assert_eq!(self.process.end(), Vec::<String>::new());
        self.lines()
    }
}

/// The binary with these settings and nothing else of this process' environment.
pub(crate) fn binary(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acr-fanin"));
    command.env_clear().envs(settings.iter().copied()).current_dir(folder);
    command
}
