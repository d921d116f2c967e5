//! The one outbound HTTP client of the sinks. It goes where it is told and nowhere else: no redirects, no
//! proxies from the environment, no addresses that are not allowed.

use super::address::{Blocked, Guard};
use crate::address::{self, is_loopback_host};
use crate::limits::SINK_ANSWER_MAX;
use crate::retry_after;
use fan_in::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::error::Error as StdError;
use std::time::Duration;
use url::Url;

const USER_AGENT: &str = concat!("acr-fanin/", env!("CARGO_PKG_VERSION"));

/// What came of a call. The reasons hold neither path nor query nor headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(Reply),
    /// The request certainly did not reach anybody.
    NotSent(String),
    /// It may have reached somebody.
    NoAnswer(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// At most [`SINK_ANSWER_MAX`] bytes of it.
    pub body: String,
    /// The connection broke, or time ran out, in the middle of the body.
    pub broken: bool,
    pub retry_after: Option<Duration>,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    timeout: Duration,
    private: bool,
}

impl Client {
    /// # Errors
    /// When it cannot work on this machine: above all where there are no CA certificates.
    pub fn new(timeout: Duration, private: bool) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Guard { private })
            .timeout(timeout)
            // Shorter, so that who cannot be connected to is known not to have been told.
            .connect_timeout(timeout.mul_f32(0.75))
            // A connection that was kept may be dead already, and then nobody knows what became of a call.
            .pool_max_idle_per_host(0)
            .build();
        match http {
            Ok(http) => Ok(Self { http, timeout, private }),
            Err(error) => Err(format!(
                "the sinks' HTTP client cannot be made: {}; are CA certificates installed (package \
                 ca-certificates, or SSL_CERT_FILE)?",
                root_cause(&error)
            )),
        }
    }

    /// Sends one request and says what is known of it afterwards. `now` is what an HTTP date is compared with.
    pub async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Outcome {
        if let Err(reason) = self.admit(url) {
            return Outcome::NotSent(reason);
        }
        match self.http.post(url.clone()).headers(headers).body(body).send().await {
            Ok(response) => Outcome::Answered(read(response, now).await),
            Err(error) => self.failure(error),
        }
    }

    /// An address in the URL itself is asked of no resolver.
    fn admit(&self, url: &Url) -> Result<(), String> {
        let Some(host) = url.host() else { return Err("the sink's URL has no host".to_owned()) };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback_host(&host)) {
            return Err("the sink's URL is not https".to_owned());
        }
        match address::literal(&host) {
            Some(ip) if !address::is_allowed(ip, self.private) => Err(Blocked.to_string()),
            _ => Ok(()),
        }
    }

    fn failure(&self, error: reqwest::Error) -> Outcome {
        let error = error.without_url();
        let cause = root_cause(&error);
        if error.is_connect() || error.is_builder() {
            return Outcome::NotSent(format!("cannot connect: {cause}"));
        }
        if error.is_timeout() {
            return Outcome::NoAnswer(format!("no answer within {} ms", self.timeout.as_millis()));
        }
        Outcome::NoAnswer(format!("the connection broke before an answer came: {cause}"))
    }
}

async fn read(mut response: reqwest::Response, now: Timestamp) -> Reply {
    let status = response.status().as_u16();
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|text| retry_after::parse(text, now));
    let (mut bytes, mut broken) = (Vec::new(), false);
    while bytes.len() < SINK_ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                bytes.extend_from_slice(&chunk[..chunk.len().min(SINK_ANSWER_MAX - bytes.len())])
            }
            Ok(None) => break,
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Reply { status, body: String::from_utf8_lossy(&bytes).into_owned(), broken, retry_after }
}

/// The innermost error says what happened; those around it only where.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
