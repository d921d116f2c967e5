//! What the scenarios are played on: the server, the fake Slack, and the audience's screen.

use super::fake_slack::FakeSlack;
use super::{REGIONS, say};
use anyhow::{Context, bail, ensure};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::time::Duration;

/// Between two webhooks, so that one can watch.
const PACE: Duration = Duration::from_millis(150);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Stage {
    server: SocketAddr,
    http: reqwest::Client,
    slack: FakeSlack,
    bars: MultiProgress,
}

/// One image on its way through the regions.
pub(super) struct Scene {
    image: String,
    body: Value,
    bar: ProgressBar,
    location: Option<String>,
}

impl Stage {
    pub(super) fn new(server: SocketAddr, slack: FakeSlack) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build()?;
        Ok(Self { server, http, slack, bars: MultiProgress::new() })
    }

    /// A line above the bars.
    pub(super) fn tell(&self, line: &str) {
        self.bars.suspend(|| say(line));
    }

    /// A push that no region has reported yet.
    pub(super) fn push(&self, tag: &str) -> anyhow::Result<Scene> {
        let style =
            ProgressStyle::with_template("  {prefix:12} [{bar:24.green}] {pos}/{len} {msg}")?;
        let bar = self.bars.add(
            ProgressBar::new(u64::try_from(REGIONS.len())?).with_style(style.progress_chars("=> ")),
        );
        let image = format!("shop/web:{tag}");
        bar.set_prefix(format!("web:{tag}"));
        bar.tick();
        let digest: String = Sha256::digest(&image).iter().map(|b| format!("{b:02x}")).collect();
        let body = json!({
            "id": format!("00000000-0000-4000-8000-{}", &digest[..12]),
            "timestamp": crate::clock::rfc3339(crate::clock::now()),
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1778, "length": 1778,
                "digest": format!("sha256:{digest}"), "repository": "shop/web", "tag": tag,
            },
            "request": { "id": "demo", "host": "demo.azurecr.io", "method": "PUT", "useragent": "acr-fanin demo" },
        });
        Ok(Scene { image, body, bar, location: None })
    }

    /// The region's webhook; checks what the server makes of it.
    pub(super) async fn arrive(
        &self,
        scene: &mut Scene,
        region: &str,
        expected: &str,
    ) -> anyhow::Result<()> {
        tokio::time::sleep(PACE).await;
        let url = format!("http://{}/api/ImagePush?region={region}", self.server);
        let response = self
            .http
            .post(url)
            .json(&scene.body)
            .send()
            .await
            .context("the webhook got no answer")?;
        let location =
            response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
        scene.location = location.or_else(|| scene.location.take());
        let answer: Value =
            response.json().await.context("the webhook got an answer that is no JSON")?;
        let (result, status) = (&answer["result"], &answer["status"]);
        ensure!(
            *result == *expected,
            "{} in {region}: expected {expected}, the answer was {answer}",
            scene.image
        );
        scene.bar.inc(1);
        scene.bar.set_message(format!("{region} ({})", status.as_str().unwrap_or_default()));
        if self.bars.is_hidden() {
            say(&format!(
                "  {:12} {region}: {expected} ({}/{})",
                scene.image,
                scene.bar.position(),
                REGIONS.len()
            ));
        }
        Ok(())
    }

    /// The next notice, which has to say that.
    pub(super) async fn notice(&mut self, scene: &Scene, expected: &str) -> anyhow::Result<()> {
        let text = self.slack.next().await?;
        self.tell(&format!("  Slack: {text}"));
        let named = text.starts_with(&format!("Pushed image {} (", scene.image));
        ensure!(
            named && text.contains(expected),
            "expected a notice on {} with: {expected}",
            scene.image
        );
        Ok(())
    }

    /// The page that the first answer named has to say the same, and nothing else may have been sent.
    pub(super) async fn ends(&mut self, scene: &Scene, expected: &str) -> anyhow::Result<()> {
        if let Some(text) = self.slack.unexpected() {
            bail!("a notice that nobody expected: {text}");
        }
        let location = scene.location.as_deref().context("no answer named a Location")?;
        let url = format!("http://{}{location}", self.server);
        let view: Value =
            self.http.get(url).send().await?.json().await.context("the status is no JSON")?;
        ensure!(
            view["status"] == *expected,
            "{} should be {expected}, the status is {view}",
            scene.image
        );
        // The bar gives way to a line that stays.
        scene.bar.finish_and_clear();
        self.tell(&format!("  {}: {expected}", scene.image));
        Ok(())
    }
}
