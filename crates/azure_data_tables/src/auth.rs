//! Who we are to the service: account key, shared access signature, or a Microsoft Entra token.

use crate::error::Error;
use async_trait::async_trait;
use azure_core::{
    credentials::{Secret, TokenCredential},
    hmac::hmac_sha256,
    http::{
        Context, Request, Url,
        headers::{AUTHORIZATION, MS_DATE},
        policies::{Policy, PolicyResult, auth::BearerTokenAuthorizationPolicy},
    },
    time::{OffsetDateTime, to_rfc7231},
};
use std::{fmt, sync::Arc};

/// What Microsoft Entra tokens for storage are asked for.
const SCOPE: &str = "https://storage.azure.com/.default";

/// How requests prove who sends them.
#[derive(Clone)]
pub enum Credential {
    /// An account key: full rights over the account. The key is base64, as the portal shows it.
    SharedKey {
        /// The storage account's name.
        account: String,
        /// The key, base64.
        key: Secret,
    },
    /// A shared access signature: a query string such as `sv=…&sig=…`, with or without the leading
    /// `?`.
    Sas(Secret),
    /// Microsoft Entra: a managed identity or any other `TokenCredential`. Only over https.
    Token(Arc<dyn TokenCredential>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedKey { account, .. } => {
                f.debug_struct("SharedKey").field("account", account).finish_non_exhaustive()
            }
            Self::Sas(_) => f.write_str("Sas"),
            Self::Token(_) => f.write_str("Token"),
        }
    }
}

impl Credential {
    /// The policy that authorizes each request.
    ///
    /// # Errors
    /// `Config`: a key that is not base64, a signature that is not a query string, a token over
    /// plain http.
    pub(crate) fn policy(self, endpoint: &Url) -> Result<Arc<dyn Policy>, Error> {
        match self {
            Self::SharedKey { account, key } => {
                if account.is_empty() {
                    return Err(Error::config("the account name is empty"));
                }
                check_key(&key)?;
                Ok(Arc::new(SharedKeyLite { account, key }))
            }
            Self::Sas(signature) => Ok(Arc::new(SharedAccessSignature::new(&signature)?)),
            Self::Token(_) if endpoint.scheme() != "https" => {
                Err(Error::config("a token credential needs an https endpoint"))
            }
            Self::Token(credential) => {
                Ok(Arc::new(BearerTokenAuthorizationPolicy::new(credential, [SCOPE])))
            }
        }
    }
}

/// Refuses a key that could not sign.
pub(crate) fn check_key(key: &Secret) -> Result<(), Error> {
    match azure_core::base64::decode(key.secret()) {
        Ok(bytes) if !bytes.is_empty() => Ok(()),
        _ => Err(Error::config("the account key (AccountKey) is not base64")),
    }
}

/// Signs each try for the Table service.
/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
struct SharedKeyLite {
    account: String,
    key: Secret,
}

impl SharedKeyLite {
    /// The `Authorization` header. `path` is the path exactly as sent, percent-encoding included;
    /// an emulator's path begins with the account, which then stands here twice.
    fn header(&self, date: &str, path: &str) -> azure_core::Result<String> {
        let signature = hmac_sha256(&format!("{date}\n/{}{path}", self.account), &self.key)?;
        Ok(format!("SharedKeyLite {}:{signature}", self.account))
    }
}

impl fmt::Debug for SharedKeyLite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKeyLite").field("account", &self.account).finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for SharedKeyLite {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let date = to_rfc7231(&OffsetDateTime::now_utc());
        let authorization = self.header(&date, request.url().path())?;
        request.insert_header(MS_DATE, date);
        request.insert_header(AUTHORIZATION, authorization);
        forward(ctx, request, next).await
    }
}

/// Adds the signature to the query as late as possible, so that no other address ever holds it.
struct SharedAccessSignature(Secret);

