//! Entra ID: tokens for a client secret or for a federated assertion.

use serde_json::json;
use uuid::Uuid;

use crate::audience;
use crate::http::{Answer, Request};
use crate::state::State;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What Entra says no with.
struct Refusal {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl Refusal {
    fn new(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self { status, error, code, text: text.into() }
    }

    fn into_answer(self, now: &str) -> Answer {
        let Self { status, error, code, text } = self;
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
            ),
            "error_codes": [code],
            "timestamp": now,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        Answer::json(status, &body)
    }
}

/// Answers a request to the authority. Only the token endpoint is there; what else a client may look for is not.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    let segments = request.segments();
    let ["POST", tenant, "oauth2", "v2.0", "token"] =
        [&[request.method.as_str()], &segments[..]].concat()[..]
    else {
        return Answer::empty(404);
    };
    state.sign_ins += 1;
    match audience(state, request, tenant) {
        Ok(audience) => {
            let lifetime_s = state.token_lifetime_s;
            let body = json!({
                "token_type": "Bearer",
                "expires_in": lifetime_s,
                "ext_expires_in": lifetime_s,
                "access_token": state.tokens.issue(&audience),
            });
            Answer::json(200, &body)
        }
        Err(refusal) => refusal.into_answer(&state.clock.tick()),
    }
}

fn audience(state: &State, request: &Request, tenant: &str) -> Result<String, Refusal> {
    let form = |name| request.form(name).unwrap_or_default();
    let app = &state.app;
    if !tenant.eq_ignore_ascii_case(&app.tenant_id) {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        );
        return Err(Refusal::new(400, "invalid_request", 90002, text));
    }
    if form("grant_type") != "client_credentials" {
        let text = "The app requested an unsupported grant type.";
        return Err(Refusal::new(400, "unsupported_grant_type", 70003, text));
    }
    let client_id = form("client_id");
    if !client_id.eq_ignore_ascii_case(&app.client_id) {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'."
        );
        return Err(Refusal::new(400, "unauthorized_client", 700_016, text));
    }
    let scope = form("scope");
    let audience = audience::of_scope(&scope, &state.arm_url).ok_or_else(|| {
        let text = format!(
            "The resource principal named {scope} was not found in the tenant named Tests."
        );
        Refusal::new(400, "invalid_resource", 500_011, text)
    })?;
    match (request.form("client_secret"), request.form("client_assertion")) {
        (Some(secret), None) if secret == app.client_secret => Ok(audience),
        (Some(_), None) => {
            let text = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client_id}'."
            );
            Err(Refusal::new(401, "invalid_client", 7_000_215, text))
        }
        (None, Some(assertion))
            if form("client_assertion_type") == ASSERTION_TYPE
                && assertion == app.federated_token =>
        {
            Ok(audience)
        }
        (None, Some(_)) => {
            let text = "No matching federated identity record found for presented assertion.";
            Err(Refusal::new(401, "invalid_client", 700_211, text))
        }
        _ => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            Err(Refusal::new(401, "invalid_client", 7_000_218, text))
        }
    }
}
