//! Managed identities: the endpoint of App Service and Functions, and the one of virtual machines (IMDS).

use serde_json::json;
use uuid::Uuid;

use crate::audience;
use crate::clock::unix_s;
use crate::http::{Answer, Request};
use crate::state::State;

/// The path of the App Service form, which the host makes up.
pub(crate) const APP_SERVICE: &str = "/msi/token";
const IMDS: &str = "/metadata/identity/oauth2/token";

pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", APP_SERVICE) => app_service(state, request),
        ("GET", IMDS) => imds(state, request),
        _ => Answer::empty(404),
    }
}

/// Why there is no token.
enum Lack {
    Identity,
    Resource,
}

/// The identity's client id and the resource that a request names.
fn asked<'a>(state: &State, request: &'a Request) -> Result<(String, &'a str), Lack> {
    let others = ["object_id", "principal_id", "mi_res_id", "msi_res_id"];
    let client_id = match request.query("client_id") {
        Some(id) => state.identities.iter().find(|known| known.eq_ignore_ascii_case(id)).cloned(),
        None if others.iter().any(|name| request.query(name).is_some()) => None,
        None => state.system_identity.clone(),
    };
    let client_id = client_id.ok_or(Lack::Identity)?;
    let resource = request.query("resource").unwrap_or_default();
    audience::of_resource(resource, &state.arm_url).ok_or(Lack::Resource)?;
    Ok((client_id, resource))
}

/// `2019-08-01`; the header is what keeps requests out that other code was tricked into.
fn app_service(state: &mut State, request: &Request) -> Answer {
    state.sign_ins += 1;
    let refused = |status: u16, message: &str| {
        let correlation = Uuid::new_v4().to_string();
        let body =
            json!({ "statusCode": status, "message": message, "correlationId": correlation });
        Answer::json(status, &body)
    };
    if request.header("x-identity-header") != Some(&state.identity_header) {
        return refused(401, "The X-IDENTITY-HEADER header is missing or wrong.");
    }
    if request.query("api-version") != Some("2019-08-01") {
        return refused(400, "The api-version is missing or not supported.");
    }
    match asked(state, request) {
        Err(Lack::Identity) => refused(
            400,
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        ),
        Err(Lack::Resource) => refused(400, "The resource is missing or unknown."),
        Ok((client_id, resource)) => {
            let body = json!({
                "access_token": state.tokens.issue(resource.trim_end_matches('/')),
                // A string, where Entra's own `expires_in` is a number.
                "expires_on": (unix_s() + i64::from(state.token_lifetime_s)).to_string(),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": client_id,
            });
            Answer::json(200, &body)
        }
    }
}

/// All numbers are strings here. Whoever was forwarded is refused.
fn imds(state: &mut State, request: &Request) -> Answer {
    state.sign_ins += 1;
    let refused = |error: &str, text: &str| {
        Answer::json(400, &json!({ "error": error, "error_description": text }))
    };
    let is_direct = request.header("x-forwarded-for").is_none();
    if request.header("metadata") != Some("true") || !is_direct {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    if !matches!(request.query("api-version"), Some("2018-02-01" | "2019-08-01")) {
        return refused("bad_request_100", "Required query variable 'api-version' is missing");
    }
    match asked(state, request) {
        Err(Lack::Identity) => refused("invalid_request", "Identity not found"),
        Err(Lack::Resource) => refused("invalid_resource", "The resource is missing or unknown"),
        Ok((client_id, resource)) => {
            let (now_s, lifetime_s) = (unix_s(), state.token_lifetime_s);
            let body = json!({
                "access_token": state.tokens.issue(resource.trim_end_matches('/')),
                "client_id": client_id,
                "expires_in": lifetime_s.to_string(),
                "expires_on": (now_s + i64::from(lifetime_s)).to_string(),
                "ext_expires_in": lifetime_s.to_string(),
                "not_before": now_s.to_string(),
                "resource": resource,
                "token_type": "Bearer",
            });
            Answer::json(200, &body)
        }
    }
}