impl SharedAccessSignature {
    fn new(signature: &Secret) -> Result<Self, Error> {
        let query = signature.secret().trim().trim_start_matches('?');
        let signed = query.split('&').any(|pair| pair.starts_with("sig=") && pair.len() > 4);
        let clean = query
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '?'));
        if signed && clean {
            return Ok(Self(Secret::new(query.to_owned())));
        }
        Err(Error::config("the shared access signature is not a query string with a sig"))
    }
}

impl fmt::Debug for SharedAccessSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAccessSignature")
    }
}

#[async_trait]
impl Policy for SharedAccessSignature {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let plain = request.url().clone();
        let query = match plain.query() {
            Some(query) if !query.is_empty() => format!("{query}&{}", self.0.secret()),
            _ => self.0.secret().to_owned(),
        };
        request.url_mut().set_query(Some(&query));
        let result = forward(ctx, request, next).await;
        *request.url_mut() = plain;
        result
    }
}

/// Hands the request to the next policy.
pub(crate) async fn forward(
    ctx: &Context<'_>,
    request: &mut Request,
    next: &[Arc<dyn Policy>],
) -> PolicyResult {
    match next.split_first() {
        Some((policy, rest)) => policy.send(ctx, request, rest).await,
        None => Err(azure_core::Error::with_message(
            azure_core::error::ErrorKind::Other,
            "the pipeline ends without a transport",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    /// The emulator's account key, which is public.
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Signatures computed with `openssl dgst -sha256 -mac HMAC`.
    #[test]
    fn signatures_match_those_of_another_implementation() {
        let date = "Sun, 11 Oct 2009 19:52:39 GMT";
        for (account, path, signature) in [
            ("testaccount1", "/Tables", "J0rgyDtNy3BXUcIppqbP9j2HX0i+JZ3q2oF6/P8yocE="),
            (
                "devstoreaccount1",
                "/devstoreaccount1/Tables",
                "ErXwXhFUdsOaklxX2/UTRDcWl4T591pmLcUzbBU+SRI=",
            ),
            (
                "testaccount1",
                "/orders(PartitionKey='o%27%27brien',RowKey='100%2525%20%C3%BC')",
                "YgWstZwwgyH69ZfG7B7XVfNOPKbLoLrkRIT13dAyDoc=",
            ),
            ("testaccount1", "/$batch", "exG5jHlG+/Y6Pg0Iw8Vq3Rg3mJxLQoMJmVXm23t5bUE="),
        ] {
            let signer = SharedKeyLite { account: account.to_owned(), key: Secret::new(KEY) };
            let expected = format!("SharedKeyLite {account}:{signature}");
            assert_eq!(signer.header(date, path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let key = Credential::SharedKey { account: "acc".to_owned(), key: Secret::new(KEY) };
        let sas = Credential::Sas(Secret::new("sv=2018-11-09&sig=topsecret"));
        let endpoint = Url::parse("https://acc.table.core.windows.net").unwrap();
        for credential in [key, sas] {
            let shown =
                format!("{credential:?} {:?}", credential.clone().policy(&endpoint).unwrap());
            assert!(!shown.contains("topsecret") && !shown.contains("Eby8"), "{shown}");
        }
    }

    #[test]
    fn a_key_or_signature_that_cannot_work_is_refused_without_being_repeated() {
        let endpoint = Url::parse("https://acc.table.core.windows.net").unwrap();
        let key = |key: &'static str| Credential::SharedKey {
            account: "acc".to_owned(),
            key: key.into(),
        };
        let sas = |query: &'static str| Credential::Sas(Secret::new(query));
        for credential in [
            key("not base64!"),
            key(""),
            sas("topsecret"),
            sas("sig="),
            sas("sig=a b"),
            sas("sig=a#b"),
        ] {
            let error = credential.policy(&endpoint).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("topsecret"));
        }
        assert!(sas("?sv=1&sig=a%3D").policy(&endpoint).is_ok());
    }
}
