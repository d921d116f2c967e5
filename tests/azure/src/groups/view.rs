//! What GET says of a group: without the secrets, with what only Azure writes.

use serde_json::{Map, Value, json};

use super::document::{image, items_mut, location_key, name, without};
use super::{Group, GroupId};
use crate::arm_error::ArmError;
use crate::http::Answer;
use crate::state::State;

/// GET of one group: a look at it.
pub(crate) fn get(state: &mut State, id: &GroupId) -> Result<Answer, ArmError> {
    state.groups.look(id, &mut state.clock);
    let group = state.groups.get_mut(id)?;
    let answer = Answer::json(200, &full(group));
    if group.operation.is_none() {
        group.advance(&mut state.clock);
    }
    Ok(answer)
}

/// GET of a resource group itself.
pub(crate) fn resource_group(id: &GroupId) -> Answer {
    let view = json!({
        "id": format!("/subscriptions/{}/resourceGroups/{}", id.subscription, id.resource_group),
        "name": id.resource_group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "properties": { "provisioningState": "Succeeded" },
    });
    Answer::json(200, &view)
}

/// GET of a resource group's container groups: it says nothing of how they fare.
pub(crate) fn list(state: &State, id: &GroupId) -> Answer {
    let resource_group = id.resource_group_key();
    let groups = state.groups.all.values();
    let groups = groups.filter(|group| group.id.resource_group_key() == resource_group);
    let value: Vec<Value> = groups.map(without_instance_view).collect();
    Answer::json(200, &json!({ "value": value }))
}

/// The document with everything that GET shows.
pub(crate) fn full(group: &Group) -> Value {
    let mut view = without_instance_view(group);
    let properties = &mut view["properties"];
    properties["instanceView"] = json!({ "events": [], "state": group.state() });
    for list in ["containers", "initContainers"] {
        for shown in items_mut(properties, list) {
            let container = group.container(name(shown));
            let instance_view =
                container.map_or_else(waiting, |one| one.instance_view(image(shown)));
            shown["properties"]["instanceView"] = instance_view;
        }
    }
    view
}

/// `instanceView` of a container that has not been started.
fn waiting() -> Value {
    json!({ "restartCount": 0, "currentState": { "state": "Waiting", "detailStatus": "" } })
}

fn without_instance_view(group: &Group) -> Value {
    let mut view = without_secrets(&group.document);
    view["properties"]["provisioningState"] = Value::from(group.provisioning_state());
    view["properties"]["isCreatedFromStandbyPool"] = Value::from(false);
    if let Some(address) = view["properties"].get_mut("ipAddress").filter(|it| it.is_object()) {
        if let Some(ip) = &group.ip {
            address["ip"] = Value::from(ip.as_str());
        }
        if let Some(label) = address["dnsNameLabel"].as_str() {
            let location = location_key(&group.location());
            address["fqdn"] = Value::from(format!("{label}.{location}.azurecontainer.io"));
        }
    }
    if let Some(identity) = view.get_mut("identity").filter(|identity| identity.is_object()) {
        show_principals(identity);
    }
    view
}

/// Leaves out what GET never returns. A secret volume comes back without its files, as if it had none.
fn without_secrets(document: &Value) -> Value {
    let mut view = document.clone();
    let properties = &mut view["properties"];
    for credential in items_mut(properties, "imageRegistryCredentials") {
        without(credential, &["password"]);
    }
    for list in ["containers", "initContainers"] {
        for container in items_mut(properties, list) {
            for variable in items_mut(&mut container["properties"], "environmentVariables") {
                without(variable, &["secureValue"]);
            }
        }
    }
    for volume in items_mut(properties, "volumes") {
        if let Some(share) = volume.get_mut("azureFile") {
            without(share, &["storageAccountKey"]);
        }
        if let Some(secret) = volume.get_mut("secret") {
            *secret = Value::Object(Map::new());
        }
    }
    for extension in items_mut(properties, "extensions") {
        if let Some(of_extension) = extension.get_mut("properties") {
            without(of_extension, &["protectedSettings"]);
        }
    }
    if let Some(analytics) = view.pointer_mut("/properties/diagnostics/logAnalytics") {
        without(analytics, &["workspaceKey", "logType", "metadata", "workspaceResourceId"]);
    }
    view
}

fn show_principals(identity: &mut Value) {
    let principal = "5a1ac0de-0000-4000-8000-000000000001";
    if identity["type"].as_str().is_some_and(|kind| kind.contains("SystemAssigned")) {
        identity["principalId"] = Value::from(principal);
        identity["tenantId"] = Value::from(crate::TENANT_ID);
    }
    let assigned = identity.get_mut("userAssignedIdentities").and_then(Value::as_object_mut);
    for (_, value) in assigned.into_iter().flatten() {
        *value = json!({ "principalId": principal, "clientId": crate::USER_IDENTITY });
    }
}
