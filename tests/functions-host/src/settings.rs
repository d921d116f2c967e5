//! App settings, and what the host makes of them: `%NAME%` in files, overrides of `host.json`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::HostError;
use crate::json::Json;

/// The app settings by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn set(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The connection string that a binding calls `name`.
    pub(crate) fn connection(&self, name: &str) -> Option<&str> {
        self.get(&format!("AzureWebJobs{name}")).or_else(|| self.get(name))
    }

    /// `text` with every `%NAME%` replaced.
    ///
    /// # Errors
    /// A setting is missing.
    pub(crate) fn expand(&self, text: &str) -> Result<String, HostError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let Some((name, after)) = after.split_once('%') else { break };
            let value = self.get(name);
            let missing = || HostError::new(format!("%{name}% is no app setting"));
            out.push_str(before);
            out.push_str(value.ok_or_else(missing)?);
            rest = after;
        }
        Ok(out + rest)
    }
}

/// `host.json`, where the setting `AzureFunctionsJobHost__a__b` wins over `a.b` of the file.
#[derive(Debug)]
pub(crate) struct HostJson<'a> {
    pub(crate) file: &'a Json,
    pub(crate) settings: &'a Settings,
}

impl HostJson<'_> {
    /// The scalar at a path of members joined by dots.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let name = format!("AzureFunctionsJobHost__{}", path.replace('.', "__"));
        if let Some(value) = self.settings.get(&name) {
            return Some(value.to_owned());
        }
        match self.find(path)? {
            Json::String(text) | Json::Number(text) => Some(text.clone()),
            Json::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self.file, |value, name| value.get_ignore_case(name))
    }

    pub(crate) fn number(&self, path: &str, default: usize) -> Result<usize, HostError> {
        let Some(text) = self.get(path) else { return Ok(default) };
        text.parse().map_err(|_| HostError::new(format!("{path}: {text} is no number")))
    }

    pub(crate) fn span(&self, path: &str, default: Duration) -> Result<Duration, HostError> {
        let Some(text) = self.get(path) else { return Ok(default) };
        parse_span(&text).ok_or_else(|| HostError::new(format!("{path}: {text} is no time span")))
    }
}

/// Reads a .NET time span: `00:05:00`, `1.00:00:00`, `00:00:00.5`.
fn parse_span(text: &str) -> Option<Duration> {
    let mut parts = text.rsplit(':');
    let seconds: f64 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let hours = parts.next()?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let hours = days.parse::<u32>().ok()? * 24 + hours.parse::<u32>().ok()?;
    let whole = f64::from(hours * 60 + minutes) * 60.0;
    parts.next().is_none().then(|| Duration::from_secs_f64(whole + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_may_have_days_and_fractions() {
        assert_eq!(parse_span("1.02:00:00.5"), Some(Duration::from_millis(93_600_500)));
        assert_eq!(parse_span("nonsense"), None);
    }

    #[test]
    fn a_setting_wins_over_the_file() {
        let file = Json::parse(r#"{"extensions":{"queues":{"batchSize":16}}}"#).unwrap();
        let mut settings = Settings::default();
        let host = |settings: &Settings| {
            HostJson { file: &file, settings }.number("extensions.queues.batchSize", 1).unwrap()
        };
        assert_eq!(host(&settings), 16);
        let name = "AzureFunctionsJobHost__extensions__queues__batchSize";
        settings.set(name.to_owned(), "2".to_owned());
        assert_eq!(host(&settings), 2);
    }
}
