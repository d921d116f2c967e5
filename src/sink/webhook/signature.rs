//! Signatures as Standard Webhooks defines them.

use crate::config::signing_key;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// What a webhook is signed with.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Key {
    /// # Errors
    /// When there is no key in the secret: with a sentence that shows nothing of it.
    pub fn from_secret(secret: &Secret) -> Result<Self, String> {
        let key = signing_key(secret.expose()).map_err(|wrong| format!("its secret {wrong}"))?;
        Hmac::new_from_slice(&key).map(Self).map_err(|error| format!("its secret: {error}"))
    }

    /// The value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn sign(secret: &str) -> Result<String, String> {
        let key = Key::from_secret(&Secret::new(secret))?;
        Ok(key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#))
    }

    #[test]
    fn the_published_example_comes_out_as_published() {
        let published = Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned());
        assert_eq!(sign(&format!("whsec_{RAW}")), published);
        assert_eq!(sign(RAW), published);
    }

    #[test]
    fn a_secret_that_the_settings_would_refuse_signs_nothing() {
        let long = format!("whsec_{}", BASE64.encode([0; 65]));
        for bad in [
            "",
            "whsec_",
            "whsec_???",
            "c2hvcnQ=",
            "correct horse battery staple",
            "hunter2",
            &long,
        ] {
            let wrong = sign(bad).unwrap_err();
            assert!(wrong.starts_with("its secret is ") && !wrong.contains("hunter2"), "{wrong}");
        }
        assert_eq!(format!("{:?}", Key::from_secret(&Secret::new(RAW)).unwrap()), "[secret]");
    }
}
