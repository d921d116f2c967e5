//! Long-running operations: how long, how they can be followed, and how they end.

use serde_json::{Value, json};

use super::GroupId;
use crate::arm_error::ArmError;
use crate::http::Answer;

/// How ARM lets a caller follow an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Follow {
    /// `Azure-AsyncOperation`: a document with a status.
    AsyncOperation,
    /// `Location`: 202 until it is over.
    Location,
    /// Both headers.
    Both,
    /// `Azure-AsyncOperation`, but the caller may not read it: 403. The group still tells.
    Forbidden,
    /// No header: only the group tells.
    Nothing,
}

/// How operations go. They take so many polls instead of time: requests that see them under way, be it at their URL,
/// by a GET of the group, or because the request is refused on their account. The next one sees the end.
#[derive(Clone, Debug)]
pub struct Operations {
    pub(crate) follow: Follow,
    pub(crate) polls: u32,
    retry_after_s: Option<u32>,
    pub(crate) failure: Option<ArmError>,
}

impl Operations {
    /// One poll, `Retry-After: 0`, and all goes well.
    #[must_use]
    pub fn by(follow: Follow) -> Self {
        Self { follow, polls: 1, retry_after_s: Some(0), failure: None }
    }

    /// How many requests see them under way. With 0 and [`Follow::Nothing`] they are over with the first answer.
    #[must_use]
    pub fn polls(self, polls: u32) -> Self {
        Self { polls, ..self }
    }

    /// They go on until [`GroupHandle::finish`](crate::GroupHandle::finish).
    #[must_use]
    pub fn endless(self) -> Self {
        self.polls(u32::MAX)
    }

    /// What `Retry-After` says; none leaves it out.
    #[must_use]
    pub fn retry_after_s(self, seconds: impl Into<Option<u32>>) -> Self {
        Self { retry_after_s: seconds.into(), ..self }
    }

    /// They are accepted, and fail with this in the end.
    #[must_use]
    pub fn failing(self, code: &str, message: &str) -> Self {
        Self { failure: Some(ArmError::bad_request(code, message)), ..self }
    }
}

impl Default for Operations {
    fn default() -> Self {
        Self::by(Follow::AsyncOperation)
    }
}

/// What an operation does when it ends well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Create,
    Update,
    Delete,
    Start,
}

impl Kind {
    /// `provisioningState` while it goes on.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Self::Create => "Creating",
            Self::Update | Self::Start => "Updating",
            Self::Delete => "Deleting",
        }
    }
}

/// An operation that began; those that are over stay, since they may still be asked about.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) group: GroupId,
    pub(crate) location: String,
    pub(crate) kind: Kind,
    pub(crate) plan: Operations,
    pub(crate) polls_left: u32,
    pub(crate) began: String,
    pub(crate) ended: Option<String>,
    /// Begun by somebody else than the callers, so nobody's fault when requests meet it.
    pub(crate) is_foreign: bool,
}

impl Operation {
    pub(crate) fn failure(&self) -> Option<&ArmError> {
        self.plan.failure.as_ref().filter(|_| self.ended.is_some())
    }

    /// Whether the answer that begins it can already say how it ended.
    pub(crate) fn is_over_at_once(&self) -> bool {
        self.plan.polls == 0 && self.plan.follow == Follow::Nothing
    }

    fn url(&self, arm_url: &str, resource: &str) -> String {
        let Self { group, location, id, .. } = self;
        format!(
            "{arm_url}/subscriptions/{}/providers/Microsoft.ContainerInstance/locations/{location}/{resource}/{id}\
             ?api-version=2018-06-01",
            group.subscription
        )
    }

    /// An answer with the headers by which the operation can be followed.
    pub(crate) fn announced(&self, answer: Answer, arm_url: &str) -> Answer {
        let (by_status, by_location) = match self.plan.follow {
            Follow::AsyncOperation | Follow::Forbidden => (true, false),
            Follow::Location => (false, true),
            Follow::Both => (true, true),
            Follow::Nothing => return answer,
        };
        let mut answer = answer;
        if by_status {
            answer = answer.header("Azure-AsyncOperation", self.url(arm_url, "operations"));
        }
        if by_location {
            answer = answer.header("Location", self.url(arm_url, "operationResults"));
        }
        answer.retry_after(self.plan.retry_after_s)
    }

    /// The document at the `Azure-AsyncOperation` URL.
    pub(crate) fn status(&self) -> Answer {
        let status = match (&self.ended, self.failure()) {
            (None, _) => "InProgress",
            (Some(_), None) => "Succeeded",
            (Some(_), Some(_)) => "Failed",
        };
        let mut body = json!({
            "id": self.id,
            "name": self.id,
            "status": status,
            "startTime": self.began,
            "properties": { "events": [] },
        });
        if let Some(ended) = &self.ended {
            body["endTime"] = Value::from(ended.as_str());
            return Answer::json(200, &with_error(body, self.failure()));
        }
        Answer::json(200, &body).retry_after(self.plan.retry_after_s)
    }
}

fn with_error(mut body: Value, failure: Option<&ArmError>) -> Value {
    if let Some(ArmError { code, message, .. }) = failure {
        body["error"] = json!({ "code": code, "message": message });
    }
    body
}
