//! What the settings say of a sink that brings a container group to the pushed image.

use crate::secret::Secret;
use fan_in::{Glob, Registry};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// One container group, how it is changed, and which images may run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AciUpdate {
    pub subscription: String,
    pub resource_group: String,
    pub container_group: String,
    pub how: How,
    pub pin: Pin,
    /// Makes the group where it is absent; only a template can.
    pub create: bool,
    /// How long the containers are looked at after the update.
    pub watch: Duration,
    /// The login servers whose images may run: never empty.
    pub registries: Vec<Registry>,
    /// The repositories whose images may run: never empty.
    pub repositories: Vec<Glob>,
}

/// Where the document comes from that the group becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// From the settings, whole.
    Template(Document),
    /// From Azure, with the image changed and with what Azure keeps to itself laid over it.
    Patch { overlay: Option<Document> },
}

/// How an image is named in the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// By its digest: a later restart cannot pull another image.
    #[default]
    Digest,
    Tag,
}

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
