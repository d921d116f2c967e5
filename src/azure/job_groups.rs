//! The container groups of jobs: one container that runs once.

use super::arm::{Arm, Until};
use super::container_groups::ContainerGroups;
use super::failure::ArmError;
use super::group::{Group as View, State};
use crate::config::{self, JobConfig};
use crate::ports::{Containers, Group, Order, Seen, Trouble, Window};
use crate::redact::Redactor;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The name of the one container.
const CONTAINER: &str = "job";
/// Azure gives no more of a container that has ended.
const LOG_LINES: u32 = 1_000;

/// Resource Manager is not asked for anything before there is a job.
#[derive(Debug)]
pub struct JobGroups {
    azure: config::Azure,
    arm: OnceLock<Arm>,
    definitions: Vec<JobConfig>,
    redactor: Redactor,
}

impl JobGroups {
    /// # Errors
    /// When there are definitions, and Resource Manager cannot be reached with these settings, whatever happens.
    pub fn new(azure: &config::Azure, definitions: Vec<JobConfig>) -> anyhow::Result<Self> {
        let secrets = definitions.iter().flat_map(|definition| &definition.secrets);
        let redactor = Redactor::of(secrets.map(|secret| secret.expose().to_owned()));
        let groups = Self { azure: azure.clone(), arm: OnceLock::new(), definitions, redactor };
        if !groups.definitions.is_empty() {
            groups.arm()?;
        }
        Ok(groups)
    }

    fn arm(&self) -> anyhow::Result<Arm> {
        if let Some(arm) = self.arm.get() {
            return Ok(arm.clone());
        }
        let arm = Arm::new(&self.azure)?;
        Ok(self.arm.get_or_init(|| arm).clone())
    }

    fn reach(&self) -> Result<Arm, Trouble> {
        // Jobs of definitions that are not there any more, and settings that do not do.
        self.arm().map_err(|why| Trouble::Later { error: format!("{why:#}"), after: None })
    }

    fn groups(&self, group: &Group) -> Result<ContainerGroups, Trouble> {
        let (subscription, name) = (group.subscription.clone(), group.resource_group.clone());
        Ok(ContainerGroups::new(self.reach()?, subscription, name))
    }

    /// Azure may say back what it was told: the secrets of a definition are taken out.
    fn trouble(&self, error: ArmError) -> Trouble {
        let keep = |text: String| self.redactor.keep(&text);
        match error {
            ArmError::Transitioning { sentence, after } => {
                Trouble::Later { error: keep(sentence), after: Some(after) }
            }
            ArmError::Later { sentence, after } => Trouble::Later { error: keep(sentence), after },
            ArmError::Unknown(error) => Trouble::Unknown { error: keep(error) },
            ArmError::NotFound(error) | ArmError::GiveUp(error) => {
                Trouble::GiveUp { error: keep(error) }
            }
        }
    }
}

impl From<Window> for Until {
    fn from(window: Window) -> Self {
        Self { send: window.send, answer: window.answer }
    }
}

#[async_trait]
impl Containers for JobGroups {
    async fn create(&self, group: &Group, order: Order<'_>, window: Window) -> Result<(), Trouble> {
        let definition = self.definitions.iter().find(|d| d.name == order.definition);
        // Another process may know it, or this one when it is started again.
        let definition = definition.ok_or_else(|| Trouble::Later {
            error: "no job of this name is defined here".to_owned(),
            after: None,
        })?;
        let (groups, until) = (self.groups(group)?, Until::from(window));
        let location = match &definition.location {
            Some(location) => location.clone(),
            None => groups.location(until).await.map_err(|error| self.trouble(error))?,
        };
        let document = document(definition, order, &location);
        let put = groups.put(&group.name, &document, until).await;
        put.map(drop).map_err(|error| self.trouble(error))
    }

