//! Who we are to Azure: a client secret, a workload identity, or a managed identity. Tokens are cached by the
//! credential, renewed before they end, and never logged.

use crate::config::Identity;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, ClientOptions, Transport};
use azure_data_tables::http_client;
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::sync::Arc;
use std::time::Duration;

/// One request for a token. Those who sign in take their time, and whoever needs the token waits only as long
/// as he likes.
const TOKEN_REQUEST: Duration = Duration::from_secs(10);

/// The credential that the settings describe. Nobody is asked for a token yet.
///
/// # Errors
/// When a setting cannot be what it should be, such as a tenant id, or no HTTP client can be made.
pub fn token(identity: &Identity) -> anyhow::Result<Arc<dyn TokenCredential>> {
    let transport = Transport::new(http_client(TOKEN_REQUEST)?);
    let client_options = ClientOptions { transport: Some(transport), ..ClientOptions::default() };
    Ok(Arc::new(Unhurried(credential(identity, client_options)?)))
}

fn credential(
    identity: &Identity,
    client_options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    match identity {
        Identity::ClientSecret { tenant_id, client_id, secret } => {
            let options = ClientSecretCredentialOptions { client_options };
            let secret = Secret::new(secret.expose().to_owned());
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
