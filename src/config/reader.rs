//! Reads settings by name and collects what is wrong with them.

use super::problems::{Problems, Wrong, Wrongs};
use super::settings;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub env: &'a BTreeMap<String, String>,
    pub problems: Problems,
}

/// A variable's value; one that is empty is not set, since that is how a sample leaves it open.
pub(super) fn value<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    env.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Whether a value is text: what was not UTF-8 in the environment has this character in its place.
pub(super) fn is_text(value: &str) -> bool {
    !value.contains(char::REPLACEMENT_CHARACTER)
}

impl<'a> Reader<'a> {
    pub(super) fn new(env: &'a BTreeMap<String, String>) -> Self {
        Self { env, problems: Problems::default() }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        value(self.env, name).is_some()
    }

    /// The value to read. One that is no text counts as none, since that has been said of it already.
    fn text(&self, name: &str) -> Option<&'a str> {
        value(self.env, name).filter(|value| is_text(value))
    }

    /// None when it is not set, or wrong, which is a problem then.
    pub(super) fn read<T, E: Into<Wrongs>>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.check(name, parse(text))
    }

    /// [`Reader::read`], with the default of the table where it is not set.
    pub(super) fn or_default<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let default = settings::find(name).and_then(|setting| setting.default);
        let text = if self.is_set(name) { self.text(name) } else { default }?;
        self.check(name, parse(text))
    }

    /// [`Reader::read`]; not to be set is a problem, too, and `advice` says what to do about it.
    pub(super) fn required<T, E: Into<Wrongs>>(
        &mut self,
        name: &str,
        advice: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.is_set(name) {
            self.problems.add(name, format_args!("is missing; {advice}"));
        }
        self.read(name, parse)
    }

    /// A setting with two spellings, which must not contradict each other.
    pub(super) fn spelt_twice<T: PartialEq>(
        &mut self,
        name: &str,
        other: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let (first, second) = (self.read(name, &parse), self.read(other, &parse));
        if first.is_some() && second.is_some() && first != second {
            self.problems.add(
                name,
                format_args!("{other} is set, too, to something else; remove one of them"),
            );
        }
        first.or(second)
    }

    fn check<T>(&mut self, name: &str, parsed: Result<T, impl Into<Wrongs>>) -> Option<T> {
        parsed.map_err(|wrongs| self.problems.add_all(name, wrongs)).ok()
    }
}
