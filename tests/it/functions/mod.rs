//! The Functions home end to end: the real binary behind the tests' own host, over Azurite. A test pumps the queue
//! and fires the timer itself; every stage has a table and a queue of its own.

mod answers;
mod bells;
mod jobs;
mod process;
mod pushes;
mod storage;

use crate::support::{Answer, PATIENCE, Receiver, parse};
use acr_fanin::boot;
use acr_fanin::config::Home;
use acr_fanin::store::Store;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fan_in::Shard;
use functions_host::{Host, HostError, LogLine, LogSource, QueueClient, Storage};
use serde_json::Value;
use std::collections::BTreeMap;
use watched::Secrets;

/// The texts that no log and no answer may show.
pub(crate) const KEY: &str = "canary-function-key";
pub(crate) const SECRET: &str = "canary-webhook-secret";
const SLACK_PATH: &str = "/services/T0/B0/canary-slack";

/// One deployment: settings that several hosts may run under, and a Slack.
#[derive(Debug)]
pub(crate) struct Stage {
    settings: BTreeMap<String, String>,
    pub(crate) slack: Receiver,
}

impl Stage {
    /// Waits for `regions`; tells Slack.
    pub(crate) fn new(regions: &str) -> Self {
        let name = format!("t{:016x}", fastrand::u64(..));
        let slack = Receiver::start();
        let settings = [
            ("FUNCTIONS_WORKER_RUNTIME", "custom".to_owned()),
            ("AzureWebJobsStorage", azurite::shared().connection_string()),
            ("FANIN_TABLE", name.clone()),
            ("FANIN_QUEUE", name),
            ("FANIN_SCHEDULE", "*/15 * * * * *".to_owned()),
            ("WebhookRegions", regions.to_owned()),
            ("SLACK_WEBHOOK_URL", slack.url(SLACK_PATH)),
            (
                "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath",
                env!("CARGO_BIN_EXE_acr-fanin").to_owned(),
            ),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { settings: settings.collect(), slack }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub(crate) fn without_slack(mut self) -> Self {
        self.settings.remove("SLACK_WEBHOOK_URL");
        self
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(&[]).await.unwrap()
    }

    /// A host with some settings of its own; an error when its handler does not start.
    pub(crate) async fn start_with(&self, other: &[(&str, &str)]) -> Result<Running, HostError> {
        let mut settings = self.settings.clone();
        settings
            .extend(other.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let queue = Storage::from_connection_string(&settings["AzureWebJobsStorage"])?;
        let queue = queue.queue(&settings["FANIN_QUEUE"]);
        let settings = watched::settings(settings);
        let secrets = Secrets::of(settings.values().map(String::as_str).chain([KEY]));
        let host = Host::builder(env!("CARGO_MANIFEST_DIR")).settings(settings);
        let host = host.key("default", KEY).start().await?;
        Ok(Running { host, queue, secrets })
    }

    /// What Slack has been told, in the order of the alphabet: notices that go out together come in any order.
    pub(crate) fn told(&self) -> Vec<String> {
        let mut texts: Vec<_> = self.slack.got.all().iter().map(|got| got.text()).collect();
        texts.sort();
        texts
    }

    /// Every push is decided and told of: no message, and no marker of work in the table, nor any secret.
    pub(crate) async fn assert_nothing_is_left(&self, running: &Running) {
        assert_eq!(running.queue.count().await.unwrap(), 0, "messages are left");
        assert_eq!(running.queue.poison().count().await.unwrap(), 0, "messages were given up");
        let config =
            acr_fanin::config::load_with_file(&self.settings, "", Some(Home::Functions), None);
        let rows = boot::azure_rows(&config.unwrap()).unwrap();
        for shard in Shard::all() {
            let all = rows.range(shard, "", "~", usize::MAX >> 1).await.unwrap();
            assert_eq!(running.secrets.leak("the table", &format!("{all:?}")), None);
        }
        let left = Store::new(rows, Default::default()).due(None, usize::MAX).await.unwrap();
        assert_eq!(left, [], "work is left");
    }
}

/// A host with its handler.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) queue: QueueClient,
    secrets: Secrets,
}

/// Whatever was printed so far and whatever the host said of it is looked at.
impl Drop for Running {
    fn drop(&mut self) {
        let problem = |line: &LogLine| match line.source {
            LogSource::Stdout | LogSource::Stderr => watched::problem(&self.secrets, &line.text),
            _ => self.secrets.leak("the host's log", &line.text),
        };
        let bad: Vec<_> = self.host.logs().iter().filter_map(problem).collect();
        assert!(bad.is_empty() || std::thread::panicking(), "{bad:#?}");
    }
}

impl Running {
    /// A request to the host, with the function's key.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let request = reqwest::Client::new().request(method, self.host.url(path));
        request.header("x-functions-key", KEY)
    }

    pub(crate) async fn post(&self, region: &str, body: &Value) -> Answer {
        let path = format!("/api/ImagePush?region={region}");
        Answer::of(self.request("POST", &path).json(body)).await
    }

    /// A body as it stands.
    pub(crate) async fn post_bytes(&self, region: &str, kind: &str, body: &[u8]) -> Answer {
        let path = format!("/api/ImagePush?region={region}");
        let request = self.request("POST", &path).header("content-type", kind);
        Answer::of(request.body(body.to_vec())).await
    }

    /// Asks again while the store cannot be read, as the answer says, which happens on a machine that is very busy.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let asked = async {
            loop {
                let answer = Answer::of(self.request("GET", path)).await;
                if answer.status != 503 {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap()
    }

    /// Has the messages handled, and what comes of them, until none is visible; says how many there were.
    pub(crate) async fn drain(&self) -> usize {
        let mut all = 0;
        loop {
            match self.host.pump_queue().await.unwrap() {
                0 => return all,
                handled => all += handled,
            }
        }
    }

    /// A tick that fails, because the store did not answer in time, is followed by the next one.
    pub(crate) async fn tick(&self) {
        let ticked = async { while self.host.tick("FanInTimer").await.is_err() {} };
        tokio::time::timeout(PATIENCE, ticked).await.unwrap();
    }

    /// Lets the timer run until the push has this status.
    pub(crate) async fn tick_until(&self, push: &str, status: u16) {
        let decided = async {
            while self.get(&format!("/api/status/{push}")).await.status != status {
                self.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, decided).await.unwrap();
    }

    /// Puts a message into the queue as the host does.
    pub(crate) async fn put(&self, text: &str) {
        self.queue.put(&STANDARD.encode(text)).await.unwrap();
    }

    /// The messages that are visible, as texts.
    pub(crate) async fn messages(&self) -> Vec<String> {
        let messages = self.queue.peek(32).await.unwrap();
        let text = |text: &str| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
        let texts: Vec<_> = messages.iter().map(|message| text(&message.text)).collect();
        assert_eq!(self.secrets.leak("the queue", &texts.concat()), None);
        texts
    }

    /// What the handler has logged. Every line of it is JSON, whatever happens.
    pub(crate) fn handler_logs(&self) -> Vec<Value> {
        let logs = self.host.logs();
        let lines = logs.iter().filter(|line| line.source == LogSource::Stdout);
        lines.map(|line| parse(&line.text)).collect()
    }
}
