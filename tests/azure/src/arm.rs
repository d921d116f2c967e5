//! Azure Resource Manager: who may, and where a request goes.

use uuid::Uuid;

use crate::arm_error::ArmError;
use crate::audience::is_arm;
use crate::groups::{self, Call, GroupId};
use crate::http::{Answer, Request};
use crate::state::State;
use crate::tokens::Standing;

pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    let answer = handle(state, request).unwrap_or_else(ArmError::into_answer);
    answer.header("x-ms-request-id", format!("westeurope:{}", Uuid::new_v4()))
}

fn handle(state: &mut State, request: &Request) -> Result<Answer, ArmError> {
    authenticate(state, request)?;
    if request.query("api-version").is_none_or(str::is_empty) {
        let message =
            "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(ArmError::bad_request("MissingApiVersionParameter", message));
    }
    let call = route(request)?;
    authorize(state, &call)?;
    if let Some(id) = call.group().filter(|id| !state.groups.has_resource_group(id)) {
        let message = format!("Resource group '{}' could not be found.", id.resource_group);
        return Err(ArmError::new(404, "ResourceGroupNotFound", message));
    }
    groups::answer(state, request, call)
}

fn authenticate(state: &State, request: &Request) -> Result<(), ArmError> {
    let refused =
        |code, message| Err(ArmError::unauthenticated(&state.app.tenant_id, code, message));
    let authorization = request.header("authorization");
    let Some(token) = authorization.and_then(|text| text.strip_prefix("Bearer ")) else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return refused("AuthenticationFailed", message);
    };
    match state.tokens.standing(token) {
        Standing::For(audience) if is_arm(&audience, &state.arm_url) => Ok(()),
        Standing::For(_) => {
            let message = "The access token has been obtained for wrong audience or resource.";
            refused("InvalidAuthenticationTokenAudience", message)
        }
        Standing::Expired => refused("ExpiredAuthenticationToken", "The access token expired."),
        Standing::Unknown => refused("InvalidAuthenticationToken", "The access token is invalid."),
    }
}

fn authorize(state: &State, call: &Call) -> Result<(), ArmError> {
    let action = call.action();
    if state.denied.contains(&action.to_ascii_lowercase()) {
        return Err(ArmError::unauthorized(&state.app.client_id, action, &call.scope()));
    }
    Ok(())
}

/// Finds out what is asked for. Names in paths are compared without case.
fn route(request: &Request) -> Result<Call, ArmError> {
    let segments = request.segments();
    let lower = request.path.to_ascii_lowercase();
    let words: Vec<&str> = lower.split('/').filter(|part| !part.is_empty()).collect();
    let method = request.method.as_str();
    let group = |at: usize| GroupId::new(segments[1], segments[3], segments.get(at).unwrap_or(&""));
    let call = match (method, words.as_slice()) {
        (
            "GET",
            [
                "subscriptions",
                _,
                "providers",
                "microsoft.containerinstance",
                "locations",
                _,
                kind,
                id,
            ],
        ) if ["operations", "operationresults"].contains(kind) => Call::Operation {
            subscription: segments[1].to_owned(),
            id: (*id).to_owned(),
            is_result: *kind == "operationresults",
        },
        ("GET", ["subscriptions", _, "resourcegroups", _]) => Call::ResourceGroup(group(7)),
        (
            _,
            [
                "subscriptions",
                _,
                "resourcegroups",
                _,
                "providers",
                "microsoft.containerinstance",
                "containergroups",
                rest @ ..,
            ],
        ) => match (method, rest) {
            ("GET", []) => Call::List(group(7)),
            ("GET", [_]) => Call::Get(group(7)),
            ("PUT", [_]) => Call::Put(group(7)),
            ("PATCH", [_]) => Call::Patch(group(7)),
            ("DELETE", [_]) => Call::Delete(group(7)),
            ("POST", [_, "restart"]) => Call::Restart(group(7)),
            ("POST", [_, "stop"]) => Call::Stop(group(7)),
            ("POST", [_, "start"]) => Call::Start(group(7)),
            ("GET", [_, "containers", _, "logs"]) => {
                Call::Logs { group: group(7), container: segments[9].to_owned() }
            }
            _ => return Err(not_there(request)),
        },
        _ => return Err(not_there(request)),
    };
    Ok(call)
}

fn not_there(request: &Request) -> ArmError {
    let message =
        format!("No HTTP resource was found that matches {} {}.", request.method, request.path);
    ArmError::new(404, "InvalidResourceType", message)
}
