//! What is wrong with the settings: all of it at once, and never a value.

use std::fmt;

/// Why a text is not what a setting needs: a sentence without the text itself.
pub(super) type Wrong = String;

/// Several such sentences, one for each bad item of a list; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrongs(Vec<Wrong>);

impl Wrongs {
    /// What was read, unless something is wrong with it.
    pub(super) fn unless<T>(wrongs: Vec<Wrong>, read: T) -> Result<T, Self> {
        if wrongs.is_empty() { Ok(read) } else { Err(Self(wrongs)) }
    }
}

impl From<Wrong> for Wrongs {
    fn from(wrong: Wrong) -> Self {
        Self(vec![wrong])
    }
}

/// Everything that is wrong, one line each: `SETTING: what is wrong and what to do`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// `place` is a setting, or a place in the file; neither it nor the sentence holds a value.
    pub(super) fn add(&mut self, place: impl fmt::Display, sentence: impl fmt::Display) {
        self.0.push(format!("{place}: {sentence}"));
    }

    pub(super) fn add_all(&mut self, place: impl fmt::Display, wrongs: impl Into<Wrongs>) {
        for wrong in wrongs.into().0 {
            self.add(&place, wrong);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line each, in the order in which the settings were read.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}
