//! What Azure keeps to itself. Whoever writes back what it shows takes these from the group, mostly in silence:
//! files of a secret volume become empty, variables lose their values.

use super::document::name_of;
use serde_json::Value;

/// The places in a document, made of what GET shows, that would be lost when it is written as it is.
pub(super) fn losses(document: &Value) -> Vec<String> {
    let properties = &document["properties"];
    let mut lost = Vec::new();
    for credential in list(properties, "imageRegistryCredentials") {
        let by_password = has(credential, "username");
        let given = ["password", "passwordReference", "identity"];
        if by_password && !given.iter().any(|name| has(credential, name)) {
            lost.push(format!("imageRegistryCredentials[{}].password", named(credential)));
        }
    }
    for kind in ["initContainers", "containers"] {
        for container in list(properties, kind) {
            for variable in list(&container["properties"], "environmentVariables") {
                let given = ["value", "secureValue", "secureValueReference"];
                if !given.iter().any(|name| has(variable, name)) {
                    let (container, variable) = (named(container), named(variable));
                    lost.push(format!("{kind}[{container}].environmentVariables[{variable}]"));
                }
            }
        }
    }
    for volume in list(properties, "volumes") {
        let share = &volume["azureFile"];
        let given = ["storageAccountKey", "storageAccountKeyReference"];
        if share.is_object() && !given.iter().any(|name| has(share, name)) {
            lost.push(format!("volumes[{}].azureFile.storageAccountKey", named(volume)));
        }
        if volume["secret"].as_object().is_some_and(serde_json::Map::is_empty) {
            lost.push(format!("volumes[{}].secret", named(volume)));
        }
    }
    let analytics = &properties["diagnostics"]["logAnalytics"];
    if analytics.is_object() && !has(analytics, "workspaceKey") {
        lost.push("diagnostics.logAnalytics.workspaceKey".to_owned());
    }
    // Of what follows, what is not set cannot be told from what is not shown: an overlay says which, with an empty
    // value if need be.
    for extension in list(properties, "extensions") {
        if extension["properties"].get("protectedSettings").is_none() {
            lost.push(format!("extensions[{}].protectedSettings", named(extension)));
        }
    }
    for name in ["logType", "metadata", "workspaceResourceId"] {
        if analytics.is_object() && analytics.get(name).is_none() {
            lost.push(format!("diagnostics.logAnalytics.{name}"));
        }
    }
    lost
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Null is nothing.
fn has(value: &Value, name: &str) -> bool {
    !value[name].is_null()
}

fn named(element: &Value) -> &str {
    name_of(element).unwrap_or("?")
}
