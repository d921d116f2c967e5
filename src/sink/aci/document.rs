//! Documents of container groups: what of them can be written, and what is laid over them.

use serde_json::{Map, Value};

/// By what the elements of a list are told apart.
const KEYS: [&str; 2] = ["name", "server"];

/// What GET shows, without what PUT does not take.
pub(super) fn writable(shown: &Value) -> Value {
    let mut document = shown.clone();
    take(&mut document, &["id", "name", "type", "systemData", "etag"]);
    if let Some(identity) = document.get_mut("identity") {
        take(identity, &["principalId", "tenantId"]);
        let assigned = identity.get_mut("userAssignedIdentities").and_then(Value::as_object_mut);
        assigned.into_iter().flat_map(Map::values_mut).for_each(|value| *value = empty());
    }
    let Some(properties) = document.get_mut("properties") else { return document };
    take(properties, &["instanceView", "provisioningState", "isCreatedFromStandbyPool"]);
    if let Some(address) = properties.get_mut("ipAddress") {
        take(address, &["fqdn"]);
    }
    for list in ["containers", "initContainers"] {
        let containers = properties.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if let Some(properties) = container.get_mut("properties") {
                take(properties, &["instanceView"]);
            }
        }
    }
    document
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn take(value: &mut Value, names: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        for name in names {
            object.remove(*name);
        }
    }
}

/// Lays one document over another: objects by their names, lists whose elements have a name (or a server) by that,
/// and all else instead of what was there.
pub(super) fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                lay_over(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(over)) if are_named(base) && are_named(over) => {
            for element in over {
                match base.iter_mut().find(|other| is_same(other, element)) {
                    Some(other) => lay_over(other, element),
                    None => base.push(element.clone()),
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

pub(super) fn name_of(element: &Value) -> Option<&str> {
    KEYS.iter().find_map(|key| element[*key].as_str())
}

fn are_named(list: &[Value]) -> bool {
    list.iter().all(|element| name_of(element).is_some())
}

/// Host names are the same in capitals; the other names have none.
fn is_same(a: &Value, b: &Value) -> bool {
    let same = |key: &str| match (a[key].as_str(), b[key].as_str()) {
        (Some(a), Some(b)) => Some(a.eq_ignore_ascii_case(b)),
        (None, None) => None,
        _ => Some(false),
    };
    KEYS.iter().find_map(|key| same(key)).unwrap_or(false)
}

/// Null means that there is nothing, which Azure is told by leaving it out.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The template with the image in its place.
pub(super) fn filled(template: &Value, placeholder: &str, image: &str) -> Value {
    let mut document = template.clone();
    each_text(&mut document, &mut |text| {
        if text.contains(placeholder) {
            *text = text.replace(placeholder, image);
        }
    });
    take(&mut document, &["id", "name", "type", "apiVersion"]);
    document
}

/// Every text in it, but for the names.
pub(super) fn each_text(value: &mut Value, act: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => act(text),
        Value::Array(list) => list.iter_mut().for_each(|value| each_text(value, act)),
        Value::Object(object) => object.values_mut().for_each(|value| each_text(value, act)),
        _ => {}
    }
}

/// The texts that stand where Azure has its secrets.
pub(super) fn secrets(value: &Value) -> Vec<String> {
    const NAMES: [&str; 6] = [
        "password",
        "secureValue",
        "storageAccountKey",
        "workspaceKey",
        "protectedSettings",
        "secret",
    ];
    let mut found = Vec::new();
    let mut open = vec![(value, false)];
    while let Some((value, secret)) = open.pop() {
        match value {
            Value::String(text) if secret => found.push(text.clone()),
            Value::Array(list) => open.extend(list.iter().map(|value| (value, secret))),
            Value::Object(object) => open.extend(
                object.iter().map(|(name, v)| (v, secret || NAMES.contains(&name.as_str()))),
            ),
            _ => {}
        }
    }
    found
}

/// A container's name, and its image.
pub(super) fn images(document: &Value) -> impl Iterator<Item = (&str, &str)> {
    let lists = ["initContainers", "containers"].map(|name| &document["properties"][name]);
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    containers.map(|container| {
        let image = container["properties"]["image"].as_str();
        (container["name"].as_str().unwrap_or_default(), image.unwrap_or_default())
    })
}

/// The places of the images.
pub(super) fn images_mut(document: &mut Value) -> Vec<&mut String> {
    let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let mut places = Vec::new();
    for (name, list) in properties {
        if !["initContainers", "containers"].contains(&name.as_str()) {
            continue;
        }
        for container in list.as_array_mut().into_iter().flatten() {
            if let Some(Value::String(image)) = container.pointer_mut("/properties/image") {
                places.push(image);
            }
        }
    }
    places
}

/// Puts a tag on the group, beside those that it has.
pub(super) fn set_tag(document: &mut Value, name: &str, value: &str) {
    let Some(document) = document.as_object_mut() else { return };
    let tags = document.entry("tags").or_insert_with(empty);
    if !tags.is_object() {
        *tags = empty();
    }
    if let Some(tags) = tags.as_object_mut() {
        tags.insert(name.to_owned(), value.into());
    }
}
