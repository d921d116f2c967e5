//! Commands. Without one, and with the Functions host around, this is the host's handler.

mod check_config;
mod demo;
mod serve;

use crate::config::{self, Home, Problems};
use crate::{boot, functions, telemetry};
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// What the Functions host sets for its handler.
const HOST_PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// One notice when a pushed image is in every region of a geo-replicated Azure Container Registry.
///
/// Under the Azure Functions host this is the custom handler and takes no command. Everywhere else:
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve webhooks standalone: own listener, timer and queue, one SQLite file, no Azure
    Serve(serve::Args),
    /// Play the three classic scenarios against a temporary server, with a fake Slack listening
    Demo(demo::Args),
    /// Say everything that is wrong with the settings, without serving
    CheckConfig(check_config::Args),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HomeArg {
    Functions,
    Standalone,
}

impl From<HomeArg> for Home {
    fn from(home: HomeArg) -> Self {
        match home {
            HomeArg::Functions => Self::Functions,
            HomeArg::Standalone => Self::Standalone,
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let env = config::process_env();
    let ended = match cli.command {
        Some(Command::Serve(args)) => serve::run(&args, &env),
        Some(Command::Demo(args)) => demo::run(&args, &env),
        Some(Command::CheckConfig(args)) => Ok(check_config::run(&args, &env)),
        None => match env.get(HOST_PORT) {
            Some(port) => handle(port, &env),
            None => {
                say(&Cli::command().render_help().to_string());
                Ok(ExitCode::from(2))
            }
        },
    };
    ended.unwrap_or_else(|error| {
        complain(&format!("acr-fanin: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Serves the Functions host on its port.
fn handle(port: &str, env: &BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let _logs = telemetry::start(env, "info").context("logs cannot be written")?;
    let port = port.parse().with_context(|| format!("{HOST_PORT} is not a port"))?;
    let config = match config::load(env, Some(Home::Functions), None) {
        Ok(config) => config,
        Err(problems) => return Ok(refuse(&problems)),
    };
    runtime()?.block_on(async {
        let app = Arc::new(boot::app(&config, boot::azure_rows(&config)?)?);
        functions::run(functions::Handler { app, config }, port)
            .await
            .context("the handler cannot listen")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads could be started")
}

/// Every problem on a line of its own, for people and for the Functions host's log.
fn refuse(problems: &Problems) -> ExitCode {
    complain(&problems.to_string());
    ExitCode::from(config::EXIT_CODE)
}

/// What commands talk through.
fn say(line: &str) {
    put(std::io::stdout().lock(), line);
}

/// What commands complain through.
fn complain(line: &str) {
    put(std::io::stderr().lock(), line);
}

/// Nobody may be listening any more, as behind `| head`: that is no reason to stop.
fn put(mut out: impl Write, line: &str) {
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_line_that_nobody_listens_to_is_let_go() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        put(&writer, "the settings are in order");
        let mut heard = Vec::new();
        put(&mut heard, "the settings are in order");
        assert_eq!(heard, b"the settings are in order\n");
    }
}
