//! Reads the keys of one table of the file, and puts values of the environment in their place.

use super::problems::{Problems, Wrong, Wrongs};
use super::reader;
use super::settings::nearest;
use super::values::items;
use std::collections::BTreeMap;
use toml::{Table, Value};

#[derive(Debug)]
pub(super) struct Keys<'a> {
    /// What a problem begins with.
    pub place: String,
    pub table: Table,
    pub env: &'a BTreeMap<String, String>,
    pub problems: &'a mut Problems,
    /// Values of the environment that were put in their places.
    pub used: Vec<String>,
}

impl Keys<'_> {
    pub(super) fn wrong(&mut self, key: &str, sentence: impl std::fmt::Display) {
        self.problems.add(&self.place, format_args!("key {key}: {sentence}"));
    }

    fn checked<T>(&mut self, key: &str, parsed: Result<T, impl Into<Wrongs>>) -> Option<T> {
        let place = format!("{}: key {key}", self.place);
        parsed.map_err(|wrongs| self.problems.add_all(place, wrongs)).ok()
    }

    fn filled(&mut self, key: &str, value: Value) -> Option<String> {
        let Value::String(text) = value else {
            self.wrong(key, "must be a text in quotes");
            return None;
        };
        let (text, wrongs) = fill(&text, self.env, &mut self.used);
        for wrong in &wrongs {
            self.wrong(key, wrong);
        }
        wrongs.is_empty().then_some(text)
    }

    /// None when it is not there, or wrong, which is a problem then.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.table.remove(key)?;
        let text = self.filled(key, value)?;
        self.checked(key, parse(&text))
    }

    pub(super) fn required<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.table.contains_key(key) {
            self.wrong(key, "is missing");
        }
        self.read(key, parse)
    }

    /// A list with something in it: an empty one would mean everything to one reader and nothing to another.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let Value::Array(values) = self.table.remove(key)? else {
            self.wrong(key, "must be a list of texts, such as [\"…\"]");
            return None;
        };
        if values.is_empty() {
            self.wrong(key, "is an empty list; name something, or leave the key out");
            return None;
        }
        let filled: Vec<_> = values.into_iter().map(|value| self.filled(key, value)).collect();
        let parsed = items(filled.iter().map(Option::as_deref), parse);
        let parsed = self.checked(key, parsed)?;
        filled.iter().all(Option::is_some).then_some(parsed)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.table.remove(key)? {
            Value::Boolean(flag) => Some(flag),
            _ => {
                self.wrong(key, "must be true or false, without quotes");
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &str, least: f64, most: f64) -> Option<f64> {
        let number = match self.table.remove(key)? {
            #[expect(clippy::cast_precision_loss, reason = "what is within the bounds is exact")]
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => f64::NAN,
        };
        if (least..=most).contains(&number) {
            return Some(number);
        }
        self.wrong(key, format_args!("must be a number from {least} to {most}, without quotes"));
        None
    }

    /// Names and texts, in the order of the names.
    pub(super) fn pairs(&mut self, key: &str) -> Vec<(String, String)> {
        match self.table.remove(key) {
            None => Vec::new(),
            Some(Value::Table(pairs)) => {
                let filled = |(name, value)| Some((name, self.filled(key, value)?));
                pairs.into_iter().filter_map(filled).collect()
            }
            Some(_) => {
                self.wrong(key, "must be names and texts, such as { Name = \"…\" }");
                Vec::new()
            }
        }
    }

    /// Nobody has asked for what is left.
    pub(super) fn refuse_rest(&mut self, known: &[&str]) {
        for (key, _) in std::mem::take(&mut self.table) {
            let hint = match nearest(&key, known.iter().copied()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.wrong(
                &key.escape_debug().to_string(),
                format_args!("there is no such key here; {hint}"),
            );
        }
    }
}

/// Puts the environment's value in the place of `${NAME}`; `$${` stands for `${`. What a value holds is not
/// looked into again. The values go to `used`, too.
pub(super) fn fill(
    text: &str,
    env: &BTreeMap<String, String>,
    used: &mut Vec<String>,
) -> (String, Vec<Wrong>) {
    let (mut filled, mut wrongs, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        filled.push_str(before);
        let name = after.split_once('}').filter(|(name, _)| is_variable(name));
        let Some((name, after)) = name else {
            wrongs.push(
                "has ${ without a variable's name and }; $${ stands for ${ itself".to_owned(),
            );
            return (filled, wrongs);
        };
        match reader::value(env, name) {
            Some(value) if !reader::is_text(value) => {
                wrongs.push(format!("the environment variable {name} is not UTF-8"));
            }
            Some(value) => {
                filled.push_str(value);
                used.push(value.to_owned());
            }
            None => wrongs.push(format!("the environment variable {name} is not set")),
        }
        rest = after;
    }
    filled.push_str(rest);
    (filled, wrongs)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_environment_take_their_places() {
        let env = BTreeMap::from(
            [("A", "1"), ("B_2", "${A}"), ("EMPTY", "")].map(|(n, v)| (n.to_owned(), v.to_owned())),
        );
        for (text, expected) in [
            ("plain $ and $A", "plain $ and $A"),
            ("x${A}y${A}", "x1y1"),
            ("${B_2}", "${A}"),
            ("$${A} $$${A} $$", "${A} $${A} $$"),
            ("größe${A}", "größe1"),
        ] {
            assert_eq!(fill(text, &env, &mut Vec::new()), (expected.to_owned(), vec![]), "{text}");
        }
        let (_, wrongs) = fill("${NOT_THERE} ${EMPTY}", &env, &mut Vec::new());
        assert_eq!(wrongs.len(), 2, "{wrongs:?}");
        assert!(wrongs[0].contains("NOT_THERE") && wrongs[1].contains("EMPTY"));
        for text in ["${", "${A", "${}", "${a b}", "${A${A}}"] {
            let (_, wrongs) = fill(text, &env, &mut Vec::new());
            assert_eq!(wrongs.len(), 1, "{text}");
        }
    }
}
