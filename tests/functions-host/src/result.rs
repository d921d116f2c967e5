//! The answer of the handler to a call: what counts as one, and what it says.

use crate::app::{Function, Output};
use crate::json::Json;
use crate::newtonsoft::to_text;
use crate::wire::Received;

/// Why an invocation failed, for the log.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What the handler answered.
#[derive(Debug)]
pub(crate) struct InvocationResult {
    /// `None` if there are none, not even an empty object.
    pub(crate) outputs: Option<Vec<(String, Json)>>,
    pub(crate) return_value: Json,
    pub(crate) logs: Vec<String>,
}

impl InvocationResult {
    /// Reads an answer; `None` is an answer that the real host takes for none at all, so that
    /// the invocation goes on until it times out.
    pub(crate) fn read(answer: &Received) -> Result<Option<Self>, Failure> {
        let head = &answer.head;
        if !matches!(head.status(), Some(200..=299)) {
            return Err(Failure::new(format!("the handler answered {}", head.first)));
        }
        if head.content_length() == Some(0) {
            return Ok(None);
        }
        let kind = head.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(kind.as_str(), "application/json" | "text/json") {
            return Err(Failure::new(format!("the handler answered with content type '{kind}'")));
        }
        let text = String::from_utf8_lossy(&answer.body);
        if text.trim().is_empty() {
            return Ok(None);
        }
        match Json::parse(&text) {
            Ok(Json::Null) => Ok(None),
            Ok(json @ Json::Object(_)) => Ok(Some(Self::from_json(&json))),
            Ok(_) => Err(Failure::new("the answer is no JSON object")),
            Err(error) => Err(Failure::new(format!("the answer is {error}"))),
        }
    }

    fn from_json(json: &Json) -> Self {
        let outputs = json.get_ignore_case("Outputs").filter(|outputs| !outputs.is_null());
        let logs = json.get_ignore_case("Logs").map_or(&[][..], Json::elements);
        Self {
            outputs: outputs.map(|outputs| outputs.members().to_vec()),
            return_value: json.get_ignore_case("ReturnValue").cloned().unwrap_or(Json::Null),
            logs: logs.iter().map(to_text).collect(),
        }
    }

    /// Gives the return value its place among the outputs: as `$return` where the function has
    /// such an output, else member by member if it is an object.
    pub(crate) fn place_return_value(&mut self, function: &Function) {
        let has_return = function.outputs.iter().any(|output| output.binding() == "$return");
        let placed = match &self.return_value {
            Json::Null => return,
            value if has_return => vec![("$return".to_owned(), value.clone())],
            Json::Object(members) => members.clone(),
            _ => return,
        };
        self.outputs.get_or_insert_default().extend(placed);
    }

    pub(crate) fn output(&self, binding: &str) -> Option<&Json> {
        let outputs = self.outputs.as_deref().unwrap_or_default();
        outputs.iter().find(|(name, _)| name == binding).map(|(_, value)| value)
    }
}

impl Output {
    fn binding(&self) -> &str {
        match self {
            Self::Http { binding } | Self::Queue { binding, .. } => binding,
        }
    }
}
