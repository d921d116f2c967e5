//! The HTTP interface without a server: requests in, answers out, the same in both homes.

pub mod image_push;
pub mod jobs;
pub mod metrics;
pub mod notify;
pub mod status;

use crate::answer::{Answer, Request};
use crate::secret::{Secret, is_one_of};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Lets in whoever shows the token, as `Bearer` or as the password of `Basic` with any user name.
///
/// # Errors
/// The 401 that the others get.
pub fn authorize(request: &Request, token: Option<&Secret>) -> Result<(), Answer> {
    let Some(token) = token else { return Ok(()) };
    let given = request.header("authorization").and_then(given_token);
    if given.is_some_and(|given| is_one_of(&given, std::slice::from_ref(token))) {
        return Ok(());
    }
    let answer = Answer::error(
        401,
        "the token of FANIN_READ_TOKEN is missing or wrong: send it as Authorization: Bearer",
    );
    Err(answer.with_header("WWW-Authenticate", "Basic realm=\"acr-fanin\""))
}

fn given_token(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(value.to_owned()),
        "basic" => {
            let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
            pair.split_once(':').map(|(_user, password)| password.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_as_bearer_and_as_basic_password() {
        let token = Secret::new("t0ken");
        let status = |authorization: Option<&str>| {
            let headers = authorization
                .map(|a| ("Authorization".to_owned(), a.to_owned()))
                .into_iter()
                .collect();
            authorize(&Request { headers, ..Request::default() }, Some(&token))
                .map_err(|answer| answer.status)
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(status(Some("Bearer t0ken")), Ok(()));
        assert_eq!(status(Some("bearer  t0ken")), Ok(()));
        assert_eq!(status(Some(&basic("anybody:t0ken"))), Ok(()));
        for wrong in [
            None,
            Some("Bearer"),
            Some("Bearer no"),
            Some("Basic %"),
            Some("Token t0ken"),
            Some(&basic("t0ken")),
        ] {
            assert_eq!(status(wrong), Err(401), "{wrong:?}");
        }
        assert!(authorize(&Request::default(), None).is_ok());
    }
}