    async fn look(&self, group: &Group, window: Window) -> Result<Seen, Trouble> {
        let found = self.groups(group)?.get(&group.name, window.into()).await;
        let found = found.map_err(|error| self.trouble(error))?;
        Ok(match found.map_or(Seen::Absent, |document| seen(&document)) {
            Seen::Ended { exit_code, error } => {
                Seen::Ended { exit_code, error: error.map(|text| self.redactor.keep(&text)) }
            }
            other => other,
        })
    }

    async fn log(&self, group: &Group, window: Window) -> Result<Option<String>, Trouble> {
        let groups = self.groups(group)?;
        let log = groups.logs(&group.name, CONTAINER, LOG_LINES, window.into()).await;
        log.map_err(|error| self.trouble(error))
    }

    async fn delete(&self, group: &Group, window: Window) -> Result<(), Trouble> {
        let deleted = self.groups(group)?.delete(&group.name, window.into()).await;
        deleted.map_err(|error| self.trouble(error))
    }
}

/// What Azure is asked to run. Whoever can look at the group learns nothing of the job's id.
fn document(definition: &JobConfig, order: Order<'_>, location: &str) -> Value {
    let mut container = json!({
        "image": order.image,
        "resources": { "requests": { "cpu": definition.cpu, "memoryInGB": definition.memory_gb } },
    });
    let own = definition.command.iter().map(|part| part.expose());
    let command: Vec<&str> = own.chain(order.args.iter().map(String::as_str)).collect();
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    if !definition.environment.is_empty() {
        let variables = definition.environment.iter();
        let variables =
            variables.map(|(name, value)| json!({ "name": name, "secureValue": value.expose() }));
        container["environmentVariables"] = variables.collect();
    }
    let mut document = json!({
        "location": location,
        "tags": { "fanin-job": definition.name },
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Never",
            "containers": [{ "name": CONTAINER, "properties": container }],
        },
    });
    if let Some(identity) = &definition.identity {
        document["identity"] =
            json!({ "type": "UserAssigned", "userAssignedIdentities": { identity: {} } });
        // An identity means something to Azure's own registries alone.
        if let Some(server) = registry(order.image).filter(|host| host.contains(".azurecr.")) {
            document["properties"]["imageRegistryCredentials"] =
                json!([{ "server": server, "identity": identity }]);
        }
    }
    document
}

/// The host that an image names.
fn registry(image: &str) -> Option<&str> {
    let (host, _) = image.split_once('/')?;
    host.contains(['.', ':']).then_some(host)
}

