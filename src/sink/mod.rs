//! Who is told: chats, webhooks and the log; and what brings containers to a pushed image.

pub mod aci;
mod address;
mod attempt;
pub mod client;
pub mod job;
pub mod log;
pub mod slack;
pub mod teams;
pub mod text;
pub mod webhook;

#[cfg(test)]
mod tests;

use crate::azure::Arm;
use crate::config::{self, SinkConfig, SinkKind};
use crate::ports::{RunsJobs, Sink};
use client::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

const JSON: &str = "application/json";

/// Makes the sinks of the settings; `timeout` is what one call may take, `azure` says how those that deploy reach
/// Resource Manager, and `jobs` runs those that are started.
///
/// # Errors
/// With a sentence for each sink that cannot be made, which names the sink and shows no secret.
pub fn build(
    config: &[SinkConfig],
    timeout: Duration,
    azure: &config::Azure,
    jobs: &Arc<dyn RunsJobs>,
) -> Result<Vec<Arc<dyn Sink>>, String> {
    let mut clients = Clients { timeout, public: None, private: None, azure, arm: None, jobs };
    let (mut sinks, mut problems) = (Vec::new(), Vec::new());
    for sink in config {
        match make(sink, &mut clients) {
            Ok(sink) => sinks.push(sink),
            Err(problem) => problems.push(format!("sink {}: {problem}", sink.name)),
        }
    }
    if problems.is_empty() { Ok(sinks) } else { Err(problems.join("\n")) }
}

fn make(config: &SinkConfig, clients: &mut Clients<'_>) -> Result<Arc<dyn Sink>, String> {
    let name = config.name.clone();
    Ok(match &config.kind {
        SinkKind::Slack { url } => {
            Arc::new(slack::Slack::new(name, url.clone(), clients.get(config.private)?))
        }
        SinkKind::Teams { url } => {
            Arc::new(teams::Teams::new(name, url.clone(), clients.get(config.private)?))
        }
        SinkKind::Webhook { url, format, secret, headers, user_agent } => {
            let settings = webhook::Settings {
                url: url.clone(),
                format: *format,
                secret: secret.as_ref(),
                headers,
                user_agent: user_agent.as_deref(),
            };
            Arc::new(webhook::Webhook::new(name, &settings, clients.get(config.private)?)?)
        }
        SinkKind::AciUpdate(settings) => {
            let arm = clients.arm()?;
            Arc::new(aci::AciUpdate::new(name, settings.clone(), arm, clients.timeout))
        }
        SinkKind::AciJob(settings) => {
            Arc::new(job::AciJob::new(name, settings.clone(), Arc::clone(clients.jobs)))
        }
        SinkKind::Log => Arc::new(log::Log::new(name)),
    })
}

/// At most one of each kind, since each reads the machine's CA certificates, and none where only the log is told.
struct Clients<'a> {
    timeout: Duration,
    public: Option<Client>,
    private: Option<Client>,
    azure: &'a config::Azure,
    arm: Option<Arm>,
    jobs: &'a Arc<dyn RunsJobs>,
}

impl Clients<'_> {
    fn arm(&mut self) -> Result<Arm, String> {
        let arm = match self.arm.take() {
            Some(arm) => arm,
            None => Arm::new(self.azure).map_err(|why| format!("{why:#}"))?,
        };
        Ok(self.arm.insert(arm).clone())
    }

    fn get(&mut self, private: bool) -> Result<Client, String> {
        let place = if private { &mut self.private } else { &mut self.public };
        let client = match place.take() {
            Some(client) => client,
            None => Client::new(self.timeout, private)?,
        };
        Ok(place.insert(client).clone())
    }
}

fn content_type(value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
}
