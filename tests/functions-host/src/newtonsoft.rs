//! What Newtonsoft.Json does to values that pass through the host: strings that look like
//! dates become dates, numbers with a fraction become doubles.

use crate::clock::{self, Zone};
use crate::json::Json;

/// The value after it was read and written again: dates and fractions in their new form.
pub(crate) fn rewritten(value: &Json) -> Json {
    match value {
        Json::String(text) => match clock::parse_iso(text) {
            Some((time, zone)) => Json::String(clock::iso(time) + suffix(zone)),
            None => value.clone(),
        },
        Json::Number(text) => Json::Number(double(text, ".0").unwrap_or_else(|| text.clone())),
        Json::Array(elements) => Json::Array(elements.iter().map(rewritten).collect()),
        Json::Object(members) => Json::Object(
            members.iter().map(|(name, value)| (name.clone(), rewritten(value))).collect(),
        ),
        Json::Null | Json::Bool(_) => value.clone(),
    }
}

fn suffix(zone: Zone) -> &'static str {
    match zone {
        Zone::Utc => "Z",
        Zone::Local => "+00:00",
        Zone::Unspecified => "",
    }
}

/// `JToken.ToString()`: scalars in the invariant culture, anything else as indented JSON.
pub(crate) fn to_text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(text) => double(text, "").unwrap_or_else(|| text.clone()),
        Json::String(text) => match clock::parse_iso(text) {
            Some((time, _)) => clock::culture(time),
            None => text.clone(),
        },
        Json::Array(_) | Json::Object(_) => rewritten(value).indented(),
    }
}

/// The text of a number that has a fraction or an exponent; `None` for whole numbers.
fn double(text: &str, whole_suffix: &str) -> Option<String> {
    if !text.contains(['.', 'e', 'E']) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    if value != 0.0 && !(1e-4..1e15).contains(&value.abs()) {
        let scientific = format!("{value:E}");
        let (mantissa, exponent) = scientific.split_once('E')?;
        let exponent: i32 = exponent.parse().ok()?;
        let sign = if exponent < 0 { '-' } else { '+' };
        return Some(format!("{mantissa}E{sign}{:02}", exponent.abs()));
    }
    let plain = format!("{value}");
    Some(if plain.contains('.') { plain } else { plain + whole_suffix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_lose_their_trailing_zeros_and_whole_doubles_keep_one() {
        let texts = ["1.50", "1.0", "1e20", "0.00001", "12345678901234567890"];
        let written = texts.map(|text| rewritten(&Json::Number(text.to_owned())).compact());
        assert_eq!(written, ["1.5", "1.0", "1E+20", "1E-05", "12345678901234567890"]);
    }

    #[test]
    fn a_whole_double_has_no_fraction_as_text() {
        assert_eq!(to_text(&Json::Number("1.0".to_owned())), "1");
    }
}
