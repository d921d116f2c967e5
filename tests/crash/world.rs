//! The Functions home without its host: the handler, the queue between its functions, a table and sinks
//! behind proxies. What the host does is done here: it delivers bells, and loses what a dead handler had not
//! answered yet.

use crate::azure::Azure;
use crate::check::Observed;
use crate::hook::{Ack, Hook};
use crate::http;
use crate::process::{self, Logs, Settings};
use crate::proxy::{Fault, Proxy, Upstream, Wire};
use crate::sink::Sink;
use crate::table::Table;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use watched::{READ_TOKEN, WEBHOOK_SECRET};

/// Far more than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why an invocation has no outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The handler said so; the host tries a message again.
    Failed,
    /// The handler is dead.
    Gone,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) wire: Arc<Wire>,
    pub(crate) table: Table,
    pub(crate) slack: Arc<Sink>,
    pub(crate) webhook: Arc<Sink>,
    /// Where `FANIN_CONFIG` is set.
    pub(crate) azure: Option<Azure>,
    pub(crate) logs: Logs,
    pub(crate) queue: Mutex<VecDeque<String>>,
    pub(crate) acks: Mutex<Vec<Ack>>,
    /// The longest that a webhook waited for its answer.
    pub(crate) longest: Mutex<Duration>,
    settings: Mutex<Settings>,
    handler: Mutex<Option<SocketAddr>>,
    client: http::Client,
    _proxies: [Proxy; 3],
}

