//! Storage connection strings.
//! <https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>

use crate::{
    auth::{self, Credential},
    endpoint,
    error::Error,
};
use azure_core::{credentials::Secret, http::Url};
use std::{collections::HashMap, fmt};

/// The emulator's account and key are public knowledge:
/// <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A storage connection string, read.
///
/// Understood are `AccountName`, `AccountKey`, `SharedAccessSignature`, `TableEndpoint`,
/// `QueueEndpoint`, `BlobEndpoint`, `DefaultEndpointsProtocol`, `EndpointSuffix`,
/// `UseDevelopmentStorage=true` and `DevelopmentStorageProxyUri`, in any case and order. Other
/// parts are ignored.
#[derive(Clone)]
pub struct ConnectionString {
    credential: Credential,
    account: Option<String>,
    protocol: String,
    suffix: String,
    table: Option<Url>,
    queue: Option<Url>,
    blob: Option<Url>,
}

impl ConnectionString {
    /// Reads a connection string.
    ///
    /// # Errors
    /// `Config`, naming the part that is missing or wrong, never a value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parts = Parts::read(text)?;
        if parts.development()? {
            return Self::development(&parts);
        }
        let account = parts.get("AccountName").map(str::to_owned);
        if account.as_deref().is_some_and(|name| !is_account_name(name)) {
            return Err(Error::config(
                "connection string: AccountName has more than letters, digits and -",
            ));
        }
        let protocol =
            parts.get("DefaultEndpointsProtocol").unwrap_or("https").to_ascii_lowercase();
        let suffix = parts.get("EndpointSuffix").unwrap_or("core.windows.net").to_owned();
        Ok(Self {
            credential: parts.credential(account.as_deref())?,
            account,
            protocol,
            suffix,
            table: parts.url("TableEndpoint")?,
            queue: parts.url("QueueEndpoint")?,
            blob: parts.url("BlobEndpoint")?,
        })
    }

    /// The emulator at its usual ports, on this machine or where `DevelopmentStorageProxyUri` says.
    fn development(parts: &Parts<'_>) -> Result<Self, Error> {
        let host = match parts.url("DevelopmentStorageProxyUri")? {
            Some(url) => format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default()),
            None => "http://127.0.0.1".to_owned(),
        };
        let at = |port: u16| {
            Url::parse(&format!("{host}:{port}/{DEVELOPMENT_ACCOUNT}")).map_err(|_| {
                Error::config("connection string: DevelopmentStorageProxyUri names no host")
            })
        };
        Ok(Self {
            credential: Credential::SharedKey {
                account: DEVELOPMENT_ACCOUNT.to_owned(),
                key: Secret::new(DEVELOPMENT_KEY),
            },
            account: Some(DEVELOPMENT_ACCOUNT.to_owned()),
            protocol: "http".to_owned(),
            suffix: String::new(),
            table: Some(at(10002)?),
            queue: Some(at(10001)?),
            blob: Some(at(10000)?),
        })
    }

    /// The account key or the shared access signature; the latter where both are given.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The account's name, where it is given.
    pub fn account_name(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The Table service.
    ///
    /// # Errors
    /// `Config` when neither the endpoint nor the account name is given, or it is plain http beyond
    /// this machine.
    pub fn table_endpoint(&self) -> Result<Url, Error> {
        self.endpoint("table", "TableEndpoint", self.table.as_ref())
    }

    /// The Queue service.
    ///
    /// # Errors
    /// As [`ConnectionString::table_endpoint`].
    pub fn queue_endpoint(&self) -> Result<Url, Error> {
        self.endpoint("queue", "QueueEndpoint", self.queue.as_ref())
    }

    /// The Blob service.
    ///
    /// # Errors
    /// As [`ConnectionString::table_endpoint`].
    pub fn blob_endpoint(&self) -> Result<Url, Error> {
        self.endpoint("blob", "BlobEndpoint", self.blob.as_ref())
    }

    fn endpoint(&self, service: &str, part: &str, given: Option<&Url>) -> Result<Url, Error> {
        let url = match (given, &self.account) {
            (Some(url), _) => url.clone(),
            (None, Some(account)) => {
                let text = format!("{}://{account}.{service}.{}", self.protocol, self.suffix);
                Url::parse(&text).map_err(|_| {
                    Error::config(
                        "connection string: DefaultEndpointsProtocol and EndpointSuffix make no address",
                    )
                })?
            }
            (None, None) => {
                return Err(Error::config(format!(
                    "connection string: {part} and AccountName are missing"
                )));
            }
        };
        endpoint::check(&format!("connection string: {part}"), &url)?;
        Ok(url)
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

/// Name and value of each part, names in lower case.
struct Parts<'a>(HashMap<String, &'a str>);

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, Error> {
        let mut parts = HashMap::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| {
                Error::config("connection string: a part is not of the form Name=value")
            })?;
            if parts.insert(name.trim().to_ascii_lowercase(), value.trim()).is_some() {
                return Err(Error::config("connection string: a part is given twice"));
            }
        }
        Ok(Self(parts))
    }

    /// A part by name; an empty value counts as missing.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(&name.to_ascii_lowercase()).copied().filter(|value| !value.is_empty())
    }

    fn development(&self) -> Result<bool, Error> {
        match self.get("UseDevelopmentStorage") {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(_) => {
                Err(Error::config("connection string: UseDevelopmentStorage can only be true"))
            }
        }
    }

    fn credential(&self, account: Option<&str>) -> Result<Credential, Error> {
        if let Some(signature) = self.get("SharedAccessSignature") {
            return Ok(Credential::Sas(Secret::new(signature.to_owned())));
        }
        let Some(key) = self.get("AccountKey") else {
            return Err(Error::config(
                "connection string: AccountKey and SharedAccessSignature are missing, one is needed",
            ));
        };
        let Some(account) = account else {
            return Err(Error::config("connection string: AccountName is missing"));
        };
        let key = Secret::new(key.to_owned());
        auth::check_key(&key)?;
        Ok(Credential::SharedKey { account: account.to_owned(), key })
    }

    fn url(&self, name: &str) -> Result<Option<Url>, Error> {
        self.get(name)
            .map(Url::parse)
            .transpose()
            .map_err(|_| Error::config(format!("connection string: {name} is not an address")))
    }
}

