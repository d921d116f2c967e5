//! Sending: the pipeline of `azure_core` with one try, one time limit and a bounded answer.

use crate::{
    Credential,
    answer::{Answer, Effect},
    auth,
    endpoint::Endpoint,
    error::{Error, ErrorKind, causes},
};
use async_trait::async_trait;
use azure_core::{
    error::ErrorKind as CoreKind,
    http::{
        AsyncRawResponse, ClientOptions, Context, HttpClient, Pipeline, PipelineStreamOptions,
        Request, RetryOptions, Transport,
        headers::HeaderName,
        policies::{Policy, PolicyResult},
    },
    time::{OffsetDateTime, parse_rfc7231},
};
use futures_util::StreamExt;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The first version of the Table service that takes Microsoft Entra tokens.
/// <https://learn.microsoft.com/rest/api/storageservices/versioning-for-the-azure-storage-services>
const API_VERSION: &str = "2020-12-06";
/// A page of 1,000 entities is cut by the service far below this.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// A storage service that takes longer to accept a connection counts as away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const DATE: HeaderName = HeaderName::from_static("date");

/// Called with the service's clock (`Date` header, whole seconds) for every answer, errors
/// included.
///
/// Runs on the request's task before the call returns: it must not block.
pub type DateObserver = Arc<dyn Fn(OffsetDateTime) + Send + Sync>;

/// Settings of a [`crate::TableClient`] beside where and who.
#[derive(Clone)]
#[non_exhaustive]
pub struct TableClientOptions {
    /// The limit of one call from token to last byte. 10 seconds unless set.
    pub timeout: Duration,
    /// Hears the service's clock.
    pub on_date: Option<DateObserver>,
}

impl Default for TableClientOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), on_date: None }
    }
}

impl fmt::Debug for TableClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableClientOptions")
            .field("timeout", &self.timeout)
            .field("on_date", &self.on_date.is_some())
            .finish()
    }
}

impl TableClientOptions {
    /// Sets the limit of one call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets who hears the service's clock.
    #[must_use]
    pub fn with_on_date(
        mut self,
        on_date: impl Fn(OffsetDateTime) + Send + Sync + 'static,
    ) -> Self {
        self.on_date = Some(Arc::new(on_date));
        self
    }
}

/// An HTTP client fit for storage: rustls, pooled connections, no redirects, no retries, connecting
/// within half of `timeout` and at most 5 seconds. Share one in the whole process.
///
/// The one that `azure_core` would build panics where this gives an error, and must not be used.
///
/// # Errors
/// `Config` when it cannot be built, above all for want of CA certificates in the system.
pub fn http_client(timeout: Duration) -> Result<Arc<reqwest::Client>, Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT.min(timeout / 2))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .map(Arc::new)
        .map_err(|error| {
            let why = causes(&error.without_url());
            Error::config(format!("no HTTPS client (are CA certificates installed?): {why}"))
        })
}

/// Sends requests and sorts what comes back.
#[derive(Clone)]
pub(crate) struct Sender {
    pipeline: Pipeline,
    timeout: Duration,
}

impl Sender {
    pub(crate) fn new(
        endpoint: &Endpoint,
        credential: Credential,
        http: Arc<dyn HttpClient>,
        options: TableClientOptions,
    ) -> Result<Self, Error> {
        let authorize = credential.policy(endpoint.base())?;
        let watch: Arc<dyn Policy> = Arc::new(Watch { on_date: options.on_date });
        let client_options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(http)),
            ..ClientOptions::default()
        };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            client_options,
            Vec::new(),
            vec![authorize, watch],
            None,
        );
        Ok(Self { pipeline, timeout: options.timeout })
    }

    /// Sends once. Any answer but a success is an error.
    pub(crate) async fn send(&self, mut request: Request, effect: Effect) -> Result<Answer, Error> {
        request.insert_header("x-ms-version", API_VERSION);
        request.insert_header("dataserviceversion", "3.0;NetFx");
        request.insert_header("maxdataserviceversion", "3.0;NetFx");
        request.insert_header("accept", "application/json;odata=minimalmetadata");
        let sent = Sent::default();
        let answer = match tokio::time::timeout(self.timeout, self.exchange(request, &sent)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(sent.failure(error, effect)),
            Err(_) => {
                let why = format!("no answer within {} ms", self.timeout.as_millis());
                return Err(Error::new(sent.kind(effect), why));
            }
        };
        if answer.is_success() { Ok(answer) } else { Err(answer.error(effect)) }
    }

    async fn exchange(&self, mut request: Request, sent: &Sent) -> azure_core::Result<Answer> {
        let context = Context::new().with_value(sent.clone());
        let options =
            PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
        let response = self.pipeline.stream(&context, &mut request, Some(options)).await?;
        read(response).await
    }
}

/// Reads an answer to its end, as long as that is not too far away.
async fn read(response: AsyncRawResponse) -> azure_core::Result<Answer> {
    let (status, headers, mut stream) = response.deconstruct();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(azure_core::Error::with_message(
                CoreKind::Io,
                "the answer is longer than 16 MiB",
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: u16::from(status), headers, body })
}

/// Whether a request has left the authorization and may be on the wire.
#[derive(Clone, Debug, Default)]
struct Sent(Arc<AtomicBool>);

impl Sent {
    fn kind(&self, effect: Effect) -> ErrorKind {
        if self.0.load(Ordering::Acquire) {
            effect.unknown_outcome()
        } else {
            ErrorKind::Unavailable
        }
    }

    /// The error of a request without a whole answer.
    fn failure(&self, error: azure_core::Error, effect: Effect) -> Error {
        let kind = match error.kind() {
            CoreKind::Connection => ErrorKind::Unavailable,
            CoreKind::Credential => ErrorKind::Unauthorized,
            _ => self.kind(effect),
        };
        // The text of reqwest's own error has the address, and with it a shared access signature.
        let why = match error.into_downcast::<reqwest::Error>() {
            Ok(error) => causes(&error.without_url()),
            Err(error) => error.to_string(),
        };
        Error::new(kind, why)
    }
}

/// The last policy before the transport: notes that the request goes out, and the date of what
/// comes back.
struct Watch {
    on_date: Option<DateObserver>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

#[async_trait]
impl Policy for Watch {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        if let Some(sent) = ctx.value::<Sent>() {
            sent.0.store(true, Ordering::Release);
        }
        let response = auth::forward(ctx, request, next).await?;
        if let Some(on_date) = &self.on_date
            && let Some(date) = response.headers().get_optional_str(&DATE)
            && let Ok(date) = parse_rfc7231(date)
        {
            on_date(date);
        }
        Ok(response)
    }
}
