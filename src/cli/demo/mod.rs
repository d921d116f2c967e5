//! `acr-fanin demo`: the real server on a temporary database, played at over real HTTP.

mod fake_slack;
mod scenarios;
mod stage;

use super::{runtime, say};
use crate::config::{self, Home};
use crate::standalone::Running;
use crate::store::sqlite::Access;
use crate::{boot, telemetry};
use anyhow::{Context, anyhow, bail};
use fake_slack::FakeSlack;
use stage::Stage;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

/// The regions that the demo's registry is replicated to.
const REGIONS: [&str; 4] = ["northeurope", "westeurope", "eastus", "southeastasia"];
/// Short, so that nobody has to wait for the scenario in which a region does not come.
const TIMEOUT: &str = "3s";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// End after the scenarios instead of leaving the server open; non-zero if one went wrong
    #[arg(long)]
    exit: bool,
}

pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let _logs = telemetry::start(env, "off").context("logs cannot be written")?;
    runtime()?.block_on(async {
        let folder = Folder::new()?;
        let slack = FakeSlack::start()?;
        let env = BTreeMap::from(
            [
                ("WebhookRegions", REGIONS.join(",")),
                ("WebhookTimeout", TIMEOUT.to_owned()),
                ("SLACK_WEBHOOK_URL", slack.url()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let config = match config::load_with_file(&env, "", Some(Home::Standalone), None) {
            Ok(config) => config,
            Err(problems) => bail!("the demo's own settings are wrong: {problems}"),
        };
        let rows = boot::sqlite_rows(&folder.0.join("demo.db"), Access::Server)?;
        let app = Arc::new(boot::app(&config, rows)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
        let running = Running::start(app, config, listener).context("the server cannot start")?;
        let address = running.address();
        say(&format!("A registry with replicas in {} pushes webhooks to http://{address}/api/ImagePush", REGIONS.join(", ")));

        let mut stage = Stage::new(address, slack)?;
        // Ended here and not by the signal itself, or the folder would stay behind.
        let played = tokio::select! {
            biased; // The signal is listened for before anything is played.
            ended = tokio::signal::ctrl_c() => Err(match ended {
                Ok(()) => anyhow!("ended before the scenarios were over"),
                Err(error) => anyhow!(error).context("cannot wait for Ctrl-C"),
            }),
            played = scenarios::play_all(&mut stage) => played,
        };
        if let (Ok(()), false) = (&played, args.exit) {
            say(&format!("\nThe server stays open: http://{address}/api/status shows the pushes. Ctrl-C ends it."));
            tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        }
        running.stop().await;
        played.map(|()| ExitCode::SUCCESS)
    })
}

/// A folder that is gone when the demo is over.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("acr-fanin-demo-{:016x}", fastrand::u64(..)));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be deleted is left to the system's own cleaning of temporary files.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}