/// The name becomes part of a host name. Real ones have 3 to 24 lower-case letters and digits; a
/// secondary's ends in `-secondary`, and emulators take any name.
fn is_account_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn parse(text: &str) -> ConnectionString {
        ConnectionString::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        let error = ConnectionString::parse(text)
            .and_then(|parsed| parsed.table_endpoint())
            .expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    fn table(text: &str) -> String {
        parse(text).table_endpoint().unwrap().to_string()
    }

    #[test]
    fn the_form_of_the_portal_gives_https_endpoints_of_the_account() {
        let parsed = parse(
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
        );
        assert_eq!(
            parsed.table_endpoint().unwrap().as_str(),
            "https://acc.table.core.windows.net/"
        );
        assert_eq!(
            parsed.queue_endpoint().unwrap().as_str(),
            "https://acc.queue.core.windows.net/"
        );
        assert_eq!(parsed.blob_endpoint().unwrap().as_str(), "https://acc.blob.core.windows.net/");
        assert_eq!(parsed.account_name(), Some("acc"));
        let Credential::SharedKey { account, key } = parsed.credential() else {
            panic!("{parsed:?}")
        };
        assert_eq!((account.as_str(), key.secret()), ("acc", "c2VjcmV0"));
    }

    #[test]
    fn names_have_any_case_and_order_and_a_key_keeps_its_equal_signs() {
        let parsed = parse(" accountkey=c2VjcmV0cw== ; ACCOUNTNAME=acc ;;");
        let Credential::SharedKey { key, .. } = parsed.credential() else { panic!("{parsed:?}") };
        assert_eq!(key.secret(), "c2VjcmV0cw==");
    }

    #[test]
    fn another_cloud_is_found_by_its_suffix() {
        let text = "AccountName=acc;AccountKey=c2VjcmV0;EndpointSuffix=core.chinacloudapi.cn";
        assert_eq!(table(text), "https://acc.table.core.chinacloudapi.cn/");
    }

    #[test]
    fn development_storage_is_the_emulator_at_its_usual_ports() {
        let parsed = parse("UseDevelopmentStorage=true");
        assert_eq!(
            parsed.table_endpoint().unwrap().as_str(),
            "http://127.0.0.1:10002/devstoreaccount1"
        );
        assert_eq!(
            parsed.queue_endpoint().unwrap().as_str(),
            "http://127.0.0.1:10001/devstoreaccount1"
        );
        assert_eq!(
            parsed.blob_endpoint().unwrap().as_str(),
            "http://127.0.0.1:10000/devstoreaccount1"
        );
        let text = "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://localhost/";
        assert_eq!(table(text), "http://localhost:10002/devstoreaccount1");
    }

    #[test]
    fn a_shared_access_signature_wins_over_a_key_and_needs_no_account() {
        let text =
            "TableEndpoint=https://acc.table.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D";
        assert!(
            matches!(parse(text).credential(), Credential::Sas(sas) if sas.secret() == "sv=1&sig=a%3D")
        );
        assert_eq!(table(text), "https://acc.table.core.windows.net/");
        let both = "AccountName=acc;AccountKey=c2VjcmV0;SharedAccessSignature=sig=a";
        assert!(matches!(parse(both).credential(), Credential::Sas(_)));
    }

    #[test]
    fn an_error_names_the_part_and_never_a_value() {
        for (text, part) in [
            ("", "AccountKey"),
            ("AccountName=topsecret", "AccountKey"),
            ("AccountKey=dG9wc2VjcmV0", "AccountName"),
            ("AccountName=acc;AccountKey=topsecret!", "AccountKey"),
            ("AccountName=top/secret;AccountKey=c2VjcmV0", "AccountName"),
            ("SharedAccessSignature=sig=topsecret", "TableEndpoint"),
            ("AccountName=acc;AccountKey=c2VjcmV0;TableEndpoint=topsecret", "TableEndpoint"),
            (
                "AccountName=acc;AccountKey=c2VjcmV0;TableEndpoint=https://h/?sig=topsecret",
                "TableEndpoint",
            ),
            ("AccountName=acc;AccountKey=c2VjcmV0;DefaultEndpointsProtocol=http", "plain http"),
            ("UseDevelopmentStorage=topsecret", "UseDevelopmentStorage"),
            ("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://10.1.1.1", "plain http"),
            ("AccountName=acc;AccountKey=c2VjcmV0;topsecret", "Name=value"),
            ("AccountKey=topsecret;AccountKey=topsecret", "twice"),
        ] {
            let error = refused(text);
            assert!(error.contains(part), "{error} does not name {part}");
            assert!(!error.contains("secret") && !error.contains("dG9w"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", parse("AccountName=acc;AccountKey=dG9wc2VjcmV0"));
        assert!(!shown.contains("dG9w"), "{shown}");
    }
}
