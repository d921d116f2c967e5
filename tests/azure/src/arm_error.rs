//! The errors of ARM, in its own words as far as they are known.

use serde_json::json;

use crate::http::Answer;

/// An error document and its status.
#[derive(Clone, Debug)]
pub(crate) struct ArmError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    challenge: Option<String>,
}

impl ArmError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), challenge: None }
    }

    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401 with what a client reads to find the right tenant.
    pub(crate) fn unauthenticated(tenant_id: &str, code: &str, message: &str) -> Self {
        let challenge = format!(
            "Bearer authorization_uri=\"https://login.windows.net/{tenant_id}\", error=\"invalid_token\", \
             error_description=\"{message}\""
        );
        Self { challenge: Some(challenge), ..Self::new(401, code, message) }
    }

    pub(crate) fn unauthorized(client_id: &str, action: &str, scope: &str) -> Self {
        let message = format!(
            "The client '{client_id}' with object id '{client_id}' does not have authorization to perform action \
             '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh \
             your credentials."
        );
        Self::new(403, "AuthorizationFailed", message)
    }

    pub(crate) fn no_group(name: &str, resource_group: &str) -> Self {
        let message = format!(
            "The Resource 'Microsoft.ContainerInstance/containerGroups/{name}' under resource group \
             '{resource_group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
        Self::new(404, "ResourceNotFound", message)
    }

    /// What a status stands for where nothing more is said.
    pub(crate) fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            429 => ("TooManyRequests", "The request is being throttled. Please retry later."),
            500 => ("InternalServerError", "Encountered internal server error."),
            503 => ("ServerBusy", "The service is busy. Please retry later."),
            504 => ("GatewayTimeout", "The gateway did not receive a response in time."),
            _ => ("Error", "The request failed."),
        };
        Self::new(status, code, message)
    }

    pub(crate) fn into_answer(self) -> Answer {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let answer = Answer::json(self.status, &body);
        match self.challenge {
            Some(challenge) => answer.header("WWW-Authenticate", challenge),
            None => answer,
        }
    }
}
