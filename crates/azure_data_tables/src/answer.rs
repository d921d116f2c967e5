//! What the service says when it does not say yes.
//!
//! Codes: <https://learn.microsoft.com/rest/api/storageservices/table-service-error-codes> and
//! <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>.

use crate::error::{Error, ErrorKind, ServiceAnswer};
use serde::Deserialize;
use std::time::Duration;

/// Whether a request changes anything: decides what an unknown outcome means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Read,
    Write,
}

impl Effect {
    /// The kind of a failure after which nobody knows what the service did.
    pub(crate) fn unknown_outcome(self) -> ErrorKind {
        match self {
            Self::Read => ErrorKind::Unavailable,
            Self::Write => ErrorKind::Ambiguous,
        }
    }

    /// The kind of a success that cannot be understood.
    pub(crate) fn unreadable(self) -> ErrorKind {
        match self {
            Self::Read => ErrorKind::Decode,
            Self::Write => ErrorKind::Ambiguous,
        }
    }
}

/// An answer with its body read to the end; of a transaction, also one part of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header by its lower-case name; an empty one counts as missing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The error of an answer that is no success.
    pub(crate) fn error(&self, effect: Effect) -> Error {
        let said = Said::read(&self.body);
        let message = said.message.clone();
        self.error_of(said, effect, None, message.as_deref())
    }

    /// The error of one answer out of a transaction; names the operation that failed.
    ///
    /// The message begins with its number, from 0: `1:The specified entity already exists.`
    pub(crate) fn operation_error(&self, operations: usize) -> Error {
        let said = Said::read(&self.body);
        let message = said.message.clone().unwrap_or_default();
        let numbered = message
            .split_once(':')
            .and_then(|(number, rest)| Some((number.trim().parse().ok()?, rest)));
        let (operation, message) = match numbered {
            Some((number, rest)) => (Some(number), rest),
            None => (self.header("content-id").and_then(|id| id.parse().ok()), message.as_str()),
        };
        let operation = operation.filter(|number: &usize| *number < operations);
        self.error_of(said, Effect::Write, operation, Some(message))
    }

    fn error_of(
        &self,
        said: Said,
        effect: Effect,
        operation: Option<usize>,
        message: Option<&str>,
    ) -> Error {
        let code = said.code.or_else(|| self.header("x-ms-error-code").map(str::to_owned));
        let service = ServiceAnswer {
            status: self.status,
            code: code.filter(|code| is_code(code)),
            request_id: self
                .header("x-ms-request-id")
                .filter(|id| is_request_id(id))
                .map(str::to_owned),
            retry_after: self.retry_after(),
            operation,
        };
        let kind = kind(self.status, service.code.as_deref(), effect);
        let message = message.filter(|text| !text.trim().is_empty());
        Error::answered(kind, message.unwrap_or("the service gave no reason"), service)
    }

    fn retry_after(&self) -> Option<Duration> {
        let number = |name| self.header(name).and_then(|value| value.trim().parse::<u64>().ok());
        number("retry-after-ms")
            .or_else(|| number("x-ms-retry-after-ms"))
            .map(Duration::from_millis)
            .or_else(|| number("retry-after").map(Duration::from_secs))
    }
}

/// A code is one word; anything else in its place is not repeated.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_request_id(text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The code decides; the status only where the code says nothing about what to do.
fn kind(status: u16, code: Option<&str>, effect: Effect) -> ErrorKind {
    match code.unwrap_or_default() {
        "EntityAlreadyExists" => ErrorKind::EntityAlreadyExists,
        "UpdateConditionNotSatisfied" | "ConditionNotMet" => ErrorKind::PreconditionFailed,
        "EntityNotFound" | "ResourceNotFound" => ErrorKind::NotFound,
        "TableNotFound" => ErrorKind::TableNotFound,
        "ServerBusy" | "TableBeingDeleted" => ErrorKind::Unavailable,
        "EntityTooLarge"
        | "KeyValueTooLarge"
        | "PropertyValueTooLarge"
        | "RequestBodyTooLarge"
        | "TooManyProperties" => ErrorKind::Limit,
        _ => match status {
            401 | 403 => ErrorKind::Unauthorized,
            412 => ErrorKind::PreconditionFailed,
            413 => ErrorKind::Limit,
            429 => ErrorKind::Unavailable,
            408 | 500..=599 => effect.unknown_outcome(),
            _ => ErrorKind::Rejected,
        },
    }
}

/// Code and message of a body, as far as it has them.
#[derive(Debug, Default, PartialEq)]
struct Said {
    code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "odata.error")]
    error: OdataError,
}

#[derive(Deserialize)]
struct OdataError {
    code: String,
    message: Option<OdataMessage>,
}

#[derive(Deserialize)]
struct OdataMessage {
    value: String,
}

impl Said {
    /// Reads `{"odata.error":…}`, or the XML in which failed authorizations are answered.
    /// Pages of proxies in between are neither, and are not repeated.
    fn read(body: &[u8]) -> Self {
        if let Ok(Body { error }) = serde_json::from_slice(body) {
            return Self {
                code: Some(error.code),
                message: error.message.map(|message| message.value),
            };
        }
        let text = String::from_utf8_lossy(body);
        if !text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            return Self::default();
        }
        let code = element(&text, ["Code", "code"]).filter(|code| is_code(code));
        let message = code.and_then(|_| element(&text, ["Message", "message"]));
        Self { code: code.map(str::to_owned), message: message.map(str::to_owned) }
    }
}

