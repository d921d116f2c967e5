//! Settings: a map of strings and the text of a file become a [`Config`], once, with all problems at once.
//!
//! [`settings`] is the table of what there is. A problem names the setting and never its value: start-up output
//! ends up in logs that more people read than may know a token.

mod aci;
mod document;
mod duration;
mod file;
mod identity;
mod jobs;
mod keys;
mod load;
mod problems;
mod process;
mod reader;
pub mod settings;
mod signing;
mod sinks;
mod storage;
mod values;

#[cfg(test)]
mod tests;

pub use aci::{AciUpdate, Allowed, How, Pin};
pub use document::Document;
pub use identity::Identity;
pub use jobs::{AciJob, JobConfig, JobImage};
pub use problems::Problems;
pub use process::process_env;
pub use signing::signing_key;
pub use sinks::{Format, SinkConfig, SinkKind, is_own_header};
pub use storage::Storage;

use crate::intake;
use crate::secret::Secret;
use fan_in::{Policy, Retry};
use load::{File, load_from};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// What the process ends with when the settings are wrong: `EX_CONFIG` of sysexits.h.
pub const EXIT_CODE: u8 = 78;

/// Who calls and who ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The Functions host; state in Azure Table Storage.
    Functions,
    /// This process alone; state in a file.
    Standalone,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Functions => "functions",
            Self::Standalone => "standalone",
        })
    }
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub home: Home,
    /// Its subscriptions are those of `sinks`, in the same order.
    pub policy: Policy,
    pub intake: intake::Rules,
    /// There under Functions, and nowhere else.
    pub storage: Option<Storage>,
    pub table: String,
    /// There under Functions.
    pub queue: Option<String>,
    pub retention: Duration,
    pub retry: Retry,
    pub sink_timeout: Duration,
    /// Guards status, jobs and metrics where it is set.
    pub read_token: Option<Secret>,
    pub sinks: Vec<SinkConfig>,
    pub jobs: Vec<JobConfig>,
    pub azure: Azure,
    pub setup: Setup,
}

/// Who we are to Azure Resource Manager, and where it is.
#[derive(Clone, Debug)]
pub struct Azure {
    pub identity: Identity,
    pub subscription_id: Option<String>,
    pub resource_group: Option<String>,
    /// None: the public cloud's.
    pub resource_manager: Option<Url>,
    /// None: the public cloud's.
    pub authority_host: Option<Url>,
}

/// What `setup` and `doctor` work with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub registry_id: Option<String>,
    pub public_url: Option<Url>,
    pub function_key: Option<Secret>,
}

/// The settings in `env` and in the file that goes with them: the one that `FANIN_CONFIG` names, else
/// `fanin.toml` beside the program, else the one in the working directory.
///
/// Without a `home`, it is Functions when there is something about `AzureWebJobsStorage`. `listen` is where
/// standalone will listen.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(
    env: &BTreeMap<String, String>,
    home: Option<Home>,
    listen: Option<SocketAddr>,
) -> Result<Config, Problems> {
    load_from(env, &process::find_file(env), home, listen)
}

/// Where the file is that [`load`] reads, if it reads one.
#[must_use]
pub fn file(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    match process::find_file(env) {
        File::Text { path, .. } => path.map(|path| std::path::absolute(&path).unwrap_or(path)),
        File::Absent | File::Unreadable { .. } => None,
    }
}

/// [`load`] without looking for a file: `toml` is its text, and may be empty. It lies in no folder, so that it can
/// name no other files.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load_with_file(
    env: &BTreeMap<String, String>,
    toml: &str,
    home: Option<Home>,
    listen: Option<SocketAddr>,
) -> Result<Config, Problems> {
    load_from(env, &File::Text { text: toml.to_owned(), path: None }, home, listen)
}
