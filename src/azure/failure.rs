//! Why Azure did not do it, by what the caller must do, in words that an operator understands.

use super::arm::Answer;
use crate::limits::{ARM_MESSAGE_CHARS_MAX, TRANSITION_PAUSE, cut};
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArmError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Another operation on it is under way: try again when that may be over.
    #[error("{sentence}")]
    Transitioning { sentence: String, after: Duration },
    /// Nothing was done: try again later.
    #[error("{sentence}")]
    Later { sentence: String, after: Option<Duration> },
    /// No answer came: it may be done or not. Look before doing it again.
    #[error("{0}")]
    Unknown(String),
    /// No later try can succeed before somebody changes something.
    #[error("{0}")]
    GiveUp(String),
}

impl ArmError {
    pub(super) const fn later(sentence: String) -> Self {
        Self::Later { sentence, after: None }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// It changes something.
    pub(super) write: bool,
    /// What a role must allow.
    pub(super) action: &'a str,
}

/// The code and message of Azure's error, with those that it holds.
#[derive(Clone, Debug, Default)]
struct Said {
    code: String,
    message: String,
    /// Of the error itself and of what is in it.
    codes: Vec<String>,
}

impl Said {
    /// `{"error":{"code":"…","message":"…","details":[…]}}`, or what is in it.
    fn read(body: &Value) -> Self {
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(body);
        let text = |name: &str| one_line(error[name].as_str().unwrap_or_default());
        let mut codes = Vec::new();
        collect_codes(error, &mut codes, 0);
        Self { code: text("code"), message: text("message"), codes }
    }

    fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|other| other.eq_ignore_ascii_case(code))
    }

    fn contains(&self, part: &str) -> bool {
        self.codes.iter().any(|code| code.to_ascii_lowercase().contains(part))
    }

    fn quoted(&self, status: Option<u16>) -> String {
        let status = status.map(|status| format!("HTTP {status}"));
        let parts = [status.unwrap_or_default(), self.code.clone(), self.message.clone()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "no reason is given".to_owned() } else { parts.join(": ") }
    }
}

fn collect_codes(error: &Value, codes: &mut Vec<String>, depth: usize) {
    const DEPTH_MAX: usize = 4;
    if depth > DEPTH_MAX {
        return;
    }
    codes.extend(error["code"].as_str().map(str::to_owned));
    for inner in error["details"].as_array().into_iter().flatten() {
        collect_codes(inner, codes, depth + 1);
    }
    for name in ["innererror", "error"] {
        if error[name].is_object() {
            collect_codes(&error[name], codes, depth + 1);
        }
    }
}

/// Of an answer that is no success: by its status first, by its code second.
pub(super) fn of_answer(answer: &Answer, call: Call<'_>) -> ArmError {
    let said = Said::read(&answer.body);
    let quoted = said.quoted(Some(answer.status));
    let after = answer.retry_after;
    match answer.status {
        401 => ArmError::GiveUp(format!(
            "Azure does not accept our token: is the tenant the subscription's, and the endpoint the right cloud's? ({quoted})"
        )),
        403 if said.has("RequestDisallowedByPolicy") => {
            ArmError::GiveUp(format!("a policy of the subscription forbids it ({quoted})"))
        }
        403 => ArmError::GiveUp(format!(
            "our identity may not do {}: give it a role with this action on the resource group",
            denied_action(&said.message).unwrap_or(call.action)
        )),
        404 => not_found(&said, quoted),
        408 => ArmError::Later { sentence: format!("Azure took too long ({quoted})"), after },
        429 => {
            ArmError::Later { sentence: format!("Azure asks us to slow down ({quoted})"), after }
        }
        400..=499 => of_code(&said, &quoted, after, answer.status == 409),
        // A gateway that gives up does not know what became of the request.
        500 | 502 | 504 if call.write => {
            ArmError::Unknown(format!("Azure is in trouble ({quoted})"))
        }
        500..=599 => ArmError::Later { sentence: format!("Azure is in trouble ({quoted})"), after },
        _ => ArmError::GiveUp(format!("Azure answers what is no answer ({quoted})")),
    }
}

/// Of an operation that ended without success, by the error in its result.
pub(super) fn of_operation(result: &Value) -> ArmError {
    let said = Said::read(result);
    let unclear = said.codes.is_empty()
        || ["Failed", "InternalError", "InternalServerError", "Timeout", "OperationTimedOut"]
            .iter()
            .any(|code| said.has(code));
    of_code(&said, &said.quoted(None), None, unclear)
}

/// `passing` says whether what is not known by its code may be over another time.
fn of_code(said: &Said, quoted: &str, after: Option<Duration>, passing: bool) -> ArmError {
    let later = |sentence: String| ArmError::Later { sentence, after };
    if said.has("ContainerGroupTransitioning") {
        return ArmError::Transitioning {
            sentence: format!("Azure is still at work on the container group ({quoted})"),
            after: after.unwrap_or_default().max(TRANSITION_PAUSE),
        };
    }
    if said.has("InaccessibleImage") {
        return later(format!(
            "Azure cannot pull the image: the replica that it asks may not have it yet, or the registry's credential is wrong ({quoted})"
        ));
    }
    if said.has("RegistryErrorResponse") {
        return later(format!("the registry did not give Azure the image ({quoted})"));
    }
    if said.contains("quota") {
        return later(format!(
            "a quota of the subscription is used up: delete container groups, or ask Azure for more ({quoted})"
        ));
    }
    let no_room = said.message.contains("not available in the location");
    if no_room || said.has("ServiceUnavailable") || said.contains("capacity") {
        return later(format!(
            "Azure has no room for it in this location at the moment ({quoted})"
        ));
    }
    if said.has("InvalidContainerGroupUpdate") {
        return ArmError::GiveUp(format!(
            "Azure cannot change this in a group that exists: delete the group so that it is made anew, or leave it as it is ({quoted})"
        ));
    }
    let lasting = ["ScopeLocked", "DnsNameLabelInUse", "ReadOnlyDisabledSubscription"];
    let lasts = said.code.starts_with("Invalid") || lasting.iter().any(|code| said.has(code));
    if passing && !lasts {
        return later(format!("Azure does not do it now ({quoted})"));
    }
    ArmError::GiveUp(format!("Azure refuses it ({quoted})"))
}

fn not_found(said: &Said, quoted: String) -> ArmError {
    if said.has("ResourceGroupNotFound") {
        ArmError::GiveUp(format!("the resource group does not exist ({quoted})"))
    } else if said.has("SubscriptionNotFound") || said.has("InvalidSubscriptionId") {
        ArmError::GiveUp(format!(
            "the subscription does not exist, or our identity has no role in it ({quoted})"
        ))
    } else {
        ArmError::NotFound(format!("it does not exist ({quoted})"))
    }
}

/// The last action that the message names: where a linked resource is refused, the first is one that is allowed.
fn denied_action(message: &str) -> Option<&str> {
    let (_, rest) = message.rsplit_once("perform action '")?;
    rest.split_once('\'').map(|(action, _)| action).filter(|action| !action.is_empty())
}

/// A text of Azure's in one line, and not too long.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    cut(&line.join(" "), ARM_MESSAGE_CHARS_MAX)
}

/// Of an answer to who asks for logs: that there are none yet is no failure.
pub(super) fn of_logs(answer: &Answer, action: &str) -> Result<Option<String>, ArmError> {
    let said = Said::read(&answer.body);
    if answer.status == 404 || said.has("ContainerLogNotAvailable") {
        return Ok(None);
    }
    Err(of_answer(answer, Call { write: false, action }))
}