impl World {
    /// With nothing running yet, and no table.
    pub(crate) async fn new(settings: &[(&'static str, &str)]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let azurite = azurite::shared();
        let name = format!("crash{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let direct = azurite.connection_string();
        let service = azurite.table_endpoint();
        let service = service.trim_start_matches("http://").split('/').next().unwrap();
        let (wire, slack, webhook) =
            (Arc::<Wire>::default(), Arc::<Sink>::default(), Arc::<Sink>::default());
        let proxy = async |target, upstream| {
            Proxy::start(Arc::clone(&wire), target, upstream).await.unwrap()
        };
        let proxies = [
            proxy("table", Upstream::Service(service.parse().unwrap())).await,
            proxy("slack", Upstream::Sink(Arc::clone(&slack))).await,
            proxy("webhook", Upstream::Sink(Arc::clone(&webhook))).await,
        ];
        let [table, slack_url, _] = proxies.each_ref().map(|proxy| proxy.address.to_string());
        let mut all = Settings::from([
            ("WebhookRegions", "northeurope,westeurope".to_owned()),
            ("WebhookTimeout", "10m".to_owned()),
            ("FANIN_QUEUE", "fanin-notify".to_owned()),
            ("FANIN_SCHEDULE", "*/15 * * * * *".to_owned()),
            ("FANIN_TABLE", name.clone()),
            ("FANIN_SINK_TIMEOUT", "5s".to_owned()),
            ("FANIN_RETRY", "5s,5s,5s,5s,5s,5s,5s,5s".to_owned()),
            ("AzureWebJobsStorage", direct.replace(service, &table)),
            (
                "SLACK_WEBHOOK_URL",
                format!("http://{slack_url}/services/T0/canary-of-slack/{{life}}"),
            ),
        ]);
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        if let Some(url) = all.get_mut("NOTIFY_WEBHOOK_URL") {
            *url = format!("http://{}/canary-of-a-webhook/{{life}}", proxies[2].address);
        }
        let azure = match all.contains_key("FANIN_CONFIG") {
            true => Some(Azure::start(&wire, &mut all).await),
            false => None,
        };
        Self {
            table: Table::new(&direct, &name),
            wire: Arc::clone(&wire),
            slack,
            webhook,
            azure,
            logs: Logs::default(),
            queue: Mutex::default(),
            acks: Mutex::default(),
            longest: Mutex::default(),
            settings: Mutex::new(all),
            handler: Mutex::default(),
            client: http::Client::default(),
            _proxies: proxies,
        }
    }

    pub(crate) fn set(&self, name: &'static str, value: &str) {
        self.settings.lock().unwrap().insert(name, value.to_owned());
    }

    /// The regions of the settings.
    pub(crate) fn regions(&self) -> Vec<String> {
        self.settings.lock().unwrap()["WebhookRegions"].split(',').map(str::to_owned).collect()
    }

    /// Starts the handler, after the one that runs was killed.
    pub(crate) async fn restart(&self) {
        self.wire.kill();
        let settings = self.settings.lock().unwrap().clone();
        let address = process::start(&self.wire, &self.logs, &settings, None).await;
        *self.handler.lock().unwrap() = Some(address);
    }

    async fn invoke(&self, function: &str, data: Value) -> Result<Value, Lost> {
        let address = self.handler.lock().unwrap().ok_or(Lost::Gone)?;
        let envelope = json!({ "Data": data, "Metadata": {} }).to_string();
        let answer = self.client.call(address, "POST", &format!("/{function}"), &envelope).await;
        let answer = answer.map_err(|_| Lost::Gone)?;
        self.wire.look("an answer", &answer.content());
        match answer.status() {
            200 => Ok(serde_json::from_slice(&answer.content()).unwrap()),
            _ => Err(Lost::Failed),
        }
    }

    fn ring(&self, outputs: &Value) {
        let bells = outputs["Outputs"]["bells"].as_array().cloned().unwrap_or_default();
        let texts = bells.iter().map(|bell| bell.as_str().unwrap().to_owned());
        self.queue.lock().unwrap().extend(texts);
    }

    /// A webhook; says whether it was taken.
    pub(crate) async fn push(&self, hook: &Hook, region: &str) -> Result<bool, Lost> {
        let body = hook.body().to_string();
        let request = json!({
            "Url": format!("https://fanin.azurewebsites.net/api/ImagePush?region={region}"),
            "Method": "POST", "Query": { "region": region }, "Params": {}, "Identities": [],
            "Headers": {
                "Content-Type": ["application/json; charset=utf-8"],
                "Content-Length": [body.len().to_string()], "X-Fanin-Secret": [WEBHOOK_SECRET],
            },
            "Body": body,
        });
        let begun = Instant::now();
        let outputs = self.invoke("ImagePush", json!({ "req": request })).await?;
        let took = begun.elapsed();
        let mut longest = self.longest.lock().unwrap();
        *longest = took.max(*longest);
        drop(longest);
        let answer = &outputs["Outputs"]["res"];
        let code = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
        let ack = Ack::read(hook, region, code, answer["body"].as_str().unwrap());
        // The host answers the registry after it has put the messages into the queue.
        self.ring(&outputs);
        let taken = ack.is_some();
        self.acks.lock().unwrap().extend(ack);
        Ok(taken)
    }

    /// An arrival that came while the table was away, and was answered 202: what `ImagePush` really makes of
    /// one is asked once for each, in a world of its own.
    pub(crate) async fn queue_arrival(&self, hook: &Hook, region: &str) {
        static KNOWN: tokio::sync::Mutex<Vec<(Hook, Ack, String)>> =
            tokio::sync::Mutex::const_new(Vec::new());
        let mut known = KNOWN.lock().await;
        let of_this = |(h, ack, _): &&(Hook, Ack, String)| h == hook && ack.region == region;
        if known.iter().find(of_this).is_none() {
            let other = Box::pin(Self::new(&[])).await;
            other.wire.trouble("table", Fault::Unavailable, 100);
            other.restart().await;
            assert!(other.push(hook, region).await.unwrap());
            let ack = other.acks.lock().unwrap()[0].clone();
            assert_eq!(ack.result, "queued");
            let message = other.queue.lock().unwrap().pop_front().unwrap();
            other.wire.kill();
            known.push((hook.clone(), ack, message));
        }
        let (_, ack, message) = known.iter().find(of_this).unwrap();
        self.acks.lock().unwrap().push(ack.clone());
        self.queue.lock().unwrap().push_back(message.clone());
    }

    pub(crate) async fn tick(&self) -> Result<(), Lost> {
        let outputs = self.invoke("FanInTimer", json!({ "timer": {} })).await?;
        self.ring(&outputs);
        Ok(())
    }

    /// Gives one message to `Notify`. One that failed comes again; one that was under way when the handler
    /// died comes again, too, unless it is a bell and bells are to be lost.
    pub(crate) async fn notify_one(&self, lose_bells: bool) -> Result<bool, Lost> {
        let Some(message) = self.queue.lock().unwrap().pop_front() else { return Ok(false) };
        let text = json!(json!(message).to_string());
        match self.invoke("Notify", json!({ "msg": text })).await {
            Ok(_) => Ok(true),
            Err(lost) => {
                let is_bell = message.starts_with("{\"push\"");
                if !(lose_bells && is_bell && lost == Lost::Gone) {
                    self.queue.lock().unwrap().push_back(message);
                }
                Err(lost)
            }
        }
    }

    pub(crate) async fn pump(&self, lose_bells: bool) -> Result<(), Lost> {
        while self.notify_one(lose_bells).await? {}
        Ok(())
    }

    async fn status(&self, push: Option<&str>, query: Value) -> Value {
        let params = push.map_or_else(|| json!({}), |push| json!({ "push": push }));
        let request = json!({
            "Url": "https://fanin.azurewebsites.net/api/status", "Method": "GET", "Query": query,
            "Params": params, "Identities": [],
            "Headers": { "Authorization": [format!("Bearer {READ_TOKEN}")] },
        });
        let outputs = self.invoke("Status", json!({ "req": request })).await.unwrap();
        serde_json::from_str(outputs["Outputs"]["res"]["body"].as_str().unwrap()).unwrap()
    }

    /// A page of the list, as the page before says under `next`. Asks again while the store cannot be read, as the
    /// answer says.
    pub(crate) async fn page(&self, after: Option<&str>) -> Value {
        let query = match after {
            Some(after) => json!({ "limit": "200", "after": after }),
            None => json!({ "limit": "200" }),
        };
        let asked = async {
            loop {
                let page = self.status(None, query.clone()).await;
                if page["pushes"].is_array() {
                    return page;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap()
    }

    /// What the status says of every push.
    pub(crate) async fn pushes(&self) -> Vec<Value> {
        let (mut pushes, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.page(after.as_deref()).await;
            for push in page["pushes"].as_array().unwrap() {
                pushes.push(self.status(push["push"].as_str(), json!({})).await);
            }
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return pushes;
            }
        }
    }

    /// Ticks and delivers until nothing is due, moving the clock past leases and pauses on the way, but not
    /// past the deadline of a push that still waits.
    pub(crate) async fn settle(&self) {
        const ROUNDS: u32 = 60;
        for _ in 0..ROUNDS {
            if self.wire.has_ended() {
                self.restart().await;
            }
            if self.tick().await.is_ok() && self.pump(false).await.is_ok() {
                let markers = self.table.markers().await;
                let now = self.wire.now_ms();
                let soon = |due_ms: i64| due_ms < now + 60_000;
                if !markers.iter().any(|marker| soon(marker.due_ms)) {
                    return;
                }
                self.wire.advance(5);
            }
        }
        panic!("work does not end: {:?}\n{}", self.table.markers().await, self.logs.last());
    }

    /// Moves the clock past the retention, which is a day, and ticks until the product has purged everything: a tick
    /// purges some of it, and one that fails is followed by the next.
    pub(crate) async fn forget(&self) {
        const ROUNDS: u32 = 2_000;
        self.wire.advance(2 * 86_400);
        for _ in 0..ROUNDS {
            if self.table.keys().await.is_empty() {
                return;
            }
            if self.tick().await.is_ok() {
                self.pump(false).await.unwrap_or_default();
            }
        }
        panic!("not purged: {:?}\n{}", self.table.keys().await, self.logs.last());
    }

    /// Everything that can be seen from outside.
    pub(crate) async fn observe(&self) -> Observed {
        self.wire.look("the table", self.table.text().await.as_bytes());
        Observed {
            pushes: self.pushes().await,
            acks: self.acks.lock().unwrap().clone(),
            regions: self.regions(),
            logs: self.logs.clone(),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.wire.end();
    }
}
