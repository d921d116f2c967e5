//! Starts [Azurite](https://github.com/Azure/Azurite), Microsoft's storage emulator, for the tests.
//!
//! Each [`Azurite`] is one Node process with blob, queue and table service on free loopback ports
//! and all data in memory. It ends when the value is dropped and also when the test process ends in
//! any other way.
//!
//! The version is pinned in `package.json` and `package-lock.json` of this folder; `scripts/test`
//! installs it.
#![forbid(unsafe_code)]

mod announce;

use announce::{Announcement, Service};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

/// The account every Azurite knows. Public knowledge, not a secret:
/// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>.
const ACCOUNT: &str = "devstoreaccount1";
/// The key of [`ACCOUNT`], as public as the name.
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// How long a start may take before it counts as hung; a loaded machine needs a few seconds.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running Azurite. Dropping it ends the process.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    blob: String,
    queue: String,
    table: String,
}

impl Azurite {
    /// Starts an Azurite of one's own and returns once all three services accept connections.
    ///
    /// # Panics
    /// When Azurite is not installed (the message says how to install it) or does not come up.
    pub fn start() -> Self {
        Self::try_start().unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn try_start() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        if !folder.join("node_modules/azurite/package.json").is_file() {
            return Err(format!(
                "Azurite is not installed: run scripts/test once, or `npm ci` in {}",
                folder.display()
            ));
        }
        let mut child = Command::new("node")
            .arg(folder.join("watch.cjs"))
            .args(["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"])
            .args([
                "--inMemoryPersistence",
                "--disableTelemetry",
                "--silent",
                "--skipApiVersionCheck",
            ])
            .env_remove("AZURITE_ACCOUNTS")
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("Azurite needs `node` on the PATH: {error}"))?;
        let found = child
            .stdout
            .take()
            .ok_or_else(|| "Azurite was started without an output".to_owned())
            .and_then(listening);
        match found {
            Ok([blob, queue, table]) => Ok(Self { child, blob, queue, table }),
            Err(problem) => {
                end(&mut child);
                Err(problem)
            }
        }
    }

    /// Account, key and all three endpoints as one storage connection string.
    pub fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};\
             BlobEndpoint={};QueueEndpoint={};TableEndpoint={};",
            self.blob_endpoint(),
            self.queue_endpoint(),
            self.table_endpoint()
        )
    }

    /// The blob service, account included: `http://127.0.0.1:<port>/devstoreaccount1`.
    pub fn blob_endpoint(&self) -> String {
        format!("{}/{ACCOUNT}", self.blob)
    }

    /// The queue service, account included.
    pub fn queue_endpoint(&self) -> String {
        format!("{}/{ACCOUNT}", self.queue)
    }

    /// The table service, account included.
    pub fn table_endpoint(&self) -> String {
        format!("{}/{ACCOUNT}", self.table)
    }

    /// The account name.
    pub fn account(&self) -> &'static str {
        ACCOUNT
    }

    /// The account key, base64.
    pub fn key(&self) -> &'static str {
        KEY
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The Azurite that all tests of this process share; started at first use.
///
/// Tests keep apart by table and queue names of their own. The process ends with the test process
/// although statics are never dropped, because `watch.cjs` watches its input.
///
/// # Panics
/// As [`Azurite::start`].
pub fn shared() -> &'static Azurite {
    static SHARED: OnceLock<Azurite> = OnceLock::new();
    SHARED.get_or_init(Azurite::start)
}

/// Ends the child and takes its exit status, so that no zombie stays.
fn end(child: &mut Child) {
    // A failure means that it has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// The base addresses of blob, queue and table service, read from what Azurite prints.
fn listening(output: ChildStdout) -> Result<[String; 3], String> {
    let lines = drain(output);
    let mut found: [Option<String>; 3] = [None, None, None];
    loop {
        let line = match lines.recv_timeout(START_LIMIT) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                return Err(format!("Azurite did not start within {} s", START_LIMIT.as_secs()));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err("Azurite ended before it was listening".to_owned());
            }
        };
        if let Some(Announcement { service, address }) = Announcement::read(&line) {
            let slot = match service {
                Service::Blob => &mut found[0],
                Service::Queue => &mut found[1],
                Service::Table => &mut found[2],
            };
            *slot = Some(address);
        }
        if let [Some(blob), Some(queue), Some(table)] = &found {
            return Ok([blob.clone(), queue.clone(), table.clone()]);
        }
    }
}

/// Reads the output to its end in a thread, so that Azurite never blocks on a full pipe.
fn drain(output: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens any more once all addresses are known.
            let _ = sender.send(line);
        }
    });
    receiver
}
