//! What a webhook is signed with, as Standard Webhooks has it.

use super::problems::Wrong;
use super::values::said;
use crate::secret::Secret;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const PREFIX: &str = "whsec_";
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// The key in a secret: base64 of 24 to 64 bytes, after `whsec_`. Written without the prefix it is base64 all
/// the same, as the specification's own libraries have it, never the bytes of the text: a signature made with
/// another key than the receiver's is worse than a refusal.
///
/// # Errors
/// With a sentence that says what is wrong and shows nothing of the text.
pub fn signing_key(text: &str) -> Result<Vec<u8>, String> {
    match BASE64.decode(text.strip_prefix(PREFIX).unwrap_or(text)) {
        Ok(key) if (24..=64).contains(&key.len()) => Ok(key),
        Ok(_) => said(
            "is too short or too long: a signing secret has 24 to 64 bytes, such as `openssl rand -base64 32` makes",
        ),
        Err(_) => {
            said("is no signing secret: write whsec_ and what `openssl rand -base64 32` prints")
        }
    }
}

/// A secret with a key in it; what comes out is always `whsec_` and padded standard base64.
pub(super) fn signing_secret(text: &str) -> Result<Secret, Wrong> {
    signing_key(text).map(|key| Secret::new(format!("{PREFIX}{}", BASE64.encode(key))))
}
