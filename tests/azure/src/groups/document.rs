//! The JSON document of a container group: what a PUT means, with the defaults for what it leaves out.

use serde_json::{Map, Value, json};

use super::GroupId;
use crate::arm_error::ArmError;

/// What only Azure writes: in a PUT it is passed over.
const READ_ONLY: [&str; 3] = ["provisioningState", "instanceView", "isCreatedFromStandbyPool"];

/// The entries of a list in an object; none where there is no list.
pub(crate) fn items<'a>(object: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    object[list].as_array().into_iter().flatten()
}

pub(crate) fn items_mut<'a>(
    object: &'a mut Value,
    list: &str,
) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

/// The containers of a group, without those that only prepare it.
pub(crate) fn containers(document: &Value) -> impl Iterator<Item = &Value> {
    items(&document["properties"], "containers")
}

/// All containers, those that only prepare it included.
pub(crate) fn all_containers(document: &Value) -> impl Iterator<Item = &Value> {
    containers(document).chain(items(&document["properties"], "initContainers"))
}

pub(crate) fn name(container: &Value) -> &str {
    container["name"].as_str().unwrap_or_default()
}

pub(crate) fn image(container: &Value) -> &str {
    container["properties"]["image"].as_str().unwrap_or_default()
}

/// What a location is compared by: `West Europe` is `westeurope`.
pub(crate) fn location_key(location: &str) -> String {
    location.replace(' ', "").to_ascii_lowercase()
}

/// The document that a PUT makes: nothing of the one before is left in it.
pub(crate) fn accepted(id: &GroupId, body: Option<Value>) -> Result<Value, ArmError> {
    let Some(Value::Object(body)) = body else {
        let message = "The request content was invalid and could not be deserialized.";
        return Err(ArmError::bad_request("InvalidRequestContent", message));
    };
    if !body.get("location").is_some_and(Value::is_string) {
        let message = "The location property is required for this definition.";
        return Err(ArmError::bad_request("LocationRequired", message));
    }
    let mut document = json!({
        "id": id.to_string(),
        "name": id.name,
        "type": "Microsoft.ContainerInstance/containerGroups",
    });
    for member in ["location", "tags", "identity", "zones"] {
        if let Some(value) = body.get(member) {
            document[member] = value.clone();
        }
    }
    let properties = body.get("properties").and_then(Value::as_object).cloned();
    document["properties"] = properties.map(with_defaults).unwrap_or_default();
    Ok(document)
}

fn with_defaults(properties: Map<String, Value>) -> Value {
    let mut properties = Value::Object(properties);
    without(&mut properties, &READ_ONLY);
    default(&mut properties, "sku", json!("Standard"));
    default(&mut properties, "restartPolicy", json!("Always"));
    default(&mut properties, "initContainers", json!([]));
    if let Some(kind) = properties["osType"].as_str().map(capitalized) {
        properties["osType"] = Value::from(kind);
    }
    if let Some(address) = properties.get_mut("ipAddress").filter(|address| address.is_object()) {
        without(address, &["ip", "fqdn"]);
        for port in items_mut(address, "ports") {
            default(port, "protocol", json!("TCP"));
        }
    }
    for list in ["containers", "initContainers"] {
        for container in items_mut(&mut properties, list) {
            let Some(of_container) = container.get_mut("properties") else { continue };
            without(of_container, &["instanceView"]);
            default(of_container, "environmentVariables", json!([]));
            if list == "containers" {
                let requests = json!({ "requests": { "cpu": 1.0, "memoryInGB": 1.5 } });
                default(of_container, "resources", requests);
            }
        }
    }
    properties
}

/// `linux` is taken as `Linux`.
fn capitalized(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut letters = lower.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn default(object: &mut Value, member: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        let present = object.entry(member).or_insert(Value::Null);
        if present.is_null() {
            *present = value;
        }
    }
}

pub(crate) fn without(object: &mut Value, members: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        members.iter().for_each(|member| drop(object.remove(*member)));
    }
}
