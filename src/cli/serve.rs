//! `acr-fanin serve`: the standalone home.

use super::{refuse, runtime};
use crate::config::{self, Home};
use crate::standalone::Running;
use crate::store::sqlite::Access;
use crate::{boot, telemetry};
use anyhow::Context;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen; anything but loopback needs FANIN_WEBHOOK_SECRET and FANIN_READ_TOKEN
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7071")]
    listen: SocketAddr,
    /// The SQLite file that holds all state; made when it is missing
    #[arg(long, value_name = "FILE", default_value = "acr-fanin.db")]
    db: PathBuf,
}

pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let _logs = telemetry::start(env, "info").context("logs cannot be written")?;
    let config = match config::load(env, Some(Home::Standalone), Some(args.listen)) {
        Ok(config) => config,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let rows = boot::sqlite_rows(&args.db, Access::Server)?;
    let listener = TcpListener::bind(args.listen)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    runtime()?.block_on(async {
        let app = Arc::new(boot::app(&config, rows)?);
        let mut running =
            Running::start(app, config, listener).context("the server cannot start")?;
        tracing::info!(address = %running.address(), db = %args.db.display(), "serving");
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            ended = running.ended() => return ended.context("the server ended by itself"),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        running.stop().await;
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
