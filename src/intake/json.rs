//! JSON as others write it. Members may hold anything: only bad syntax and a member given twice stop the
//! reading, so that whoever knows a member says what is wrong with it, in our words instead of serde's.

use super::refusal::{Fault, Refusal};
use crate::limits;
use fan_in::Invalid;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// A member that should be a text or a number. Null counts as absent.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Leaf {
    #[default]
    Absent,
    Text(String),
    Whole(u64),
    Number(f64),
    Other,
}

impl Leaf {
    /// None when it is absent or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) => Ok((!text.is_empty()).then_some(text)),
            Self::Whole(_) | Self::Number(_) | Self::Other => {
                Err(Refusal::Field(name, Fault::NotText))
            }
        }
    }

    /// A text that follows a grammar; none when it is absent or empty.
    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Refusal> {
        let text = self.text(name)?;
        text.map(parse)
            .transpose()
            .map_err(|Invalid(why)| Refusal::Field(name, Fault::Invalid(why)))
    }

    /// For what is only passed on: anything but a text counts as absent.
    pub(super) fn any_text(&self) -> Option<&str> {
        self.text("").ok().flatten()
    }

    /// For what is only passed on: anything but a whole number counts as absent.
    pub(super) fn any_whole(&self) -> Option<u64> {
        if let Self::Whole(number) = self { Some(*number) } else { None }
    }

    /// Exact up to 53 bits.
    pub(super) fn number(&self, name: &'static str) -> Result<f64, Refusal> {
        match self {
            Self::Absent => Err(Refusal::Field(name, Fault::Missing)),
            Self::Whole(number) => Ok(*number as f64),
            Self::Number(number) => Ok(*number),
            Self::Text(_) | Self::Other => Err(Refusal::Field(name, Fault::NotNumber)),
        }
    }
}

impl<'de> Deserialize<'de> for Leaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LeafVisitor)
    }
}

struct LeafVisitor;

impl<'de> Visitor<'de> for LeafVisitor {
    type Value = Leaf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Leaf, E> {
        Ok(Leaf::Absent)
    }

