//! Signatures as Standard Webhooks defines them.

use crate::secret::Secret;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::ops::RangeInclusive;

const PREFIX: &str = "whsec_";
const BYTES: RangeInclusive<usize> = 24..=64;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a webhook is signed with.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a text is no secret to sign with; without the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("its secret is empty")]
    Empty,
    #[error("its secret begins with whsec_, which 24 to 64 bytes in base64 have to follow")]
    NotBase64,
}

impl Key {
    /// Reads `whsec_` and base64; without the prefix base64 of 24 to 64 bytes, or else any text as it stands.
    ///
    /// # Errors
    /// When the text is empty, or not what its prefix promises.
    pub fn from_secret(secret: &Secret) -> Result<Self, BadKey> {
        let text = secret.expose().trim();
        let decoded = |text| BASE64.decode(text).ok().filter(|bytes| BYTES.contains(&bytes.len()));
        let bytes = match text.strip_prefix(PREFIX) {
            Some(rest) => decoded(rest).ok_or(BadKey::NotBase64)?,
            None if text.is_empty() => return Err(BadKey::Empty),
            None => decoded(text).unwrap_or_else(|| text.as_bytes().to_vec()),
        };
        // An HMAC takes a key of any length.
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| BadKey::Empty)
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

    fn sign(secret: &str) -> Result<String, BadKey> {
        let key = Key::from_secret(&Secret::new(secret))?;
        Ok(key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#))
    }

    #[test]
    fn the_published_example_comes_out_as_published() {
        let published = Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned());
        assert_eq!(sign(&format!("whsec_{RAW}")), published);
        assert_eq!(sign(RAW), published);
        assert_eq!(sign(&format!(" whsec_{RAW}\n")), published);
    }

    #[test]
    fn a_secret_of_another_kind_is_taken_as_it_stands() {
        assert_ne!(sign("correct horse battery staple").unwrap(), sign(RAW).unwrap());
        assert_ne!(sign("c2hvcnQ=").unwrap(), sign("short").unwrap());
        let padded = BASE64.encode([7; 25]);
        assert_eq!(sign(&padded), sign(padded.trim_end_matches('=')));
    }

    #[test]
    fn a_secret_that_breaks_its_promise_is_refused() {
        assert_eq!(sign(""), Err(BadKey::Empty));
        for bad in
            ["whsec_", "whsec_???", "whsec_c2hvcnQ=", &format!("whsec_{}", BASE64.encode([0; 65]))]
        {
            assert_eq!(sign(bad), Err(BadKey::NotBase64), "{bad}");
        }
        assert_eq!(format!("{:?}", Key::from_secret(&Secret::new(RAW)).unwrap()), "[secret]");
    }
}
