//! The rules of the service, checked before anything is sent.
//!
//! Source: "Understanding the Table service data model",
//! <https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model>.
//! Messages name the field and the rule, never the value.

use crate::error::Error;

/// Longest PartitionKey or RowKey, in UTF-16 units.
const KEY_UNITS: usize = 1024;
/// Longest string property, in UTF-16 units (64 KiB).
const STRING_UNITS: usize = 32 * 1024;
/// Longest property name.
const NAME_CHARS: usize = 255;
/// Most properties of one entity beside PartitionKey, RowKey and Timestamp.
const PROPERTIES: usize = 252;
/// Largest entity in bytes, names and keys included.
const ENTITY_BYTES: usize = 1024 * 1024;

/// Most operations in one transaction.
pub(crate) const TRANSACTION_OPERATIONS: usize = 100;
/// Largest transaction, as sent.
pub(crate) const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// Most entities in one page.
pub(crate) const PAGE_ENTITIES: u32 = 1000;

/// The properties that belong to the service.
pub(crate) const SYSTEM: [&str; 3] = ["PartitionKey", "RowKey", "Timestamp"];

pub(crate) fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// 3 to 63 ASCII letters and digits, beginning with a letter; `tables` is reserved.
pub(crate) fn table_name(name: &str) -> Result<(), Error> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let fits = (3..=63).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    if begins && fits && !name.eq_ignore_ascii_case("tables") {
        return Ok(());
    }
    Err(Error::config(
        "a table name has 3 to 63 letters and digits, begins with a letter, and is not \"tables\"",
    ))
}

/// At most 1,024 characters without `/ \ # ?` and control characters. May be empty.
pub(crate) fn key(field: &str, value: &str) -> Result<(), Error> {
    if utf16_units(value) > KEY_UNITS {
        return Err(Error::limit(format!("{field} is longer than {KEY_UNITS} characters")));
    }
    // `char::is_control` is exactly U+0000 to U+001F and U+007F to U+009F.
    if value.contains(|c: char| matches!(c, '/' | '\\' | '#' | '?') || c.is_control()) {
        return Err(Error::limit(format!("{field} has one of / \\ # ? or a control character")));
    }
    Ok(())
}

/// A C# identifier, kept to ASCII here.
pub(crate) fn property_name(name: &str) -> Result<(), Error> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if begins && fits && name.len() <= NAME_CHARS {
        return Ok(());
    }
    Err(Error::limit(
        "a property name has up to 255 letters, digits and _, and begins with no digit",
    ))
}

/// Adds up an entity by the service's own formula: 4 bytes, two per key character, and for each
/// property 8 bytes, two per character of its name, and its value.
#[derive(Debug)]
pub(crate) struct EntitySize {
    bytes: usize,
    properties: usize,
}

impl EntitySize {
    pub(crate) fn new(partition_key: &str, row_key: &str) -> Self {
        let keys = utf16_units(partition_key) + utf16_units(row_key);
        Self { bytes: 4 + 2 * keys, properties: 0 }
    }

    pub(crate) fn add_string(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let units = utf16_units(value);
        if units > STRING_UNITS {
            return Err(Error::limit(format!(
                "property {name} is longer than {STRING_UNITS} characters"
            )));
        }
        self.add(name, 4 + 2 * units)
    }

    pub(crate) fn add_scalar(&mut self, name: &str) -> Result<(), Error> {
        self.add(name, 8)
    }

    fn add(&mut self, name: &str, value_bytes: usize) -> Result<(), Error> {
        self.properties += 1;
        self.bytes += 8 + 2 * name.len() + value_bytes;
        if self.properties > PROPERTIES {
            return Err(Error::limit(format!("an entity has more than {PROPERTIES} properties")));
        }
        if self.bytes > ENTITY_BYTES {
            return Err(Error::limit(format!("an entity is larger than {ENTITY_BYTES} bytes")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn keys_take_everything_but_the_forbidden_characters() {
        for good in ["", "o'brien", "100%25", "ü|(x) a&b+c", "sha256:0f", &"k".repeat(1024)] {
            assert_eq!(key("RowKey", good), Ok(()), "{good}");
        }
        for bad in
            ["a/b", "a\\b", "a#b", "a?b", "a\tb", "a\u{85}b", &"k".repeat(1025), &"😀".repeat(513)]
        {
            let error = key("RowKey", bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{bad}");
            assert!(error.to_string().contains("RowKey"));
        }
    }

    #[test]
    fn table_names_follow_the_rules_of_the_service() {
        for good in ["abc", "A1b2", &"t".repeat(63)] {
            assert_eq!(table_name(good), Ok(()), "{good}");
        }
        for bad in ["", "ab", "1abc", "a-bc", "a/bc", "täble", "Tables", &"t".repeat(64)] {
            assert_eq!(table_name(bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
        }
    }

    #[test]
    fn a_string_of_32_ki_units_is_the_longest() {
        let mut size = EntitySize::new("p", "r");
        assert_eq!(size.add_string("a", &"x".repeat(32 * 1024)), Ok(()));
        assert!(size.add_string("b", &"x".repeat(32 * 1024 + 1)).is_err());
        assert!(size.add_string("c", &"😀".repeat(16 * 1024 + 1)).is_err());
    }

    #[test]
    fn an_entity_of_more_than_a_mebibyte_is_refused() {
        let mut size = EntitySize::new("p", "r");
        let text = "x".repeat(32 * 1024);
        for _ in 0..15 {
            assert_eq!(size.add_string("name", &text), Ok(()));
        }
        assert_eq!(size.add_string("name", &text).unwrap_err().kind(), ErrorKind::Limit);
    }

    #[test]
    fn the_253rd_property_is_refused() {
        let mut size = EntitySize::new("p", "r");
        for _ in 0..252 {
            assert_eq!(size.add_scalar("n"), Ok(()));
        }
        assert!(size.add_scalar("n").is_err());
    }
}
