//! What an answer means for the delivery.

use super::client::{Outcome, Reply};
use crate::redact::Redactor;
use fan_in::Attempt;

/// How a sink judges an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Accepted,
    Refused,
    Unknown,
    Hopeless,
}

pub(super) fn attempt(
    outcome: Outcome,
    redactor: &Redactor,
    judge: impl FnOnce(&Reply) -> Judgement,
) -> Attempt {
    let reply = match outcome {
        Outcome::Answered(reply) => reply,
        Outcome::NotSent(reason) => {
            return Attempt::Refused { error: redactor.keep(&reason), retry_after: None };
        }
        Outcome::NoAnswer(reason) => return Attempt::Unknown { error: redactor.keep(&reason) },
    };
    let said = match reply.body.trim() {
        "" => format!("HTTP {}", reply.status),
        body => redactor.keep(&format!("HTTP {}: {body}", reply.status)),
    };
    match judge(&reply) {
        Judgement::Accepted => Attempt::Accepted { result: Some(said), tells: None },
        Judgement::Refused => Attempt::Refused { error: said, retry_after: reply.retry_after },
        Judgement::Unknown => Attempt::Unknown { error: said },
        Judgement::Hopeless => Attempt::Hopeless { error: said },
    }
}

/// A chat refuses a message for good with any 4xx but those that only mean "not now".
pub(super) const fn chat_refusal(status: u16) -> Judgement {
    match status {
        408 | 425 | 429 => Judgement::Refused,
        400..=499 => Judgement::Hopeless,
        _ => Judgement::Refused,
    }
}
