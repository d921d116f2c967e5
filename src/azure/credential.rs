//! Who we are to Azure: a client secret, a workload identity, or a managed identity. Tokens are cached by the
//! credential, renewed before they end, and never logged.

use crate::config::Identity;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use std::sync::Arc;

/// The credential that the settings describe. Nobody is asked for a token yet.
///
/// # Errors
/// When a setting cannot be what it should be, such as a tenant id.
pub fn token(
    identity: &Identity,
    http: Arc<reqwest::Client>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let client_options =
        ClientOptions { transport: Some(Transport::new(http)), ..ClientOptions::default() };
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
