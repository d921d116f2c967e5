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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_whether_it_is_escaped_or_not() {
        let read = |json: &str| serde_json::from_str(json).map(|Text(text)| text.into_owned());
        assert_eq!(read("\"plain\"").unwrap(), "plain");
        assert_eq!(read(r#""a \"quoted\" \u0077ord""#).unwrap(), "a \"quoted\" word");
        assert!(serde_json::from_str::<Text<'_>>("7").is_err());
    }

    #[test]
    fn an_id_reads_back_what_it_writes() {
        let id = std::array::from_fn(|at| u8::try_from(at * 17).unwrap());
        let json = serde_json::to_string(&Hex(id)).unwrap();
        assert_eq!(json, "\"00112233445566778899aabbccddeeff\"");
        assert_eq!(serde_json::from_str::<Hex>(&json).unwrap().0, id);
        for bad in ["", "0", "00112233445566778899AABBCCDDEEFF", "+0112233445566778899aabbccddeeff"]
        {
            assert!(serde_json::from_str::<Hex>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }
}
