//! The HTTP clients of this room, and requests that go somewhere else than their address says.

use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;
use url::{Origin, Url};

const USER_AGENT: &str = concat!("acr-fanin/", env!("CARGO_PKG_VERSION"));
/// A service of Azure that takes longer to accept a connection counts as away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// No redirects, no retries. A proxy of the environment is used unless the client is to go `direct`, as it has to
/// for what lives on this machine: the identity endpoints and the tests.
///
/// # Errors
/// When there are no CA certificates on this machine.
pub(super) fn client(direct: bool, timeout: Duration) -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_WITHIN.min(timeout))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A connection that was kept may be dead already, and then nobody knows what became of a call.
        .pool_max_idle_per_host(0);
    let builder = if direct { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| {
        anyhow::anyhow!(
            "no HTTPS client for Azure: {}; are CA certificates installed (package ca-certificates, or SSL_CERT_FILE)?",
            root_cause(&error.without_url())
        )
    })
}

/// The innermost error says what happened; those around it only where.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Sends the requests for one origin to another one. Azure's libraries speak nothing but https with the sign-in
/// service; a fake one on this machine is plain http.
#[derive(Debug)]
pub(super) struct Detour {
    pub(super) inner: Arc<dyn HttpClient>,
    pub(super) from: Origin,
    /// Scheme, host and port count.
    pub(super) to: Url,
}

#[async_trait::async_trait]
impl HttpClient for Detour {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if request.url().origin() != self.from {
            return self.inner.execute_request(request).await;
        }
        let mut url = self.to.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        let mut request = request.clone();
        *request.url_mut() = url;
        self.inner.execute_request(&request).await
    }
}
