use super::super::arm::Answer;
use super::super::failure::{ArmError, Call, of_answer, of_operation};
use crate::limits::{ARM_MESSAGE_CHARS_MAX, TRANSITION_PAUSE};
use serde_json::{Value, json};
use std::time::Duration;

const READ: Call<'_> = Call { write: false, action: "Some/read" };
const WRITE: Call<'_> = Call { write: true, action: "Some/write" };

fn answer(status: u16, body: Value) -> Answer {
    Answer { status, body, retry_after: None, async_operation: None, location: None }
}

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// What the caller must do, in a word.
fn word(error: &ArmError) -> &'static str {
    match error {
        ArmError::NotFound(_) => "not found",
        ArmError::Transitioning { .. } => "transitioning",
        ArmError::Later { .. } => "later",
        ArmError::Unknown(_) => "unknown",
        ArmError::GiveUp(_) => "give up",
    }
}

#[test]
fn an_answer_is_sorted_by_its_status_first_and_its_code_second() {
    for (status, code, expected) in [
        (400, "InaccessibleImage", "later"),
        (400, "RegistryErrorResponse", "later"),
        (400, "InvalidImageRegistryCredentialType", "give up"),
        (400, "InvalidContainerGroupUpdate", "give up"),
        (400, "", "give up"),
        (401, "ExpiredAuthenticationToken", "give up"),
        (403, "AuthorizationFailed", "give up"),
        (403, "InaccessibleImage", "give up"),
        (404, "ResourceNotFound", "not found"),
        (404, "", "not found"),
        (404, "ResourceGroupNotFound", "give up"),
        (404, "SubscriptionNotFound", "give up"),
        (408, "", "later"),
        (409, "ContainerGroupTransitioning", "transitioning"),
        (409, "ContainerGroupQuotaReached", "later"),
        (409, "ServiceUnavailable", "later"),
        (409, "SomethingNew", "later"),
        (409, "ScopeLocked", "give up"),
        (409, "DnsNameLabelInUse", "give up"),
        (409, "InvalidResourceLocation", "give up"),
        (429, "InvalidContainerGroupUpdate", "later"),
        (500, "", "later"),
        (503, "ServerBusy", "later"),
        (302, "", "give up"),
    ] {
        let sorted = of_answer(&answer(status, error(code, "because")), READ);
        assert_eq!(word(&sorted), expected, "{status} {code}: {sorted}");
    }
}

#[test]
fn what_became_of_a_write_is_not_known_when_a_gateway_answers() {
    for (status, expected) in [(500, "unknown"), (502, "unknown"), (503, "later"), (504, "unknown")]
    {
        let sorted = of_answer(&answer(status, Value::Null), WRITE);
        assert_eq!(word(&sorted), expected, "{status}");
    }
}

#[test]
fn a_wish_for_a_pause_is_kept_and_a_busy_group_has_ten_seconds_at_least() {
    let after = |status, code: &str, seconds: Option<u64>| {
        let retry_after = seconds.map(Duration::from_secs);
        let answer = Answer { retry_after, ..answer(status, error(code, "")) };
        match of_answer(&answer, WRITE) {
            ArmError::Later { after, .. } => after,
            ArmError::Transitioning { after, .. } => Some(after),
            error => panic!("{error}"),
        }
    };
    assert_eq!(after(429, "", Some(17)), Some(Duration::from_secs(17)));
    assert_eq!(after(503, "", None), None);
    assert_eq!(after(409, "ContainerGroupTransitioning", Some(1)), Some(TRANSITION_PAUSE));
    assert_eq!(after(409, "ContainerGroupTransitioning", None), Some(TRANSITION_PAUSE));
    let long = after(409, "ContainerGroupTransitioning", Some(60));
    assert_eq!(long, Some(Duration::from_secs(60)));
}

#[test]
fn the_sentence_says_what_is_to_be_done() {
    let said = |status, code: &str, message: &str| {
        of_answer(&answer(status, error(code, message)), WRITE).to_string()
    };
    let message =
        "The client 'x' does not have authorization to perform action 'A/b/write' over scope '/s'.";
    let denied = said(403, "AuthorizationFailed", message);
    assert_eq!(
        denied,
        "our identity may not do A/b/write: give it a role with this action on the resource group"
    );
    assert!(said(403, "AuthorizationFailed", "").contains("may not do Some/write"));
    let policy = said(403, "RequestDisallowedByPolicy", "no public addresses");
    assert_eq!(
        policy,
        "a policy of the subscription forbids it (HTTP 403: RequestDisallowedByPolicy: no public addresses)"
    );
    let image = said(400, "InaccessibleImage", "The image 'i' is not accessible.");
    assert!(image.contains("the replica that it asks may not have it yet"), "{image}");
    let bare =
        of_answer(&answer(400, json!({"code": "Bare", "message": "no\r\n  envelope"})), WRITE);
    assert_eq!(bare.to_string(), "Azure refuses it (HTTP 400: Bare: no envelope)");
    let long = said(400, "Long", &"x".repeat(10_000));
    assert!(long.chars().count() < ARM_MESSAGE_CHARS_MAX + 100);
}

#[test]
fn an_operation_is_sorted_by_the_codes_in_its_result() {
    for (result, expected) in [
        (error("InaccessibleImage", ""), "later"),
        (json!({"error": {"code": "Failed", "details": [{"code": "InaccessibleImage"}]}}), "later"),
        (
            json!({"error": {"code": "X", "innererror": {"code": "ContainerGroupQuotaReached"}}}),
            "later",
        ),
        (error("ContainerGroupTransitioning", ""), "transitioning"),
        (error("ServiceUnavailable", ""), "later"),
        (error("InternalServerError", ""), "later"),
        (json!({"status": "Failed"}), "later"),
        (error("InvalidSomething", ""), "give up"),
        (error("InvalidContainerGroupUpdate", ""), "give up"),
    ] {
        let sorted = of_operation(&result);
        assert_eq!(word(&sorted), expected, "{result}: {sorted}");
    }
}
