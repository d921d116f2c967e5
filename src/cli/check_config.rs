//! `acr-fanin check-config`: what a start would say of the settings.

use super::{HomeArg, refuse, say};
use crate::config;
use fan_in::Region;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check for this home; functions when AzureWebJobsStorage or a part of it is set, else standalone
    #[arg(long)]
    home: Option<HomeArg>,
}

pub(super) fn run(args: &Args, env: &BTreeMap<String, String>) -> ExitCode {
    if let Some(path) = config::file(env) {
        say(&format!("File: {}", path.display()));
    }
    match config::load(env, args.home.map(Into::into), None) {
        Ok(config) => {
            let regions: Vec<&str> = config.policy.regions.iter().map(Region::as_str).collect();
            let sinks: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
            say(&format!("The settings are in order for the {} home.", config.home));
            say(&format!("Regions: {}", regions.join(", ")));
            say(&format!(
                "Sinks: {}",
                if sinks.is_empty() {
                    "none; decisions go to the log".to_owned()
                } else {
                    sinks.join(", ")
                }
            ));
            ExitCode::SUCCESS
        }
        Err(problems) => refuse(&problems),
    }
}
