//! One error type, sorted by what the caller must do.

use std::{fmt, time::Duration};

/// The longest text of others that an error repeats.
const MESSAGE_CHARS: usize = 300;

/// What went wrong, as the next step of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An insert met an entity with the same keys. Nothing was written.
    EntityAlreadyExists,
    /// The entity has another ETag than the `If-Match` given. Nothing was written: read and decide
    /// again.
    PreconditionFailed,
    /// The entity to change does not exist. Nothing was written.
    NotFound,
    /// The table does not exist: create it.
    TableNotFound,
    /// The service could not be reached or asks for patience. Nothing was written: try again,
    /// not before [`Error::retry_after`].
    Unavailable,
    /// A write was sent and its outcome is unknown: it may have happened, or may still.
    /// Read and compare before doing anything else.
    Ambiguous,
    /// The credential was refused, has no right here, or no token could be had. Nothing was
    /// written.
    Unauthorized,
    /// The data does not fit the rules of the service. Nothing was written; most such requests are
    /// never sent.
    Limit,
    /// The answer to a read is not what the service should say, or does not fit the caller's type.
    Decode,
    /// The settings cannot work: endpoint, credential, table name or HTTP client. Nothing was sent.
    Config,
    /// Refused for any other reason, named by [`Error::code`]. Nothing was written, and a repeat
    /// would be refused again.
    Rejected,
}

/// The error of every call.
///
/// Texts of the service are cut to one line; keys, signatures and signed addresses never appear.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    service: Option<Box<ServiceAnswer>>,
}

/// The parts of an error that only an answer of the service has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServiceAnswer {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) operation: Option<usize>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: one_line(message.as_ref()), service: None }
    }

    pub(crate) fn limit(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    pub(crate) fn config(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn decode(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Decode, message)
    }

    pub(crate) fn answered(kind: ErrorKind, message: &str, service: ServiceAnswer) -> Self {
        Self { kind, message: one_line(message), service: Some(Box::new(service)) }
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status, where the service answered.
    pub fn status(&self) -> Option<u16> {
        self.service.as_ref().map(|answer| answer.status)
    }

    /// The service's own name of the error, such as `UpdateConditionNotSatisfied`.
    /// <https://learn.microsoft.com/rest/api/storageservices/table-service-error-codes>
    pub fn code(&self) -> Option<&str> {
        self.service.as_ref().and_then(|answer| answer.code.as_deref())
    }

    /// The number, from 0, of the operation that made a transaction fail, where the service named
    /// it.
    pub fn operation(&self) -> Option<usize> {
        self.service.as_ref().and_then(|answer| answer.operation)
    }

    /// How long the service asks to wait. As sent: the caller decides on an upper bound.
    pub fn retry_after(&self) -> Option<Duration> {
        self.service.as_ref().and_then(|answer| answer.retry_after)
    }

    /// The service's id of the request, for a support case.
    pub fn request_id(&self) -> Option<&str> {
        self.service.as_ref().and_then(|answer| answer.request_id.as_deref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("table storage: ")?;
        if let Some(answer) = &self.service {
            write!(f, "{}", answer.status)?;
            if let Some(code) = &answer.code {
                write!(f, " {code}")?;
            }
            if let Some(operation) = answer.operation {
                write!(f, ", operation {operation}")?;
            }
            if let Some(id) = &answer.request_id {
                write!(f, ", request {id}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The first line without control characters and signatures, cut to a readable length.
pub(crate) fn one_line(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    unsigned(&line).chars().take(MESSAGE_CHARS).collect()
}

/// A text in which a signed address may be repeated, without its signature.
fn unsigned(text: &str) -> String {
    // ASCII letters alone change their case, so that a place in one is the same place in the other.
    let lower = text.to_ascii_lowercase();
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "%+/=-_.~".contains(c));
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find("sig").map(|at| from + at + 3) {
        out.push_str(&text[from..at]);
        let value = ["=", "%3d"].into_iter().find(|sign| lower[at..].starts_with(sign));
        from = at;
        if let Some(sign) = value {
            out.push_str("=[signature]");
            let value = at + sign.len();
            from = text[value..].find(ends).map_or(text.len(), |length| value + length);
        }
    }
    out.push_str(&text[from..]);
    out
}

/// An error and its causes as one text.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_status_code_operation_and_request() {
        let service = ServiceAnswer {
            status: 409,
            code: Some("EntityAlreadyExists".to_owned()),
            request_id: Some("8c9d".to_owned()),
            retry_after: None,
            operation: Some(1),
        };
        let error = Error::answered(
            ErrorKind::EntityAlreadyExists,
            "The specified entity already exists.\nRequestId:8c9d\nTime:2020",
            service,
        );
        assert_eq!(
            error.to_string(),
            "table storage: 409 EntityAlreadyExists, operation 1, request 8c9d: \
             The specified entity already exists."
        );
    }

    #[test]
    fn a_text_of_others_is_cut_to_one_readable_line() {
        assert_eq!(one_line("\n a\u{7}b\r\nc"), "ab");
        assert_eq!(one_line(&"x".repeat(5000)).chars().count(), MESSAGE_CHARS);
        assert_eq!(one_line(""), "");
    }

    #[test]
    fn a_signed_address_that_is_said_back_is_not_repeated_with_its_signature() {
        for (said, repeated) in [
            ("GET /t()?sv=1&sig=a%2Bb%3D&se=2 no", "GET /t()?sv=1&sig=[signature]&se=2 no"),
            ("'SIG=a+/b=='", "'SIG=[signature]'"),
            ("?sv%3D1%26sig%3Dab", "?sv%3D1%26sig=[signature]"),
            ("signature sigé", "signature sigé"),
            ("si\u{1}g=abc", "sig=[signature]"),
        ] {
            assert_eq!(one_line(said), repeated);
        }
    }
}
