//! What a document must have to be accepted, whatever was there before.

use serde_json::Value;

use super::GroupId;
use super::document::{all_containers, containers, image, items, name};
use super::id::is_label;
use crate::arm_error::ArmError;

pub(crate) fn check(id: &GroupId, document: &Value) -> Result<(), ArmError> {
    names(id, document)?;
    let group = &id.name;
    if containers(document).next().is_none() {
        let message = format!("The container group '{group}' must have at least one container.");
        return Err(ArmError::bad_request("InvalidContainerGroup", message));
    }
    if let Some(container) = all_containers(document).find(|one| image(one).is_empty()) {
        let name = name(container);
        let message =
            format!("The image of container '{name}' in container group '{group}' is missing.");
        return Err(ArmError::bad_request("InvalidImageName", message));
    }
    let properties = &document["properties"];
    if !["Linux", "Windows"].contains(&properties["osType"].as_str().unwrap_or_default()) {
        let message = format!("The osType of container group '{group}' must be Linux or Windows.");
        return Err(ArmError::bad_request("InvalidOsType", message));
    }
    if !["Always", "OnFailure", "Never"]
        .contains(&properties["restartPolicy"].as_str().unwrap_or_default())
    {
        let message = format!("The restartPolicy of container group '{group}' is invalid.");
        return Err(ArmError::bad_request("InvalidRestartPolicy", message));
    }
    credentials(group, document)?;
    volumes(group, properties)?;
    let analytics = &properties["diagnostics"]["logAnalytics"];
    if analytics.is_object() && !is_text(&analytics["workspaceKey"]) {
        let message =
            format!("The workspaceKey in 'logAnalytics' of container group '{group}' is missing.");
        return Err(ArmError::bad_request("InvalidLogAnalyticsWorkspaceKey", message));
    }
    Ok(())
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn names(id: &GroupId, document: &Value) -> Result<(), ArmError> {
    let invalid = |code, what: &str| {
        let message = format!(
            "The {what} is invalid: 1 to 63 lower-case letters, digits and '-', which is neither first nor last."
        );
        Err(ArmError::bad_request(code, message))
    };
    if !is_label(&id.name) {
        return invalid(
            "InvalidContainerGroupName",
            &format!("container group name '{}'", id.name),
        );
    }
    match all_containers(document).map(name).find(|name| !is_label(name)) {
        Some(name) => invalid("InvalidContainerName", &format!("container name '{name}'")),
        None => Ok(()),
    }
}

/// A credential must have something to pull with, and an identity must be the group's own.
fn credentials(group: &str, document: &Value) -> Result<(), ArmError> {
    let identities = document["identity"]["userAssignedIdentities"].as_object();
    for credential in items(&document["properties"], "imageRegistryCredentials") {
        let server = credential["server"].as_str().unwrap_or_default();
        if let Some(identity) = credential["identity"].as_str() {
            let is_own = identities
                .is_some_and(|ids| ids.keys().any(|key| key.eq_ignore_ascii_case(identity)));
            if !is_own {
                let message = format!(
                    "The identity in the 'imageRegistryCredentials' of container group '{group}' not found in \
                     container group identity list"
                );
                return Err(ArmError::bad_request("InvalidImageRegistryIdentity", message));
            }
        } else if !is_text(&credential["password"]) && !is_text(&credential["passwordReference"]) {
            let message = format!(
                "The password of server '{server}' in the 'imageRegistryCredentials' of container group '{group}' \
                 is missing."
            );
            return Err(ArmError::bad_request("InvalidImageRegistryCredentialType", message));
        }
    }
    Ok(())
}

/// Only file shares need their key: a secret volume without files is one without files.
fn volumes(group: &str, properties: &Value) -> Result<(), ArmError> {
    for volume in items(properties, "volumes") {
        let share = &volume["azureFile"];
        let has_key =
            is_text(&share["storageAccountKey"]) || is_text(&share["storageAccountKeyReference"]);
        if share.is_object() && !has_key {
            let name = name(volume);
            let message = format!(
                "The storageAccountKey of azureFile volume '{name}' in container group '{group}' is missing."
            );
            return Err(ArmError::bad_request("InvalidAzureFileVolume", message));
        }
    }
    Ok(())
}
