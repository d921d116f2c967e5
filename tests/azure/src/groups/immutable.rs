//! What a group keeps for its life.

use serde_json::{Value, json};

use super::document::containers;
use crate::arm_error::ArmError;

/// Refuses a change of what takes a new group.
pub(crate) fn check(group: &str, old: &Value, new: &Value) -> Result<(), ArmError> {
    let pairs = [
        ("OSType", property(old, "osType"), property(new, "osType")),
        ("RestartPolicy", property(old, "restartPolicy"), property(new, "restartPolicy")),
        ("Cpu", total(old, "cpu"), total(new, "cpu")),
        ("MemoryInGB", total(old, "memoryInGB"), total(new, "memoryInGB")),
        ("Gpu", gpus(old), gpus(new)),
        ("SubnetIds", property(old, "subnetIds"), property(new, "subnetIds")),
        ("Zones", old["zones"].clone(), new["zones"].clone()),
    ];
    let changed: Vec<String> = pairs
        .into_iter()
        .filter(|(_, old, new)| !is_same(old, new))
        .map(|(name, old, new)| format!("{name} (old {old}, new {new})"))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let message = format!(
        "The updates on container group '{group}' are invalid. If you are going to update the {} for a container \
         group, you must delete it first and then create a new one.",
        changed.join(", ")
    );
    Err(ArmError::bad_request("InvalidContainerGroupUpdate", message))
}

fn property(document: &Value, name: &str) -> Value {
    document["properties"][name].clone()
}

/// What all containers of the group ask for together.
fn total(document: &Value, name: &str) -> Value {
    let one = |container: &Value| container["properties"]["resources"]["requests"][name].as_f64();
    json!(containers(document).filter_map(one).sum::<f64>())
}

fn gpus(document: &Value) -> Value {
    let gpu = |container: &Value| container["properties"]["resources"]["requests"]["gpu"].clone();
    containers(document).map(gpu).filter(|gpu| !gpu.is_null()).collect()
}

/// An empty list is as good as none.
fn is_same(old: &Value, new: &Value) -> bool {
    let is_none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    old == new || (is_none(old) && is_none(new))
}
