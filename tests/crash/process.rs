//! The real binary as a process, whose log is kept.

use crate::proxy::Wire;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use watched::{Process, Secrets};

pub(crate) type Settings = BTreeMap<&'static str, String>;

/// What all processes of a world have logged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<String>>>);

impl Logs {
    pub(crate) fn of(&self, message: &str) -> Vec<Value> {
        let lines = self.0.lock().unwrap().clone();
        let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        parsed
            .filter(|line| line["message"].as_str().is_some_and(|m| m.contains(message)))
            .collect()
    }

    /// Calls of a sink of which the product itself says that it does not know how they ended.
    pub(crate) fn unknown_outcomes(&self, sink: &str) -> usize {
        let unknown = |line: &Value| {
            let error = line["error"].as_str().unwrap_or_default();
            line["sink"] == sink
                && (error.starts_with("no answer")
                    || error.starts_with("the connection broke")
                    || error.starts_with("HTTP 200"))
        };
        let lost = self.of("results of deliveries are lost").len();
        self.of("not delivered").into_iter().filter(unknown).count() + lost
    }

    /// Nothing that only a fault of the product could bring forth.
    pub(crate) fn assert_clean(&self) {
        for bad in ["would break a law", "panicked", "that is not kept", "neither a bell nor"] {
            let lines = self.of(bad);
            assert!(lines.is_empty(), "{lines:#?}");
        }
    }

    /// For a failure's message.
    pub(crate) fn last(&self) -> String {
        let lines = self.0.lock().unwrap();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// Starts the binary: the Functions handler or, with a folder, `serve` there.
pub(crate) async fn start(
    wire: &Wire,
    logs: &Logs,
    settings: &Settings,
    folder: Option<&Path>,
) -> SocketAddr {
    loop {
        // The port is free now; should somebody take it before us, the process ends and we take another.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_acr-fanin"));
        // Sinks know the processes apart by their paths: a request may arrive when its sender is dead.
        let life = format!("life{}", wire.lives() + 1);
        let settings = settings.iter().map(|(name, value)| (*name, value.replace("{life}", &life)));
        let settings = watched::settings(settings);
        let secrets = Secrets::of(settings.values().map(String::as_str));
        command.env_clear().envs(settings);
        match folder {
            Some(folder) => {
                command.current_dir(folder).args(["serve", "--listen", &address.to_string()])
            }
            None => command.env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string()),
        };
        let listens = Arc::<AtomicBool>::default();
        let see = {
            let (logs, listens) = (logs.clone(), Arc::clone(&listens));
            move |line: &str| {
                if line.contains("ready for the Functions host") || line.contains("\"serving\"") {
                    listens.store(true, Ordering::Release);
                }
                logs.0.lock().unwrap().push(line.to_owned());
            }
        };
        wire.born(Process::start(&mut command, see).unwrap(), secrets);
        while !wire.has_ended() {
            // It says so itself: an answer on the port could be somebody else's.
            if listens.load(Ordering::Acquire) {
                return address;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let said = wire.stillborn().concat();
        assert!(said.contains("cannot listen") || said.contains("in use"), "{said}{}", logs.last());
    }
}
