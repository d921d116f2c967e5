//! From the result of an HTTP function to the response of the host.

use crate::app::{Function, Output};
use crate::json::Json;
use crate::kestrel::{Response, is_header_value};
use crate::newtonsoft::to_text;
use crate::result::{Failure, InvocationResult};

const TEXT: &str = "text/plain; charset=utf-8";

/// The response to whoever called the function.
pub(crate) fn respond(function: &Function, result: Result<InvocationResult, Failure>) -> Response {
    let Ok(result) = result else { return Response::empty(500) };
    let binding = function.outputs.iter().find_map(|output| match output {
        Output::Http { binding } => Some(binding),
        Output::Queue { .. } => None,
    });
    match (&result.outputs, binding.and_then(|binding| result.output(binding))) {
        (_, Some(res @ Json::Object(_))) => from_members(res),
        (_, Some(_)) => Response::empty(500),
        (Some(_), None) => text("{}"),
        (None, None) if result.return_value.is_null() => Response::empty(204),
        (None, None) => text(&to_text(&result.return_value)),
    }
}

fn text(body: &str) -> Response {
    let mut response = Response::empty(200);
    response.set_header("Content-Type", TEXT.to_owned());
    response.body = body.as_bytes().to_vec();
    response
}

/// Builds the response from `statusCode`, `headers` and `body`. The headers come first: those
/// before one that cannot be sent are already set when the response becomes a 500.
fn from_members(res: &Json) -> Response {
    let Some(status) = status(res.get_ignore_case("statusCode")) else {
        return Response::empty(500);
    };
    let mut response = Response::empty(status);
    let headers = res.get_ignore_case("headers").map_or(&[][..], Json::members);
    for (name, value) in headers {
        let text = to_text(value);
        if value.is_null() || !is_header_value(&text) {
            response.status = 500;
            return response;
        }
        let is_type = name.eq_ignore_ascii_case("content-type");
        response.set_header(name, if is_type { with_charset(text) } else { text });
    }
    let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    if !response.headers.iter().any(|(name, _)| is_type(name)) {
        response.set_header("Content-Type", TEXT.to_owned());
    }
    let body = res.get_ignore_case("body").map(to_text);
    response.body = body.unwrap_or_default().into_bytes();
    response
}

fn status(value: Option<&Json>) -> Option<i32> {
    match value {
        None | Some(Json::Null) => Some(200),
        Some(Json::String(text) | Json::Number(text)) => text.parse().ok(),
        Some(_) => None,
    }
}

fn with_charset(kind: String) -> String {
    if kind.to_ascii_lowercase().contains("charset=") { kind } else { kind + "; charset=utf-8" }
}
