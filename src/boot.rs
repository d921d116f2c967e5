//! The composition root: the only place that names the parts the use cases work with.

use crate::app::jobs::{self, Definition, Jobs};
use crate::app::{App, Parts};
use crate::azure::JobGroups;
use crate::clock;
use crate::config::{Config, JobConfig, JobImage};
use crate::ports::{Rows, RunsJobs};
use crate::sink;
use crate::store::Store;
use crate::store::azure_table::AzureTable;
use crate::store::memory::Memory;
use crate::store::sqlite::{Access, Sqlite};
use anyhow::{Context, anyhow};
use std::path::Path;
use std::sync::Arc;

/// The use cases over the rows given.
///
/// # Errors
/// When a sink cannot be made, such as without any certificate authority on the machine.
pub fn app(config: &Config, rows: Arc<dyn Rows>) -> anyhow::Result<App> {
    let store = Store::new(rows, config.policy.regions.clone());
    let jobs = Arc::new(Jobs::new(jobs::Parts {
        store: store.clone(),
        containers: Arc::new(JobGroups::new(&config.azure, config.jobs.clone())?),
        definitions: config.jobs.iter().map(definition).collect(),
        timeout: config.sink_timeout,
    }));
    let runs: Arc<dyn RunsJobs> = Arc::<Jobs>::clone(&jobs);
    let sinks = sink::build(&config.sinks, config.sink_timeout, &config.azure, &runs);
    let sinks = sinks.map_err(|why| anyhow!(why))?;
    let app = App::new(Parts {
        store,
        policy: config.policy.clone(),
        retry: config.retry.clone(),
        sink_timeout: config.sink_timeout,
        retention: config.retention,
        sinks,
    });
    Ok(app.with_jobs(jobs))
}

fn definition(job: &JobConfig) -> Definition {
    Definition {
        name: job.name.clone(),
        image: match &job.image {
            JobImage::Fixed(image) => Some(image.clone()),
            JobImage::Pushed => None,
        },
        // Without a command the first argument would be one.
        takes_args: job.allow_args && !job.command.is_empty(),
        ttl: job.ttl,
        subscription: job.subscription.clone(),
        resource_group: job.resource_group.clone(),
    }
}

/// The rows of the Functions home: Azure Table Storage. That it is away is no reason not to start.
///
/// # Errors
/// When the settings do not say where it is, or no HTTP client can be made.
pub fn azure_rows(config: &Config) -> anyhow::Result<Arc<dyn Rows>> {
    let storage = config.storage.as_ref().context("AzureWebJobsStorage: not set")?;
    let authority_host = config.azure.authority_host.as_ref();
    Ok(Arc::new(AzureTable::new(storage, &config.table, authority_host)?))
}

/// The rows of the standalone home: one SQLite file.
///
/// # Errors
/// When the file cannot be used, or another process serves from it.
pub fn sqlite_rows(path: &Path, access: Access) -> anyhow::Result<Arc<dyn Rows>> {
    Ok(Arc::new(Sqlite::open(path, access)?))
}

/// Rows that are gone with the process.
#[must_use]
pub fn memory_rows() -> Arc<dyn Rows> {
    Arc::new(Memory::new(clock::now))
}
