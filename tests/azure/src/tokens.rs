//! The tokens that were given out, whoever gave them.

use uuid::Uuid;

/// What a token is good for.
#[derive(Debug)]
struct Token {
    text: String,
    audience: String,
    is_expired: bool,
}

/// How ARM sees a token.
#[derive(Debug, PartialEq)]
pub(crate) enum Standing {
    Unknown,
    Expired,
    For(String),
}

/// All tokens, in the order in which they were given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    all: Vec<Token>,
}

impl Tokens {
    /// A new token for an audience.
    pub(crate) fn issue(&mut self, audience: &str) -> String {
        let text = format!("{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.all.push(Token {
            text: text.clone(),
            audience: audience.to_owned(),
            is_expired: false,
        });
        text
    }

    /// Makes all tokens that there are invalid.
    pub(crate) fn expire(&mut self) {
        self.all.iter_mut().for_each(|token| token.is_expired = true);
    }

    pub(crate) fn standing(&self, text: &str) -> Standing {
        match self.all.iter().find(|token| token.text == text) {
            None => Standing::Unknown,
            Some(token) if token.is_expired => Standing::Expired,
            Some(token) => Standing::For(token.audience.clone()),
        }
    }

    /// An `Authorization` header as it may be shown: with the token's number instead of the token.
    pub(crate) fn redacted(&self, authorization: &str) -> String {
        let (scheme, text) = authorization.split_once(' ').unwrap_or((authorization, ""));
        match self.all.iter().position(|token| token.text == text) {
            Some(at) => format!("{scheme} token {}", at + 1),
            None => format!("{scheme} unknown token"),
        }
    }
}
