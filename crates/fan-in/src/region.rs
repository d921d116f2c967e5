//! Azure regions, written in one way.

use crate::image::Invalid;
use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

/// A region's name, lower case and without spaces: `West Europe`, `WestEurope` and `westeurope` are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

/// Regions in a fixed order, so that equal inputs give equal outputs.
pub type RegionSet = BTreeSet<Region>;

impl Region {
    /// The one region of a registry that has none, such as Docker Hub.
    pub const GLOBAL: &'static str = "global";
    /// Longest name taken; Azure's own are under 25 characters.
    pub const CHARS_MAX: usize = 50;

    /// # Errors
    /// When nothing is left without spaces, or anything but letters, digits and hyphens is in it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        // Nearly always it is written so already.
        if !text.is_empty() && text.len() <= Self::CHARS_MAX && text.bytes().all(plain) {
            return Ok(Self(String::from(text)));
        }
        let name: String =
            text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
        let fits = !name.is_empty() && name.len() <= Self::CHARS_MAX;
        if fits && name.bytes().all(plain) {
            Ok(Self(name))
        } else {
            Err(Invalid("a region name is letters and digits, such as westeurope"))
        }
    }

    #[must_use]
    pub fn global() -> Self {
        Self(String::from(Self::GLOBAL))
    }

    #[must_use]
    pub fn is_global(&self) -> bool {
        self.0 == Self::GLOBAL
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_region_is_the_same_region() {
        let one = Region::parse("westeurope").unwrap();
        for spelling in ["West Europe", "WestEurope", " westeurope ", "WEST EUROPE"] {
            assert_eq!(Region::parse(spelling).unwrap(), one);
        }
    }

    #[test]
    fn what_is_no_region_name_is_refused() {
        for text in ["", "  ", "west/europe", "west'europe", "größe", "a".repeat(51).as_str()] {
            assert!(Region::parse(text).is_err(), "{text}");
        }
    }
}