/// The container's exit code decides; where there is none and none will come, the group says why.
fn seen(document: &Value) -> Seen {
    let view = View::new(document);
    let container = view.containers().find(|container| !container.init);
    if let Some(container) = container
        && let State::Terminated(exit_code) = container.state
    {
        let detail = container.detail;
        let error = exit_code.is_none().then(|| match detail {
            "" => "the container ended, and Azure tells no exit code".to_owned(),
            detail => format!("the container ended, and Azure tells no exit code: {detail}"),
        });
        return Seen::Ended { exit_code, error };
    }
    let what = match (view.provisioning(), view.state()) {
        ("Failed", _) | (_, "Failed") => "Azure could not run the container",
        (_, "Stopped") => "the container group was stopped by somebody",
        (_, "Succeeded") => "the container group is over, and Azure tells no exit code",
        _ => return Seen::Going,
    };
    let error = match view.complaint() {
        Some(complaint) => format!("{what}: {complaint}"),
        None => what.to_owned(),
    };
    Seen::Ended { exit_code: None, error: Some(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JobImage;
    use crate::secret::Secret;
    use std::time::Duration;

    fn definition() -> JobConfig {
        JobConfig {
            name: "migrate".to_owned(),
            subscription: "s".to_owned(),
            resource_group: "rg".to_owned(),
            image: JobImage::Pushed,
            command: vec![Secret::new("run")],
            cpu: 0.5,
            memory_gb: 2.0,
            location: None,
            environment: vec![("KEY".to_owned(), Secret::new("hunter22"))],
            identity: Some("/subscriptions/s/id".to_owned()),
            ttl: Duration::from_secs(60),
            allow_args: true,
            secrets: vec![Secret::new("hunter22")],
        }
    }

    #[test]
    fn a_group_runs_once_what_the_settings_say() {
        let args = ["--all".to_owned()];
        let order =
            Order { definition: "migrate", image: "r.azurecr.io/app@sha256:0", args: &args };
        let identity = "/subscriptions/s/id";
        assert_eq!(
            document(&definition(), order, "westeurope"),
            json!({
                "location": "westeurope",
                "tags": { "fanin-job": "migrate" },
                "identity": {
                    "type": "UserAssigned",
                    "userAssignedIdentities": { identity: {} },
                },
                "properties": {
                    "osType": "Linux",
                    "restartPolicy": "Never",
                    "containers": [{ "name": "job", "properties": {
                        "image": "r.azurecr.io/app@sha256:0",
                        "command": ["run", "--all"],
                        "environmentVariables": [{ "name": "KEY", "secureValue": "hunter22" }],
                        "resources": { "requests": { "cpu": 0.5, "memoryInGB": 2.0 } },
                    } }],
                    "imageRegistryCredentials": [{ "server": "r.azurecr.io", "identity": identity }],
                },
            })
        );
    }

    #[test]
    fn what_is_not_said_is_left_to_the_image() {
        let plain = JobConfig {
            command: Vec::new(),
            environment: Vec::new(),
            identity: None,
            ..definition()
        };
        let hub = Order { definition: "migrate", image: "nginx:1", args: &[] };
        let document = document(&plain, hub, "westeurope");
        let container = &document["properties"]["containers"][0]["properties"];
        assert_eq!(container["command"], Value::Null);
        assert_eq!(container["environmentVariables"], Value::Null);
        assert_eq!(document["identity"], Value::Null);
        assert_eq!(document["properties"]["imageRegistryCredentials"], Value::Null);
        assert_eq!(
            [registry("nginx"), registry("a/b"), registry("r.io/b")],
            [None, None, Some("r.io")]
        );
    }

    #[test]
    fn the_exit_code_decides_and_else_the_group() {
        let group = |provisioning: &str, state: &str, current: Value| {
            json!({ "properties": {
                "provisioningState": provisioning,
                "instanceView": { "state": state },
                "containers": [{ "name": "job", "properties": {
                    "instanceView": { "currentState": current },
                } }],
            } })
        };
        let ended = |code: Option<i64>, error: Option<&str>| Seen::Ended {
            exit_code: code,
            error: error.map(str::to_owned),
        };
        let terminated = |code: i64| json!({ "state": "Terminated", "exitCode": code });
        for (document, wanted) in [
            (group("Creating", "", Value::Null), Seen::Going),
            (group("Succeeded", "Running", json!({ "state": "Running" })), Seen::Going),
            (group("Succeeded", "Pending", json!({ "state": "Waiting" })), Seen::Going),
            (group("Succeeded", "Succeeded", terminated(0)), ended(Some(0), None)),
            (group("Succeeded", "Failed", terminated(3)), ended(Some(3), None)),
            (
                group("Succeeded", "Failed", json!({ "state": "Terminated" })),
                ended(None, Some("the container ended, and Azure tells no exit code")),
            ),
            (
                group("Failed", "", Value::Null),
                ended(None, Some("Azure could not run the container")),
            ),
            (
                group("Succeeded", "Stopped", json!({ "state": "Waiting" })),
                ended(None, Some("the container group was stopped by somebody")),
            ),
        ] {
            assert_eq!(seen(&document), wanted, "{document}");
        }
    }

    #[test]
    fn an_error_says_no_secret() {
        let azure = config::Azure {
            identity: config::Identity::Managed { client_id: None },
            subscription_id: None,
            resource_group: None,
            resource_manager: None,
            authority_host: None,
        };
        let groups = JobGroups::new(&azure, vec![definition()]).unwrap();
        let trouble = groups.trouble(ArmError::GiveUp("KEY=hunter22 is wrong".to_owned()));
        assert_eq!(trouble, Trouble::GiveUp { error: "KEY=[secret] is wrong".to_owned() });
    }
}