    fn visit_str<E>(self, text: &str) -> Result<Leaf, E> {
        Ok(Leaf::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Leaf, E> {
        Ok(Leaf::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Leaf, E> {
        Ok(Leaf::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Leaf, E> {
        Ok(Leaf::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Leaf, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Leaf::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Leaf, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Leaf::Other)
    }
}

/// A member that should be an object. Null counts as absent.
#[derive(Debug, Default)]
pub(super) enum Part<T> {
    #[default]
    Absent,
    Is(T),
    Other,
}

impl<T> Part<T> {
    /// None when it is absent.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<&T>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Is(object) => Ok(Some(object)),
            Self::Other => Err(Refusal::Field(name, Fault::NotObject)),
        }
    }

    pub(super) fn needed(&self, name: &'static str) -> Result<&T, Refusal> {
        self.object(name)?.ok_or(Refusal::Field(name, Fault::Missing))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor(PhantomData))
    }
}

struct PartVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PartVisitor<T> {
    type Value = Part<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Part<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Part::Is)
    }

    fn visit_unit<E>(self) -> Result<Part<T>, E> {
        Ok(Part::Absent)
    }

    fn visit_str<E>(self, _: &str) -> Result<Part<T>, E> {
        Ok(Part::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Part<T>, E> {
        Ok(Part::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Part<T>, E> {
        Ok(Part::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Part<T>, E> {
        Ok(Part::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Part<T>, E> {
        Ok(Part::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Part<T>, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Part::Other)
    }
}

/// The texts of an array's members, up to [`limits::EVENTS_MAX`].
struct List<'a> {
    members: Vec<&'a str>,
    more: bool,
}

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<'de>, A::Error> {
        let mut members = Vec::new();
        while members.len() < limits::EVENTS_MAX {
            let Some(member) = seq.next_element::<&RawValue>()? else {
                return Ok(List { members, more: false });
            };
            members.push(member.get());
        }
        let more = seq.next_element::<IgnoredAny>()?.is_some();
        IgnoredAny.visit_seq(seq)?;
        Ok(List { members, more })
    }
}

/// The text of a body, without the byte order mark that some senders write.
pub(super) fn text(body: &[u8]) -> Result<&str, Refusal> {
    let text =
        std::str::from_utf8(body).map_err(|_| Refusal::Malformed("the body is not UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads an object. `T` has no member that fails on a type, so what fails is the syntax or a repetition.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    read(text, "the body gives one of its fields twice", "the body is not JSON")
}

/// Reads one of [`list`]'s members.
pub(super) fn member<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Part<T>, Refusal> {
    let unreadable = "the event holds a text or a number that cannot be read";
    read(text, "the event gives one of its fields twice", unreadable)
}

fn read<'a, T: Deserialize<'a>>(
    text: &'a str,
    twice: &'static str,
    unreadable: &'static str,
) -> Result<T, Refusal> {
    let why = |error: serde_json::Error| if error.is_data() { twice } else { unreadable };
    serde_json::from_str(text).map_err(|error| Refusal::Malformed(why(error)))
}

/// Reads an array; its members are read one by one, so that what is wrong with one spoils no other.
pub(super) fn list(text: &str) -> Result<Vec<&str>, Refusal> {
    let list: List<'_> = object(text)?;
    if list.more {
        return Err(Refusal::TooLarge("there are more events in one call than are taken"));
    }
    Ok(list.members)
}

/// Does the text begin like an array?
pub(super) fn is_list(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        a: Leaf,
        b: Part<Box<Sample>>,
    }

    fn sample(text: &str) -> Sample {
        object(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
    }

    #[test]
    fn a_member_may_hold_anything() {
        assert_eq!(sample("{}").a, Leaf::Absent);
        assert_eq!(sample(r#"{"a":null,"b":null}"#).a, Leaf::Absent);
        assert_eq!(sample(r#"{"a":"x\u00e4"}"#).a, Leaf::Text("xä".to_owned()));
        assert_eq!(sample(r#"{"a":18446744073709551615}"#).a, Leaf::Whole(u64::MAX));
        assert_eq!(sample(r#"{"a":-1}"#).a, Leaf::Number(-1.0));
        assert_eq!(
            sample(r#"{"a":18446744073709551616}"#).a,
            Leaf::Number(18_446_744_073_709_551_616.0)
        );
        for other in ["true", "[]", "[[1,{}]]", r#"{"a":1,"a":2}"#] {
            assert_eq!(sample(&format!(r#"{{"a":{other}}}"#)).a, Leaf::Other, "{other}");
        }
        for other in ["true", "1", "-1", "1.5", "\"x\"", "[1,{}]"] {
            assert!(matches!(sample(&format!(r#"{{"b":{other}}}"#)).b, Part::Other), "{other}");
        }
        assert!(
            matches!(sample(r#"{"b":{"a":1}}"#).b.needed("b"), Ok(inner) if inner.a == Leaf::Whole(1))
        );
    }

    #[test]
    fn a_member_given_twice_is_told_from_bad_syntax() {
        let refusal =
            |text| object::<Sample>(text).map(|_| ()).map_err(|refusal| refusal.to_string());
        let twice = Err("the body gives one of its fields twice".to_owned());
        assert_eq!(refusal(r#"{"a":1,"a":1}"#), twice);
        assert_eq!(refusal(r#"{"a":1,"\u0061":1}"#), twice);
        assert_eq!(refusal(r#"{"b":{"a":1,"a":1}}"#), twice);
        assert_eq!(refusal(r#"{"unknown":1,"unknown":1}"#), Ok(()));
        for bad in
            ["", "{", r#"{"a":"#, r#"{"a":1}}"#, r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#, "{'a':1}"]
        {
            assert_eq!(refusal(bad), Err("the body is not JSON".to_owned()), "{bad}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = format!("{}1{}", r#"{"b":"#.repeat(500), "}".repeat(500));
        assert!(object::<Sample>(&nested).is_err());
        let ignored = format!(r#"{{"c":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(object::<Sample>(&ignored).is_ok());
    }

    #[test]
    fn a_list_has_an_end() {
        let of = |n: usize| list(&format!("[{}]", vec!["{}"; n].join(","))).map(|l| l.len());
        assert_eq!(of(0), Ok(0));
        assert_eq!(of(limits::EVENTS_MAX), Ok(limits::EVENTS_MAX));
        assert!(matches!(of(limits::EVENTS_MAX + 1), Err(Refusal::TooLarge(_))));
        assert!(matches!(of(limits::EVENTS_MAX + 2), Err(Refusal::TooLarge(_))));
    }

    #[test]
    fn what_is_wrong_with_a_member_spoils_no_other() {
        let members = list(r#"[{"a":1}, {"a":1,"a":1},7 ,{"a":1e999}]"#).unwrap();
        assert_eq!(members, [r#"{"a":1}"#, r#"{"a":1,"a":1}"#, "7", r#"{"a":1e999}"#]);
        let read: Vec<_> = members.into_iter().map(member::<Sample>).collect();
        let [Ok(Part::Is(_)), Err(twice), Ok(Part::Other), Err(unreadable)] = &read[..] else {
            panic!("{read:?}")
        };
        assert_eq!(twice.to_string(), "the event gives one of its fields twice");
        assert!(unreadable.to_string().starts_with("the event holds"), "{unreadable}");
        for bad in ["[{]", "[{}", "[{},]", "[1 2]", "[{}]]", "[{'a':1}]"] {
            assert_eq!(list(bad), Err(Refusal::Malformed("the body is not JSON")), "{bad}");
        }
    }
}
