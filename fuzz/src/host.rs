//! What the Functions host sends: invocations by http, by queue and by timer.

use super::webhooks::{check, rules};
use acr_fanin::answer::Answer;
use acr_fanin::fuzzing::{http_invocation, outputs, queue_message};
use acr_fanin::intake::{self, Reading, queued};
use fan_in::{Correlation, PushId};
use serde_json::Value;

pub fn functions_envelope(invocation: &[u8]) {
    if let Some(request) = http_invocation(invocation) {
        let reading = intake::read(&request, &rules(Correlation::Auto));
        check(&reading, request.body.as_deref().unwrap_or_default());
        if let Reading::Answer(answer) = &reading {
            check_outputs(answer);
        }
    }
    let Some(message) = queue_message(invocation) else { return };
    if let Some(push) = message.get("push").and_then(Value::as_str).and_then(PushId::parse) {
        assert_eq!(Some(push.to_string().as_str()), message["push"].as_str());
    }
    if let Some((event, received)) = queued::from_message(&message) {
        let again = queued::to_message(&event, received);
        let again: Value = serde_json::from_str(&again).expect("a message is JSON");
        let (event_again, received_again) = queued::from_message(&again).expect("it comes back");
        assert_eq!((event_again.id, received_again), (event.id, received));
        assert_eq!(event_again.image, event.image);
    }
}

/// What the host needs, or it would hang: a status as a number and a body as a text.
fn check_outputs(answer: &Answer) {
    let sent = outputs(answer, vec!["{}".to_owned()]);
    let res = &sent["Outputs"]["res"];
    assert_eq!(res["statusCode"].as_u64(), Some(u64::from(answer.status)));
    assert!(res["body"].is_string() && res["headers"].is_object());
    assert!(sent["Outputs"]["bells"].is_array());
}
