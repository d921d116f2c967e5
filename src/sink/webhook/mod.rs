//! Webhooks out: the registry's own format for what consumes that today, CloudEvents for all else.

mod acr;
mod cloudevents;
pub mod signature;

use super::attempt::{Judgement, attempt};
use super::client::{Client, Reply};
use super::{JSON, content_type};
use crate::config::{Format, is_own_header};
use crate::ports::{Parcel, Sink};
use crate::redact::Redactor;
use crate::secret::{Secret, SecretUrl};
use async_trait::async_trait;
use fan_in::Attempt;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use signature::Key;

/// Kargo knows a registry's webhook by how this begins.
const ACR_USER_AGENT: &str = "AzureContainerRegistry/1.0";
const CLOUDEVENTS: &str = "application/cloudevents+json; charset=utf-8";

/// What the settings say of one webhook.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    pub url: SecretUrl,
    pub format: Format,
    pub secret: Option<&'a Secret>,
    pub headers: &'a [(String, Secret)],
    pub user_agent: Option<&'a str>,
}

#[derive(Clone, Debug)]
pub struct Webhook {
    name: String,
    url: SecretUrl,
    format: Format,
    key: Option<Key>,
    /// Those that are the same on every call.
    headers: HeaderMap,
    client: Client,
    redactor: Redactor,
}

impl Webhook {
    /// # Errors
    /// When the secret or a header cannot be used.
    pub fn new(name: String, settings: &Settings<'_>, client: Client) -> Result<Self, String> {
        let key = settings.secret.map(Key::from_secret).transpose()?;
        let others = settings.headers.iter().map(|(_, value)| value).chain(settings.secret);
        Ok(Self {
            name,
            url: settings.url.clone(),
            format: settings.format,
            key,
            headers: headers(settings)?,
            client,
            redactor: Redactor::new(&settings.url, others),
        })
    }

    fn signed(&self, parcel: Parcel<'_>, body: &[u8]) -> HeaderMap {
        let mut headers = self.headers.clone();
        let mut insert = |name: &'static str, value: String| {
            // Digits, letters and base64: always a header.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        let (id, seconds) = (parcel.id(), parcel.now.as_millis().div_euclid(1_000));
        if let Some(key) = &self.key {
            insert("webhook-timestamp", seconds.to_string());
            insert("webhook-signature", key.sign(&id, seconds, body));
        }
        insert("webhook-id", id);
        headers
    }
}

fn headers(settings: &Settings<'_>) -> Result<HeaderMap, String> {
    let mut headers = content_type(match settings.format {
        Format::Acr => JSON,
        Format::CloudEvents => CLOUDEVENTS,
    });
    let user_agent = match (settings.user_agent, settings.format) {
        (Some(user_agent), _) => Some(user_agent),
        (None, Format::Acr) => Some(ACR_USER_AGENT),
        (None, Format::CloudEvents) => None,
    };
    if let Some(text) = user_agent {
        let value = HeaderValue::try_from(text)
            .map_err(|_| "its user_agent cannot stand in a header".to_owned())?;
        headers.insert(USER_AGENT, value);
    }
    for (name, value) in settings.headers {
        let name = HeaderName::try_from(name)
            .map_err(|_| "the name of one of its headers is not one".to_owned())?;
        if is_own_header(name.as_str()) {
            return Err(format!("its header {name} is set by acr-fanin itself"));
        }
        let mut value = HeaderValue::try_from(value.expose())
            .map_err(|_| format!("the value of its header {name} cannot stand in a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[async_trait]
impl Sink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn deploys(&self) -> bool {
        self.format == Format::Acr
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let body = match self.format {
            Format::Acr => acr::body(parcel),
            Format::CloudEvents => cloudevents::body(parcel),
        };
        let body = body.to_string().into_bytes();
        let headers = self.signed(parcel, &body);
        // A user and a password in the URL become basic authentication, unless a header says otherwise.
        let outcome = self.client.post(self.url.expose(), headers, body, parcel.now).await;
        attempt(outcome, &self.redactor, judge)
    }
}

const fn judge(reply: &Reply) -> Judgement {
    match reply.status {
        200..=299 => Judgement::Accepted,
        410 => Judgement::Hopeless,
        _ => Judgement::Refused,
    }
}
