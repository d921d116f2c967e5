//! `Metadata` of a call: what the trigger knows, and whatever the payload calls the same.

use uuid::Uuid;

use crate::clock;
use crate::json::Json;
use crate::newtonsoft::{rewritten, to_text};

/// Named values whose names are equal in any case. A value that is set again keeps its place
/// and the spelling of its first name.
#[derive(Debug, Default)]
pub(crate) struct Metadata(Vec<(String, Json)>);

impl Metadata {
    fn find(&mut self, name: &str) -> Option<&mut Json> {
        let entry = self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name));
        entry.map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, name: &str, value: Json) {
        match self.find(name) {
            Some(known) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn set_if_absent(&mut self, name: &str, value: Json) {
        if self.find(name).is_none() {
            self.0.push((name.to_owned(), value));
        }
    }

    /// Copies the members of a JSON object, except nulls and arrays.
    pub(crate) fn set_payload(&mut self, text: &str) {
        let Ok(payload) = Json::parse(text) else { return };
        for (name, value) in payload.members() {
            match value {
                Json::Null | Json::Array(_) => {}
                Json::Object(_) => self.set(name, rewritten(value)),
                _ => self.set(name, Json::encoded(&to_text(value))),
            }
        }
    }

    /// Adds `sys`, under another name if the payload has taken that one.
    pub(crate) fn set_sys(&mut self, function: &str) {
        let name = if self.find("sys").is_some() { "$sys" } else { "sys" };
        let sys = Json::object([
            ("MethodName", function.into()),
            ("UtcNow", (clock::iso(clock::now()) + "Z").into()),
            ("RandGuid", Uuid::new_v4().to_string().into()),
        ]);
        self.set(name, sys);
    }

    /// The values without those whose name ends in `trigger`, which the host keeps to itself.
    pub(crate) fn into_json(self) -> Json {
        let is_kept = |name: &str| !name.to_ascii_lowercase().ends_with("trigger");
        Json::Object(self.0.into_iter().filter(|(name, _)| is_kept(name)).collect())
    }
}
