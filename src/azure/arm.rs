//! Azure Resource Manager: one request at a time, with our token and within limits. Nothing is tried again here but
//! a call whose token was refused, once.

use super::credential::{self, Bearer, Credential};
use super::failure::{ArmError, Call, of_answer, one_line};
use super::transport::{client, root_cause};
use crate::address::is_loopback_host;
use crate::clock;
use crate::config;
use crate::limits::{ARM_ANSWER_MAX, ARM_REQUEST};
use crate::retry_after;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::Url;

const PUBLIC_CLOUD: &str = "https://management.azure.com";
const ASYNC_OPERATION: &str = "azure-asyncoperation";

/// Resource Manager, as one identity sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Arm(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: Url,
    /// What a token is asked for.
    scope: String,
    credential: Arc<Credential>,
}

/// How long a call may take. A change is not sent any more after a time that may be earlier than the one by which
/// its answer has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    pub send: Instant,
    pub answer: Instant,
}

impl Until {
    #[must_use]
    pub const fn answer(by: Instant) -> Self {
        Self { send: by, answer: by }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<&'a Value>,
    pub(super) until: Until,
    /// What a role must allow for it, such as `Microsoft.ContainerInstance/containerGroups/read`.
    pub(super) action: &'a str,
}

/// What came back, whatever the status.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null where there is none.
    pub(super) body: Value,
    pub(super) retry_after: Option<Duration>,
    /// Where to ask how a long operation goes: only addresses of Resource Manager itself, since our token goes there.
    pub(super) async_operation: Option<Url>,
    pub(super) location: Option<Url>,
}

impl Arm {
    /// Nobody is asked for anything yet.
    ///
    /// # Errors
    /// When a setting cannot be what it should be, such as a tenant id, or no HTTP client can be made.
    pub fn new(settings: &config::Azure) -> anyhow::Result<Self> {
        let credential = credential::shared(&settings.identity, settings.authority_host.as_ref())?;
        Self::with_credential(settings.resource_manager.as_ref(), credential)
    }

    pub(super) fn with_credential(
        endpoint: Option<&Url>,
        credential: Arc<Credential>,
    ) -> anyhow::Result<Self> {
        let base = match endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(PUBLIC_CLOUD)?,
        };
        let local = base.host().is_some_and(|host| is_loopback_host(&host));
        if base.scheme() != "https" && !(local && base.scheme() == "http") {
            anyhow::bail!(
                "AZURE_RESOURCE_MANAGER_ENDPOINT: must be https, since our token goes there"
            );
        }
        let http = client(local, ARM_REQUEST)?;
        let scope = format!("{}/.default", base.as_str().trim_end_matches('/'));
        Ok(Self(Arc::new(Inner { http, base, scope, credential })))
    }

    /// The address of a resource; `segments` are encoded, whatever is in them.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.0.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    /// An address that we may show our token.
    pub(super) fn own(&self, text: &str) -> Option<Url> {
        Url::parse(text).ok().filter(|url| url.origin() == self.0.base.origin())
    }

    /// Calls, and takes nothing but a success for an answer.
    pub(super) async fn call(&self, request: Request<'_>) -> Result<Answer, ArmError> {
        let call = Call { write: request.method != Method::GET, action: request.action };
        let answer = self.exchange(request).await?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(of_answer(&answer, call)) }
    }

    /// Calls, and takes any answer; one that refuses our token only when a new token is refused as well.
    pub(super) async fn exchange(&self, request: Request<'_>) -> Result<Answer, ArmError> {
        let first = self.bearer(request.until).await?;
        let answer = self.send(&request, &first).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.0.credential.renew(&first);
        let second = self.bearer(request.until).await?;
        self.send(&request, &second).await
    }

    async fn bearer(&self, until: Until) -> Result<Bearer, ArmError> {
        let asking = self.0.credential.bearer(&self.0.scope);
        let problem = match timeout_at(until.send.min(until.answer), asking).await {
            Ok(Ok(bearer)) => return Ok(bearer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // An identity can be mended while we wait.
        Err(ArmError::later(format!("no token for Azure: {}", one_line(&problem))))
    }

    async fn send(&self, request: &Request<'_>, bearer: &Bearer) -> Result<Answer, ArmError> {
        let write = request.method != Method::GET;
        let now = Instant::now();
        if now >= request.until.send || now >= request.until.answer {
            return Err(ArmError::later("there was no time left to ask Azure".to_owned()));
        }
        let left = request.until.answer - now;
        let mut builder = self
            .0
            .http
            .request(request.method.clone(), request.url.clone())
            .bearer_auth(bearer.token.expose())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .timeout(left.min(ARM_REQUEST));
        builder = match request.body {
            Some(body) => builder.json(body),
            None => builder.body(Vec::new()),
        };
        match builder.send().await {
            Ok(response) => self.read(response, write).await,
            Err(error) => Err(lost(error, write)),
        }
    }

    async fn read(&self, mut response: reqwest::Response, write: bool) -> Result<Answer, ArmError> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        let whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= ARM_ANSWER_MAX => {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => break Err("the answer is too long".to_owned()),
                Ok(None) => break Ok(()),
                Err(error) => break Err(root_cause(&error.without_url())),
            }
        };
        let parsed = whole.and_then(|()| match bytes.iter().all(u8::is_ascii_whitespace) {
            true => Ok(Value::Null),
            false => serde_json::from_slice(&bytes).map_err(|_| "it is not JSON".to_owned()),
        });
        let body = match parsed {
            Ok(body) => body,
            // The status says enough of a change, and of a failure.
            Err(_) if write || !(200..300).contains(&status) => Value::Null,
            Err(why) => {
                return Err(ArmError::later(format!("Azure's answer cannot be read: {why}")));
            }
        };
        Ok(Answer {
            status,
            body,
            retry_after: text(&headers, RETRY_AFTER.as_str())
                .and_then(|value| retry_after::parse(value, clock::now())),
            async_operation: text(&headers, ASYNC_OPERATION).and_then(|value| self.own(value)),
            location: text(&headers, LOCATION.as_str()).and_then(|value| self.own(value)),
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A request without an answer.
fn lost(error: reqwest::Error, write: bool) -> ArmError {
    let error = error.without_url();
    let cause = root_cause(&error);
    if error.is_connect() || error.is_builder() {
        return ArmError::later(format!("cannot connect to Azure: {cause}"));
    }
    let why = if error.is_timeout() {
        "Azure did not answer in time".to_owned()
    } else {
        format!("the connection to Azure broke before an answer came: {cause}")
    };
    if write { ArmError::Unknown(why) } else { ArmError::later(why) }
}
