//! The real binary as a process of a test, with secrets in its settings and its own logs on. Each line that it
//! prints has to be JSON, and none may show a secret; whoever drops the process learns of one that does.
#![forbid(unsafe_code)]

mod secrets;

pub use secrets::{Secrets, forms};

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

/// What a webhook has to bring where a test says nothing else.
pub const WEBHOOK_SECRET: &str = "canary-of-all-webhooks";
/// What guards the status where a test says nothing else.
pub const READ_TOKEN: &str = "canary-of-all-readers";

/// Settings that change nothing that a test is about.
const USUAL: [(&str, &str); 7] = [
    ("RUST_LOG", "debug"),
    ("FANIN_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ("FANIN_READ_TOKEN", READ_TOKEN),
    ("FANIN_FUNCTION_KEY", "canary-of-all-functions"),
    ("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000001"),
    ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000002"),
    ("AZURE_CLIENT_SECRET", "canary-of-all-clients"),
];

/// The settings of a test, and secrets where it has none of its own. One that it gives without a value is not set.
pub fn settings<N: Into<String>, V: Into<String>>(
    given: impl IntoIterator<Item = (N, V)>,
) -> BTreeMap<String, String> {
    let usual = USUAL.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut all = BTreeMap::from(usual);
    all.extend(given.into_iter().map(|(name, value)| (name.into(), value.into())));
    all.retain(|_, value| !value.is_empty());
    // A service principal would stand before a managed identity.
    if all.contains_key("IDENTITY_ENDPOINT") {
        let usual = |name: &str, value: &str| USUAL.contains(&(name, value));
        all.retain(|name, value| !(name.starts_with("AZURE_") && usual(name, value)));
    }
    all
}

/// A process that is killed when this is dropped.
///
/// # Panics
/// Dropped when it has printed what it must not, unless that was asked for with [`Process::end`].
#[derive(Debug)]
pub struct Process {
    child: Child,
    readers: Vec<JoinHandle<Vec<String>>>,
}

impl Process {
    /// Starts it; `see` is given each line that it prints.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        command: &mut Command,
        see: impl FnMut(&str) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let secrets = Secrets::of(command.get_envs().filter_map(|(_, value)| value?.to_str()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let readers = out
            .map(|out| read(out, secrets.clone(), see.clone()))
            .into_iter()
            .chain(err.map(|err| read(err, secrets, see)));
        Ok(Self { readers: readers.collect(), child })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has ended by itself.
    ///
    /// # Errors
    /// When nobody knows.
    pub fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When nobody knows.
    pub fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Memory in KiB that it holds at present.
    pub fn resident_kib(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most that it has held so far.
    pub fn peak_kib(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Kills it, and waits until all is read that it has printed; says what of that must not be.
    #[must_use = "these are faults of the product"]
    pub fn end(&mut self) -> Vec<String> {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let read = |reader: JoinHandle<Vec<String>>| {
            reader.join().unwrap_or_else(|_| vec!["what it printed was not read".to_owned()])
        };
        self.readers.drain(..).flat_map(read).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let bad = self.end();
        assert!(bad.is_empty() || std::thread::panicking(), "{bad:#?}");
    }
}

/// Reads to the end; gives what must not be.
fn read(
    from: impl Read + Send + 'static,
    secrets: Secrets,
    mut see: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let mut bad = Vec::new();
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            bad.extend(problem(&secrets, &line));
            see(&line);
        }
        bad
    })
}

/// What is wrong with a line of a log.
pub fn problem(secrets: &Secrets, line: &str) -> Option<String> {
    if serde_json::from_str::<BTreeMap<String, serde_json::Value>>(line).is_err() {
        return Some(format!("a line of the log is no JSON object: {line}"));
    }
    secrets.leak("the log", line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_json_or_shows_a_secret_is_told_when_the_process_has_ended() {
        let script = "echo '{}'; echo '{\"a\":\"'$SECRET'\"}'; echo plain >&2";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env_clear().env("SECRET", "canary-of-a-shell");
        let mut process = Process::start(&mut command, |_| {}).unwrap_or_else(|e| panic!("{e}"));
        assert!(process.wait().is_ok_and(|status| status.success()));
        let bad = process.end();
        assert_eq!(bad.len(), 2, "{bad:?}");
    }

    #[test]
    fn what_a_test_sets_stands_and_what_it_sets_to_nothing_is_not_set() {
        let all = settings([("RUST_LOG", "warn"), ("FANIN_READ_TOKEN", "")]);
        assert_eq!(all["RUST_LOG"], "warn");
        assert!(!all.contains_key("FANIN_READ_TOKEN"));
        assert_eq!(all["FANIN_WEBHOOK_SECRET"], WEBHOOK_SECRET);
    }
}
