//! The container groups of one resource group.

use super::arm::{Arm, Request, Until};
use super::failure::{ArmError, of_logs};
use super::group::Group;
use super::operation::{Operation, Told, pause};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// <https://learn.microsoft.com/rest/api/container-instances/container-groups>
const API_VERSION: &str = "2025-09-01";
/// <https://learn.microsoft.com/rest/api/resources/resource-groups/get>
const RESOURCES_API_VERSION: &str = "2021-04-01";
const PROVIDER: &str = "Microsoft.ContainerInstance";

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct ContainerGroups {
    arm: Arm,
    subscription: String,
    resource_group: String,
}

/// An update or a creation that Azure has begun.
#[derive(Clone, Debug)]
pub struct Started {
    pub operation: Operation,
    /// When to ask how it goes.
    pub after: Duration,
}

/// How an operation on a container group goes.
#[derive(Clone, Debug)]
pub enum Progress {
    Running {
        after: Duration,
    },
    /// With the group as it is then, where that was looked at.
    Done,
    Failed(ArmError),
}

impl ContainerGroups {
    #[must_use]
    pub const fn new(arm: Arm, subscription: String, resource_group: String) -> Self {
        Self { arm, subscription, resource_group }
    }

    /// The group's id in lower case: what is one group has one text.
    #[must_use]
    pub fn id(&self, name: &str) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{PROVIDER}/containerGroups/{name}",
            self.subscription, self.resource_group
        )
        .to_lowercase()
    }

    fn request<'a>(
        &self,
        method: Method,
        below: &[&str],
        query: &[(&str, &str)],
        until: Until,
        action: &'a str,
    ) -> Request<'a> {
        let (subscription, group) = (self.subscription.as_str(), self.resource_group.as_str());
        let frame = ["subscriptions", subscription, "resourceGroups", group, "providers"];
        let kind = [PROVIDER, "containerGroups"];
        let segments: Vec<&str> =
            frame.into_iter().chain(kind).chain(below.iter().copied()).collect();
        let query: Vec<_> =
            [("api-version", API_VERSION)].into_iter().chain(query.iter().copied()).collect();
        Request { method, url: self.arm.url(&segments, &query), body: None, until, action }
    }

    /// The group as Azure shows it, or None when there is none. Secrets are missing in it.
    ///
    /// # Errors
    /// Every [`ArmError`] but `NotFound` and `Unknown`.
    pub async fn get(&self, name: &str, until: Until) -> Result<Option<Value>, ArmError> {
        let action = "Microsoft.ContainerInstance/containerGroups/read";
        match self.arm.call(self.request(Method::GET, &[name], &[], until, action)).await {
            Ok(answer) if answer.body["properties"].is_object() => Ok(Some(answer.body)),
            // A proxy's word for nothing must not pass for a group without containers.
            Ok(_) => Err(ArmError::later("Azure's answer is no container group".to_owned())),
            Err(ArmError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the group, or makes it another one: what the document leaves out becomes default, and all containers
    /// start anew, even when it says nothing new.
    ///
    /// # Errors
    /// Every [`ArmError`]. After `Unknown`, look with [`Self::get`].
    pub async fn put(
        &self,
        name: &str,
        document: &Value,
        until: Until,
    ) -> Result<Started, ArmError> {
        let action = "Microsoft.ContainerInstance/containerGroups/write";
        let request = self.request(Method::PUT, &[name], &[], until, action);
        let answer = self.arm.call(Request { body: Some(document), ..request }).await?;
        Ok(Started { operation: Operation::of(&answer), after: pause(answer.retry_after) })
    }

    /// Begins to delete the group; one that is not there is as good as deleted.
    ///
    /// # Errors
    /// Every [`ArmError`] but `NotFound`.
    pub async fn delete(&self, name: &str, until: Until) -> Result<(), ArmError> {
        let action = "Microsoft.ContainerInstance/containerGroups/delete";
        match self.arm.call(self.request(Method::DELETE, &[name], &[], until, action)).await {
            Ok(_) | Err(ArmError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The last lines that a container wrote, or None while there is nothing to read.
    ///
    /// # Errors
    /// Every [`ArmError`] but `NotFound` and `Unknown`.
    pub async fn logs(
        &self,
        name: &str,
        container: &str,
        lines: u32,
        until: Until,
    ) -> Result<Option<String>, ArmError> {
        let action = "Microsoft.ContainerInstance/containerGroups/containers/logs/read";
        let lines = lines.to_string();
        let below = [name, "containers", container, "logs"];
        let request = self.request(Method::GET, &below, &[("tail", &lines)], until, action);
        let answer = self.arm.exchange(request).await?;
        match answer.status {
            200 => Ok(answer.body["content"].as_str().map(str::to_owned)),
            _ => of_logs(&answer, action),
        }
    }

    /// Where the resource group is, for groups that do not say where they are to be.
    ///
    /// # Errors
    /// Every [`ArmError`] but `Unknown`.
    pub async fn location(&self, until: Until) -> Result<String, ArmError> {
        let action = "Microsoft.Resources/subscriptions/resourceGroups/read";
        let (subscription, group) = (self.subscription.as_str(), self.resource_group.as_str());
        let segments = ["subscriptions", subscription, "resourceGroups", group];
        let url = self.arm.url(&segments, &[("api-version", RESOURCES_API_VERSION)]);
        let request = Request { method: Method::GET, url, body: None, until, action };
        let answer = self.arm.call(request).await?;
        let location = answer.body["location"].as_str().map(str::to_owned);
        location.ok_or_else(|| {
            ArmError::later("Azure does not say where the resource group is".to_owned())
        })
    }

    /// Asks how an operation goes. Where its address does not tell, the group does, and `operation` says so from
    /// then on.
    ///
    /// # Errors
    /// When Azure does not let us ask, or the group is gone.
    pub async fn poll(
        &self,
        name: &str,
        operation: &mut Operation,
        until: Until,
    ) -> Result<Progress, ArmError> {
        let action = "Microsoft.ContainerInstance/containerGroups/read";
        match self.arm.ask(operation, until, action).await? {
            Told::Running { after } => return Ok(Progress::Running { after }),
            Told::Done => return Ok(Progress::Done),
            Told::Failed(error) => return Ok(Progress::Failed(error)),
            Told::Nothing => *operation = Operation::Resource,
        }
        let group = match self.get(name, until).await {
            Ok(group) => group,
            Err(ArmError::Later { after, .. }) => {
                return Ok(Progress::Running { after: pause(after) });
            }
            Err(error) => return Err(error),
        };
        let Some(document) = group else {
            return Err(ArmError::NotFound("the container group is gone".to_owned()));
        };
        let group = Group::new(&document);
        Ok(match group.provisioning() {
            "Succeeded" => Progress::Done,
            "Failed" => Progress::Failed(group.failure()),
            _ => Progress::Running { after: pause(None) },
        })
    }
}
