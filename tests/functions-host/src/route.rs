//! Route templates of HTTP functions: `jobs/{job?}`, `{*rest}`.

/// A route below the prefix.
#[derive(Debug)]
pub(crate) struct Route {
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    Parameter { name: String, optional: bool },
    Rest { name: String },
}

/// The parameters of a route; an optional one may be absent.
pub(crate) type Parameters = Vec<(String, Option<String>)>;

impl Route {
    pub(crate) fn new(template: &str) -> Self {
        Self { segments: split(template).map(Segment::new).collect() }
    }

    /// How many segments are literal: the route with more of them wins.
    pub(crate) fn literals(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }

    /// The parameters, if the path matches.
    pub(crate) fn matches(&self, path: &str) -> Option<Parameters> {
        let mut parts = split(path);
        let mut parameters = Parameters::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => {
                    if !decoded(parts.next()?).eq_ignore_ascii_case(text) {
                        return None;
                    }
                }
                Segment::Parameter { name, optional } => {
                    let value = parts.next().map(decoded);
                    if value.is_none() && !optional {
                        return None;
                    }
                    parameters.push((name.clone(), value));
                }
                Segment::Rest { name } => {
                    let rest: Vec<String> = parts.by_ref().map(decoded).collect();
                    parameters.push((name.clone(), (!rest.is_empty()).then(|| rest.join("/"))));
                }
            }
        }
        parts.next().is_none().then_some(parameters)
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            return Self::Literal(text.to_owned());
        };
        if let Some(name) = inner.strip_prefix('*') {
            return Self::Rest { name: name.to_owned() };
        }
        match inner.strip_suffix('?') {
            Some(name) => Self::Parameter { name: name.to_owned(), optional: true },
            None => Self::Parameter { name: inner.to_owned(), optional: false },
        }
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// A path segment as the web server hands it out: everything is decoded but the slash.
fn decoded(segment: &str) -> String {
    let kept = segment.replace("%2F", "%252F").replace("%2f", "%252f");
    percent_decoded(&kept)
}

/// The text without its `%XX`; bytes that are no UTF-8 become U+FFFD.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parameters of a query in order; repeated ones (in any case) share an entry.
pub(crate) fn query(text: &str) -> Vec<(String, Vec<String>)> {
    let mut parameters: Vec<(String, Vec<String>)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decoded(&name.replace('+', " "));
        let value = percent_decoded(&value.replace('+', " "));
        match parameters.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, values)) => values.push(value),
            None => parameters.push((name, vec![value])),
        }
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_parameter_may_be_missing_and_a_longer_path_does_not_match() {
        let route = Route::new("jobs/{job?}");
        assert_eq!(route.matches("Jobs"), Some(vec![("job".to_owned(), None)]));
        assert_eq!(route.matches("jobs/1"), Some(vec![("job".to_owned(), Some("1".to_owned()))]));
        assert_eq!(route.matches("jobs/1/2"), None);
    }

    #[test]
    fn an_encoded_slash_stays_encoded() {
        assert_eq!(decoded("abc%20d%2Fe"), "abc d%2Fe");
    }
}
