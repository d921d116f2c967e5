//! Why a request, or one event of several, goes no further. Every sentence is made of this program's own
//! words: the types leave no room for a caller's.

use crate::answer::Answer;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    TooLarge(&'static str),
    Secret,
    Malformed(&'static str),
    /// What is wrong with which field.
    Field(&'static str, Fault),
    Forbidden(&'static str),
    /// Nothing is wrong, and nobody wants it.
    Ignored(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    NotText,
    NotNumber,
    NotObject,
    /// With the sentence that says what is valid.
    Invalid(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("a webhook is a POST"),
            Self::Secret => f.write_str("the header x-fanin-secret is missing or wrong"),
            Self::TooLarge(why)
            | Self::Malformed(why)
            | Self::Forbidden(why)
            | Self::Ignored(why) => f.write_str(why),
            Self::Field(name, Fault::Missing) => write!(f, "{name} is missing"),
            Self::Field(name, Fault::NotText) => write!(f, "{name} is not a text"),
            Self::Field(name, Fault::NotNumber) => write!(f, "{name} is not a number"),
            Self::Field(name, Fault::NotObject) => write!(f, "{name} is not an object"),
            Self::Field(name, Fault::Invalid(why)) => write!(f, "{name} is not valid: {why}"),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let sentence = refusal.to_string();
        match refusal {
            Refusal::Method => {
                Self::error(405, &sentence).with_header("Allow", "GET, POST, OPTIONS")
            }
            Refusal::TooLarge(_) => Self::error(413, &sentence),
            Refusal::Secret => Self::error(401, &sentence),
            Refusal::Malformed(_) | Refusal::Field(..) => Self::error(400, &sentence),
            Refusal::Forbidden(_) => Self::error(403, &sentence),
            Refusal::Ignored(_) => Self::ignored(&sentence),
        }
    }
}
