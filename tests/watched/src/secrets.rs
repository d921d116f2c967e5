//! What must not be seen, and where it is seen all the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Whatever has this in it is a secret of the tests.
const CANARY: &str = "canary";
/// The part of a connection string that is one.
const ACCOUNT_KEY: &str = "AccountKey=";

/// The secrets of one process, in every form that is searched.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

/// A secret as it is, in percent-encoding and in base64 at each of the three offsets.
pub fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut forms = vec![secret.to_owned(), percent];
    if secret.contains('-') {
        forms.push(secret.replace('-', "%2D"));
    }
    for skip in 0..3 {
        let padded = format!("{}{secret}", "x".repeat(skip));
        let code = STANDARD_NO_PAD.encode(padded);
        // The first and last letters depend on what stands around it.
        forms.push(code[4..code.len() - 2].to_owned());
    }
    forms
}

impl Secrets {
    /// Those that stand in the settings: words with a canary in them, and account keys.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets = Vec::new();
        for value in values {
            secrets.extend(
                value
                    .split(['/', '?', '&', '=', ':', '@', ',', ';'])
                    .filter(|w| w.contains(CANARY)),
            );
            secrets.extend(value.split(';').filter_map(|part| part.strip_prefix(ACCOUNT_KEY)));
        }
        secrets.sort_unstable();
        secrets.dedup();
        Self(secrets.into_iter().flat_map(forms).collect())
    }

    /// What of the text must not be there.
    pub fn leak(&self, place: &str, text: &str) -> Option<String> {
        let found = self.0.iter().find(|form| text.contains(form.as_str()))?;
        let shown: String = text.chars().take(2_000).collect();
        Some(format!("{place} shows {found}: {shown}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn words_with_a_canary_and_account_keys_are_secrets() {
        let settings = [
            "http://127.0.0.1/services/canary-path/life1?sig=canary-query",
            "AccountName=me;AccountKey=abc/def+012345678901==;TableEndpoint=http://127.0.0.1/me",
            "northeurope,westeurope",
        ];
        let secrets = Secrets::of(settings);
        let encoded = STANDARD.encode("{\"a\":\"canary-query\"}");
        for text in ["at canary-path.", "canary%2Dpath", "key abc/def+012345678901==", &encoded] {
            assert!(secrets.leak("it", text).is_some(), "{text}");
        }
        for text in ["", "http://127.0.0.1/services", "northeurope", "AccountName=me", "canary"] {
            assert_eq!(secrets.leak("it", text), None);
        }
    }
}
