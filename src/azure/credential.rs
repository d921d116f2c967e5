//! Who we are to Azure: a client secret, a workload identity, or a managed identity. Tokens are cached by the
//! credential, renewed before they end, and never logged.

use super::transport::{Detour, client};
use crate::address::is_loopback_host;
use crate::config::Identity;
use crate::secret::Secret;
use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{
    AccessToken, Secret as AzureSecret, TokenCredential, TokenRequestOptions,
};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions, HttpClient, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use url::Url;

/// One request for a token. Those who sign in take their time, and whoever needs the token waits only as long
/// as he likes.
const TOKEN_REQUEST: Duration = Duration::from_secs(10);

/// One identity, and the tokens it was given.
#[derive(Debug)]
pub struct Credential {
    identity: Identity,
    authority_host: Option<Url>,
    options: ClientOptions,
    current: Mutex<Source>,
}

/// Azure's own credential, which keeps its tokens until shortly before their end and cannot be told to forget one.
type Source = Arc<dyn TokenCredential>;

/// A token, and who gave it.
pub(super) struct Bearer {
    pub(super) token: Secret,
    source: Source,
}

/// The credential that the settings describe, the same one for all who ask for it while somebody has it: a process
/// signs in once. Nobody is asked for a token yet.
///
/// # Errors
/// When a setting cannot be what it should be, such as a tenant id, or no HTTP client can be made.
pub fn shared(
    identity: &Identity,
    authority_host: Option<&Url>,
) -> anyhow::Result<Arc<Credential>> {
    static MADE: Mutex<Vec<Weak<Credential>>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.retain(|credential| credential.strong_count() > 0);
    let same = |credential: &Arc<Credential>| {
        credential.identity == *identity && credential.authority_host.as_ref() == authority_host
    };
    if let Some(found) = made.iter().filter_map(Weak::upgrade).find(same) {
        return Ok(found);
    }
    let credential = Arc::new(Credential::new(identity, authority_host)?);
    made.push(Arc::downgrade(&credential));
    Ok(credential)
}

impl Credential {
    fn new(identity: &Identity, authority_host: Option<&Url>) -> anyhow::Result<Self> {
        let local = authority_host.filter(|url| is_local(url));
        let direct = local.is_some() || matches!(identity, Identity::Managed { .. });
        let http: Arc<dyn HttpClient> = Arc::new(client(direct, TOKEN_REQUEST)?);
        Self::with_transport(identity, authority_host, http)
    }

    /// `http` is what the requests go out by.
    pub(super) fn with_transport(
        identity: &Identity,
        authority_host: Option<&Url>,
        mut http: Arc<dyn HttpClient>,
    ) -> anyhow::Result<Self> {
        let mut options = ClientOptions::default();
        if let Some(host) = authority_host {
            let mut named = host.clone();
            if is_local(host) && host.scheme() == "http" {
                named = by_https(host)?;
                http = Arc::new(Detour { inner: http, from: named.origin(), to: host.clone() });
            }
            let mut custom = CustomConfiguration::default();
            custom.authority_host = named.into();
            options.cloud = Some(Arc::new(CloudConfiguration::from(custom)));
        }
        options.transport = Some(Transport::new(http));
        let current = Mutex::new(source(identity, options.clone())?);
        let (identity, authority_host) = (identity.clone(), authority_host.cloned());
        Ok(Self { identity, authority_host, options, current })
    }

    fn current(&self) -> Source {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) async fn bearer(&self, scope: &str) -> azure_core::Result<Bearer> {
        let source = self.current();
        let token = source.get_token(&[scope], None).await?;
        Ok(Bearer { token: Secret::new(token.token.secret()), source })
    }

    /// A service refused a token that is not over yet: the next one will be a new one. Where it cannot be done, the
    /// old one is as good as any.
    pub(super) fn renew(&self, refused: &Bearer) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, &refused.source) {
            match source(&self.identity, self.options.clone()) {
                Ok(source) => *current = source,
                Err(error) => tracing::warn!(%error, "the token cannot be renewed"),
            }
        }
    }
}

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.current().get_token(scopes, options).await
    }
}

fn is_local(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback_host(&host))
}

/// The same host and port, spelt as Azure's libraries want it.
fn by_https(url: &Url) -> anyhow::Result<Url> {
    let mut https = url.clone();
    let port = url.port_or_known_default();
    https
        .set_scheme("https")
        .and_then(|()| https.set_port(port))
        .map_err(|()| anyhow::anyhow!("AZURE_AUTHORITY_HOST: is not the address of a service"))?;
    Ok(https)
}

fn source(identity: &Identity, options: ClientOptions) -> azure_core::Result<Source> {
    Ok(Arc::new(Unhurried(credential(identity, options)?)))
}

fn credential(
    identity: &Identity,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    match identity {
        Identity::ClientSecret { tenant_id, client_id, secret } => {
            let options = ClientSecretCredentialOptions { client_options };
            let secret = AzureSecret::new(secret.expose().to_owned());
            Ok(ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))?)
        }
        Identity::Workload { tenant_id, client_id, token_file } => {
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id.clone()),
                tenant_id: Some(tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            };
            Ok(WorkloadIdentityCredential::new(Some(options))?)
        }
        Identity::Managed { client_id } => {
            let user_assigned_id = client_id.clone().map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            Ok(ManagedIdentityCredential::new(Some(options))?)
        }
    }
}

/// Asks for the token in a task of its own: a caller that gives up does not end the request, and the
/// credential's cache has the token for the next one.
#[derive(Debug)]
struct Unhurried(Arc<dyn TokenCredential>);

#[async_trait]
impl TokenCredential for Unhurried {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let inner = Arc::clone(&self.0);
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let options = options.map(|options| TokenRequestOptions {
            method_options: ClientMethodOptions {
                context: options.method_options.context.into_owned(),
            },
        });
        let asking = tokio::spawn(async move {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            inner.get_token(&scopes, options).await
        });
        asking.await.map_err(|error| azure_core::Error::new(ErrorKind::Credential, error))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::time::OffsetDateTime;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::{sleep, timeout};

    /// Takes three seconds.
    #[derive(Debug, Default)]
    struct Slow {
        asked: AtomicUsize,
        answered: AtomicUsize,
    }

    #[async_trait]
    impl TokenCredential for Slow {
        async fn get_token(
            &self,
            scopes: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(3)).await;
            self.answered.fetch_add(1, Ordering::Relaxed);
            Ok(AccessToken::new(scopes.join(" "), OffsetDateTime::UNIX_EPOCH))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_comes_even_where_the_caller_gave_up() {
        let slow = Arc::new(Slow::default());
        let unhurried = Unhurried(slow.clone());
        let hurried = timeout(Duration::from_secs(1), unhurried.get_token(&["a", "b"], None));
        assert!(hurried.await.is_err());
        sleep(Duration::from_secs(3)).await;
        assert_eq!(slow.asked.load(Ordering::Relaxed), 1);
        assert_eq!(slow.answered.load(Ordering::Relaxed), 1);
        let token = unhurried.get_token(&["a", "b"], None).await.unwrap();
        assert_eq!(token.token.secret(), "a b");
    }
}
