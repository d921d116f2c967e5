//! The standalone home: one process over one SQLite file, with its sink behind a proxy. Time is real here, so
//! leases and pauses are short.

use crate::azure::Azure;
use crate::check::Observed;
use crate::hook::{Ack, Hook};
use crate::http;
use crate::process::{self, Logs, Settings};
use crate::proxy::{Proxy, Upstream, Wire};
use crate::sink::Sink;
use crate::world::Lost;
use acr_fanin::boot;
use acr_fanin::store::sqlite::Access;
use fan_in::Shard;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Alone {
    pub(crate) wire: Arc<Wire>,
    pub(crate) slack: Arc<Sink>,
    pub(crate) webhook: Arc<Sink>,
    /// Where `FANIN_CONFIG` is set.
    pub(crate) azure: Option<Azure>,
    pub(crate) logs: Logs,
    pub(crate) acks: Mutex<Vec<Ack>>,
    pub(crate) longest: Mutex<Duration>,
    settings: Mutex<Settings>,
    server: Mutex<Option<SocketAddr>>,
    client: http::Client,
    folder: TempDir,
    _proxies: [Proxy; 2],
}

impl Alone {
    pub(crate) async fn new(settings: &[(&'static str, &str)]) -> Self {
        let (wire, slack, webhook) =
            (Arc::<Wire>::default(), Arc::<Sink>::default(), Arc::<Sink>::default());
        let proxy = async |target, sink: &Arc<Sink>| {
            let upstream = Upstream::Sink(Arc::clone(sink));
            Proxy::start(Arc::clone(&wire), target, upstream).await.unwrap()
        };
        let proxies = [proxy("slack", &slack).await, proxy("webhook", &webhook).await];
        let mut all = Settings::from([
            ("WebhookRegions", "northeurope,westeurope".to_owned()),
            ("WebhookTimeout", "2s".to_owned()),
            ("FANIN_SINK_TIMEOUT", "1s".to_owned()),
            ("FANIN_RETRY", ["200ms"; 20].join(",")),
            (
                "SLACK_WEBHOOK_URL",
                format!("http://{}/services/T0/canary-of-slack/{{life}}", proxies[0].address),
            ),
        ]);
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        if let Some(url) = all.get_mut("NOTIFY_WEBHOOK_URL") {
            *url = format!("http://{}/canary-of-a-webhook/{{life}}", proxies[1].address);
        }
        let azure = match all.contains_key("FANIN_CONFIG") {
            true => {
                // Steps are long enough not to be cut short by a busy machine.
                all.insert("FANIN_SINK_TIMEOUT", "3s".to_owned());
                Some(Azure::start(&wire, &mut all).await)
            }
            false => None,
        };
        Self {
            wire: Arc::clone(&wire),
            slack,
            webhook,
            azure,
            logs: Logs::default(),
            acks: Mutex::default(),
            longest: Mutex::default(),
            settings: Mutex::new(all),
            server: Mutex::default(),
            client: http::Client::default(),
            folder: tempfile::tempdir().unwrap(),
            _proxies: proxies,
        }
    }

    pub(crate) fn set(&self, name: &'static str, value: &str) {
        self.settings.lock().unwrap().insert(name, value.to_owned());
    }

    /// A file beside the database.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(crate) async fn restart(&self) {
        self.wire.kill();
        let settings = self.settings.lock().unwrap().clone();
        let folder = Some(self.folder.path());
        let address = process::start(&self.wire, &self.logs, &settings, folder).await;
        *self.server.lock().unwrap() = Some(address);
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Result<http::Message, Lost> {
        let address = self.server.lock().unwrap().ok_or(Lost::Gone)?;
        let answer = self.client.call(address, method, path, body).await.map_err(|_| Lost::Gone)?;
        self.wire.look("an answer", &answer.content());
        Ok(answer)
    }

    pub(crate) async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        let begun = Instant::now();
        let path = format!("/api/ImagePush?region={region}");
        let answer = self.call("POST", &path, &hook.body().to_string()).await?;
        let took = begun.elapsed();
        let mut longest = self.longest.lock().unwrap();
        *longest = took.max(*longest);
        drop(longest);
        let body = String::from_utf8(answer.content()).unwrap();
        let ack = Ack::read(hook, region, answer.status(), &body);
        let taken = ack.is_some();
        self.acks.lock().unwrap().extend(ack);
        Ok(taken)
    }

    /// Due markers in the file.
    pub(crate) async fn markers(&self) -> usize {
        let path = self.folder.path().join("acr-fanin.db");
        let rows = boot::sqlite_rows(&path, Access::Command).unwrap();
        let mut markers = 0;
        for shard in Shard::all() {
            markers += rows.range(shard, "!", "\"", usize::MAX >> 1).await.unwrap().len();
        }
        markers
    }

    /// Waits until there is no work left, deadlines included.
    pub(crate) async fn settle(&self) {
        let begun = Instant::now();
        loop {
            if self.wire.has_ended() {
                self.restart().await;
            }
            let markers = self.markers().await;
            if markers == 0 {
                return;
            }
            let patient = begun.elapsed() < PATIENCE;
            assert!(patient, "{markers} pushes have work left\n{}", self.logs.last());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, "").await.unwrap();
        serde_json::from_slice(&answer.content()).unwrap()
    }

    /// A page of the list, as the page before says under `next`.
    pub(crate) async fn page(&self, after: Option<&str>) -> Value {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        self.get(&format!("/api/status?limit=200{after}")).await
    }

    pub(crate) async fn observe(&self) -> Observed {
        let (mut pushes, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(after.as_deref()).await;
            for push in page["pushes"].as_array().unwrap() {
                let id = push["push"].as_str().unwrap();
                pushes.push(self.get(&format!("/api/status/{id}")).await);
            }
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        let regions = self.settings.lock().unwrap()["WebhookRegions"].clone();
        Observed {
            pushes,
            acks: self.acks.lock().unwrap().clone(),
            regions: regions.split(',').map(str::to_owned).collect(),
            logs: self.logs.clone(),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        for file in self.folder.path().read_dir().into_iter().flatten().flatten() {
            // The log beside the database may go at any time.
            self.wire.look("the database", &std::fs::read(file.path()).unwrap_or_default());
        }
        self.wire.end();
    }
}
