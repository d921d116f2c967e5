//! Container groups as they stand in files and tables of the settings, with the environment's values in them.

use super::keys::{self, Keys};
use super::problems::Wrong;
use super::process;
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Where the pushed image goes.
const IMAGE: &str = "${image}";

/// A container group, or a part of one, as Resource Manager takes it. Secrets stand in it, so its `Debug` shows
/// nothing. `${image}` is left in a template.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    value: Value,
    filled: Vec<Secret>,
}

impl Document {
    /// `filled` are the texts that came into it from the environment.
    #[must_use]
    pub const fn new(value: Value, filled: Vec<Secret>) -> Self {
        Self { value, filled }
    }

    /// The document itself, for where it has to go.
    #[must_use]
    pub const fn expose(&self) -> &Value {
        &self.value
    }

    /// Texts that must not be said again.
    #[must_use]
    pub fn filled(&self) -> &[Secret] {
        &self.filled
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[document]")
    }
}

/// The whole of a group: `key` holds the path of its file.
pub(super) fn template(keys: &mut Keys<'_>, key: &str, folder: Option<&Path>) -> Option<Document> {
    let value = from_file(keys, key, folder)?;
    let document = filled(keys, key, value)?;
    let wrong = if !contains_image(&document.value) {
        "has ${image} nowhere; write it where the image goes"
    } else if document.value["location"].as_str().is_none_or(str::is_empty) {
        "says no location"
    } else if document.value["properties"]["containers"].as_array().is_none_or(Vec::is_empty) {
        "has no properties.containers"
    } else {
        return Some(document);
    };
    keys.wrong(key, format_args!("the document {wrong}"));
    None
}

/// A part of a group: `key` holds the path of its file, or a table.
pub(super) fn overlay(keys: &mut Keys<'_>, key: &str, folder: Option<&Path>) -> Option<Document> {
    let value = match keys.table.get(key)? {
        toml::Value::Table(_) => {
            let table = keys.table.remove(key)?;
            let value = serde_json::to_value(table);
            value.map_err(|_| keys.wrong(key, "holds what JSON cannot say")).ok()?
        }
        _ => from_file(keys, key, folder)?,
    };
    let document = filled(keys, key, value)?;
    if contains_image(&document.value) {
        keys.wrong(key, "${image} is for templates; the image is changed where it is");
        return None;
    }
    Some(document)
}

fn from_file(keys: &mut Keys<'_>, key: &str, folder: Option<&Path>) -> Option<Value> {
    let path = keys.read(key, |text| Ok(text.to_owned()))?;
    let read = || -> Result<Value, Wrong> {
        let folder = folder.ok_or("is relative to a file of settings, and there is none")?;
        let text = process::read_file(&folder.join(path));
        let text = text.map_err(|wrong| format!("names a file that {wrong}"))?;
        let text =
            text.ok_or("names a file that is not there; it is relative to the settings' own")?;
        serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("names a file that is not JSON: line {line}, column {column}")
        })
    };
    match read() {
        Ok(value) if value.is_object() => Some(value),
        Ok(_) => {
            keys.wrong(key, "names a file that is not a JSON object");
            None
        }
        Err(wrong) => {
            keys.wrong(key, wrong);
            None
        }
    }
}

fn filled(keys: &mut Keys<'_>, key: &str, mut value: Value) -> Option<Document> {
    let mut filling = Filling { env: keys.env, used: Vec::new(), wrongs: Vec::new() };
    filling.fill(&mut value);
    let Filling { used, wrongs, .. } = filling;
    for wrong in &wrongs {
        keys.wrong(key, wrong);
    }
    wrongs.is_empty().then(|| Document::new(value, used.into_iter().map(Secret::new).collect()))
}

struct Filling<'a> {
    env: &'a BTreeMap<String, String>,
    used: Vec<String>,
    wrongs: Vec<Wrong>,
}

impl Filling<'_> {
    fn fill(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains("${") => {
                let kept = text.replace(IMAGE, "$${image}");
                let (filled, wrongs) = keys::fill(&kept, self.env, &mut self.used);
                *text = filled;
                self.wrongs.extend(wrongs);
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.fill(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.fill(value)),
            _ => {}
        }
    }
}

fn contains_image(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(IMAGE),
        Value::Array(values) => values.iter().any(contains_image),
        Value::Object(members) => Map::values(members).any(contains_image),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_never_shown() {
        let document = Document::new(json!({"a": "hunter2"}), vec![Secret::new("hunter2")]);
        assert_eq!(format!("{document:?}"), "[document]");
        assert_eq!(document.expose()["a"], document.filled()[0].expose());
    }
}
