//! Texts that are never shown.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use url::Url;

/// A key, token or password: its `Debug` shows nothing, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for where it has to go.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Is `given` one of the secrets? Takes the same time whatever is given and whichever it is.
#[must_use]
pub fn is_one_of(given: &str, secrets: &[Secret]) -> bool {
    let given = Sha256::digest(given);
    let equal = secrets
        .iter()
        .fold(Choice::from(0), |found, secret| found | Sha256::digest(&secret.0).ct_eq(&given));
    equal.into()
}

/// An address whose path and query may hold a secret: its `Debug` shows scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    #[must_use]
    pub const fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/[secret]", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let url = SecretUrl::new(
            Url::parse("https://user:pw@hooks.slack.com/services/T0/B0/xyz?sig=1").unwrap(),
        );
        assert_eq!(
            format!("{:?} {url:?}", Secret::new("hunter2")),
            "[secret] https://hooks.slack.com/[secret]"
        );
    }

    #[test]
    fn any_of_several_secrets_is_accepted() {
        let secrets = ["old", "new"].map(Secret::new);
        assert!(is_one_of("old", &secrets) && is_one_of("new", &secrets));
        assert!(!is_one_of("", &secrets) && !is_one_of("ne", &secrets) && !is_one_of("x", &[]));
    }
}