/// The text of the first element of one of these names. `AuthenticationErrorDetail` and what else
/// may repeat a signature is never looked at.
fn element<'a>(text: &'a str, names: [&str; 2]) -> Option<&'a str> {
    names.into_iter().find_map(|name| {
        let (_, rest) = text.split_once(&format!("<{name}"))?;
        let (attributes, rest) = rest.split_once('>')?;
        let (inner, _) = rest.split_once(&format!("</{name}>"))?;
        (attributes.is_empty() || attributes.starts_with(' ')).then_some(inner.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    fn odata(code: &str, message: &str) -> String {
        serde_json::json!({"odata.error": {"code": code, "message": {"lang": "en-US", "value": message}}})
            .to_string()
    }

    #[test]
    fn each_code_of_the_service_tells_the_caller_what_to_do() {
        for (status, code, kind) in [
            (409, "EntityAlreadyExists", ErrorKind::EntityAlreadyExists),
            (412, "UpdateConditionNotSatisfied", ErrorKind::PreconditionFailed),
            (412, "ConditionNotMet", ErrorKind::PreconditionFailed),
            (404, "ResourceNotFound", ErrorKind::NotFound),
            (404, "EntityNotFound", ErrorKind::NotFound),
            (404, "TableNotFound", ErrorKind::TableNotFound),
            (409, "TableBeingDeleted", ErrorKind::Unavailable),
            (503, "ServerBusy", ErrorKind::Unavailable),
            (500, "OperationTimedOut", ErrorKind::Ambiguous),
            (500, "InternalError", ErrorKind::Ambiguous),
            (403, "AuthenticationFailed", ErrorKind::Unauthorized),
            (403, "AuthorizationPermissionMismatch", ErrorKind::Unauthorized),
            (400, "EntityTooLarge", ErrorKind::Limit),
            (413, "RequestBodyTooLarge", ErrorKind::Limit),
            (400, "InvalidInput", ErrorKind::Rejected),
        ] {
            let error = answer(status, &[], &odata(code, "text\nRequestId:x")).error(Effect::Write);
            assert_eq!((error.kind(), error.code()), (kind, Some(code)));
            assert_eq!(error.status(), Some(status));
            assert!(error.to_string().ends_with(": text"), "{error}");
        }
    }

    #[test]
    fn a_failure_of_the_server_leaves_a_write_ambiguous_and_a_read_repeatable() {
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(answer(status, &[], "").error(Effect::Write).kind(), ErrorKind::Ambiguous);
            assert_eq!(answer(status, &[], "").error(Effect::Read).kind(), ErrorKind::Unavailable);
        }
    }

    #[test]
    fn a_bare_404_is_not_taken_for_a_missing_entity() {
        assert_eq!(
            answer(404, &[], "<html>no such site</html>").error(Effect::Read).kind(),
            ErrorKind::Rejected
        );
    }

    #[test]
    fn the_header_names_the_code_where_the_body_does_not() {
        let headers = [("x-ms-error-code", "EntityNotFound"), ("x-ms-request-id", "8c9d-1")];
        let error = answer(404, &headers, "").error(Effect::Read);
        assert_eq!((error.kind(), error.request_id()), (ErrorKind::NotFound, Some("8c9d-1")));
    }

    #[test]
    fn xml_of_a_failed_authorization_is_read_without_its_details() {
        let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><m:error xmlns:m=\"x\"><m:x/></m:error>";
        assert_eq!(answer(403, &[], body).error(Effect::Read).kind(), ErrorKind::Unauthorized);
        let body = "<?xml version=\"1.0\"?>\n<Error>\n<Code>AuthenticationFailed</Code>\n<Message>Server failed \
                    to authenticate.\nRequestId:1</Message><AuthenticationErrorDetail>Signature topsecret\
                    </AuthenticationErrorDetail></Error>";
        let error = answer(403, &[], body).error(Effect::Write);
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Unauthorized, Some("AuthenticationFailed"))
        );
        assert_eq!(
            error.to_string(),
            "table storage: 403 AuthenticationFailed: Server failed to authenticate."
        );
        let body = "<error xmlns=\"http://schemas\"><code>TableNotFound</code>\
                    <message xml:lang=\"en-US\">None.</message></error>";
        let error = answer(404, &[], body).error(Effect::Read);
        assert_eq!(error.to_string(), "table storage: 404 TableNotFound: None.");
    }

    #[test]
    fn a_foreign_page_is_not_repeated() {
        for body in [
            "<html><body>token=topsecret</body></html>",
            "topsecret",
            "{\"a\":\"topsecret\"}",
            "\u{1}",
        ] {
            let error =
                answer(502, &[("x-ms-error-code", "top secret"), ("x-ms-request-id", "<x>")], body)
                    .error(Effect::Read);
            assert_eq!(error.to_string(), "table storage: 502: the service gave no reason");
        }
    }

    #[test]
    fn the_wish_to_wait_is_read_in_all_three_forms() {
        let wait =
            |name, value| answer(503, &[(name, value)], "").error(Effect::Read).retry_after();
        assert_eq!(wait("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(wait("x-ms-retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after-ms", "40"), Some(Duration::from_millis(40)));
        assert_eq!(wait("retry-after", "soon"), None);
    }

    #[test]
    fn the_failed_operation_is_found_in_the_message_or_by_its_id() {
        let body =
            odata("EntityAlreadyExists", "1:The specified entity already exists.\nRequestId:x");
        let error = answer(409, &[], &body).operation_error(2);
        assert_eq!(error.operation(), Some(1));
        assert!(error.to_string().ends_with(": The specified entity already exists."), "{error}");

        let body = odata("InvalidInput", "An error: no number");
        assert_eq!(
            answer(400, &[("content-id", "1")], &body).operation_error(2).operation(),
            Some(1)
        );
        assert_eq!(answer(400, &[("content-id", "2")], &body).operation_error(2).operation(), None);
        assert_eq!(answer(400, &[], &body).operation_error(2).operation(), None);
    }
}
