//! Texts in the JSON of rows.

use crate::keys::{hex, unhex};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A text of a row: lent by what is written, and by the row that is read where JSON had nothing to escape in it.
#[derive(Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned()
    }
}

/// The hash of an id.
#[derive(PartialEq)]
pub(super) struct Hex(pub(super) [u8; 16]);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hex(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let wrong = || D::Error::custom("an id is not 32 hexadecimal digits");
        unhex(&text).map(Self).ok_or_else(wrong)
    }
}

/// A text that need not be there.
pub(super) fn text(text: Option<&str>) -> Option<Text<'_>> {
    text.map(Text::from)
}
