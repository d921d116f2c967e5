//! Operations that go on after the answer: where to ask, and what is known of them.

use super::arm::{Answer, Arm, Request, Until};
use super::failure::Call;
use super::failure::{ArmError, of_answer, of_operation};
use crate::limits::{OPERATION_PAUSE, OPERATION_PAUSE_MAX, OPERATION_PAUSE_MIN};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where to ask how an operation goes. It can be written down and followed by another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// An address that tells the operation's status.
    Status(String),
    /// An address that answers 202 until the operation is over.
    Location(String),
    /// The resource itself: nothing else tells, or we may not ask it.
    Resource,
}

/// What an operation's address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Running {
        after: Duration,
    },
    Done,
    Failed(ArmError),
    /// Nothing: ask the resource.
    Nothing,
}

/// When to ask again.
pub(super) fn pause(asked: Option<Duration>) -> Duration {
    asked.unwrap_or(OPERATION_PAUSE).clamp(OPERATION_PAUSE_MIN, OPERATION_PAUSE_MAX)
}

impl Operation {
    pub(super) fn of(answer: &Answer) -> Self {
        match (&answer.async_operation, &answer.location) {
            (Some(url), _) => Self::Status(url.to_string()),
            (None, Some(url)) => Self::Location(url.to_string()),
            (None, None) => Self::Resource,
        }
    }

    /// The same as far as it can be written down in `max` bytes: such an address may carry a certificate.
    #[must_use]
    pub fn shortened(&self, max: usize) -> Self {
        match self {
            Self::Status(url) | Self::Location(url) if url.len() > max => Self::Resource,
            operation => operation.clone(),
        }
    }
}

impl Arm {
    /// Asks once. That Azure does not answer now says nothing about the operation.
    pub(super) async fn ask(
        &self,
        operation: &Operation,
        until: Until,
        action: &str,
    ) -> Result<Told, ArmError> {
        let (Operation::Status(text) | Operation::Location(text)) = operation else {
            return Ok(Told::Nothing);
        };
        let Some(url) = self.own(text) else { return Ok(Told::Nothing) };
        let request = Request { method: Method::GET, url, body: None, until, action };
        let answer = match self.exchange(request).await {
            Ok(answer) => answer,
            Err(ArmError::Later { after, .. }) => {
                return Ok(Told::Running { after: pause(after) });
            }
            Err(error) => return Err(error),
        };
        match answer.status {
            // The address is not below the resource, so a role on the resource alone does not reach it.
            403 | 404 | 410 => Ok(Told::Nothing),
            401 => Err(of_answer(&answer, Call { write: false, action })),
            408 | 429 | 500..=599 => Ok(Told::Running { after: pause(answer.retry_after) }),
            _ => Ok(match operation {
                Operation::Status(_) => status(&answer),
                _ => location(&answer, action),
            }),
        }
    }
}

/// `{"status":"InProgress|Succeeded|Failed|Canceled","error":{…}}`; what is not known is going on.
fn status(answer: &Answer) -> Told {
    match answer.body["status"].as_str() {
        Some(word) if word.eq_ignore_ascii_case("Succeeded") => Told::Done,
        Some(word) if word.eq_ignore_ascii_case("Failed") => {
            Told::Failed(of_operation(&answer.body))
        }
        Some(word) if word.eq_ignore_ascii_case("Canceled") => {
            Told::Failed(ArmError::later("the operation was cancelled by somebody".to_owned()))
        }
        Some(_) => Told::Running { after: pause(answer.retry_after) },
        None => Told::Nothing,
    }
}

fn location(answer: &Answer, action: &str) -> Told {
    match answer.status {
        202 => Told::Running { after: pause(answer.retry_after) },
        200..=299 => Told::Done,
        _ => Told::Failed(of_answer(answer, Call { write: false, action })),
    }
}
