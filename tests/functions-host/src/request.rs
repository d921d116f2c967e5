//! `Data` and `Metadata` of a call by HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::json::Json;
use crate::kestrel;
use crate::metadata::Metadata;
use crate::route::{Parameters, query};
use crate::wire::Head;

/// A request that has been routed.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    pub(crate) parameters: Parameters,
    /// The name of the key that the caller has shown.
    pub(crate) key: Option<String>,
}

/// The path and the query of a request line.
pub(crate) fn target(head: &Head) -> (&str, &str) {
    let target = head.first.split(' ').nth(1).unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

pub(crate) fn method(head: &Head) -> &str {
    head.first.split(' ').next().unwrap_or_default()
}

impl Request {
    pub(crate) fn data(&self) -> Json {
        let (path, query_text) = target(&self.head);
        let host = self.head.header("host").unwrap_or_default();
        let question_mark = if query_text.is_empty() { "" } else { "?" };
        let query =
            query(query_text).into_iter().map(|(name, values)| (name, values.join(",").into()));
        let headers = kestrel::request_headers(&self.head).into_iter().map(|(name, values)| {
            (name, Json::Array(values.into_iter().map(Json::String).collect()))
        });
        let parameters = self
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.as_deref().map_or(Json::Null, Json::from)));
        let mut members = vec![
            ("Url", format!("http://{host}{path}{question_mark}{query_text}").into()),
            ("Method", method(&self.head).into()),
            ("Query", Json::Object(query.collect())),
            ("Headers", Json::Object(headers.collect())),
            ("Params", Json::Object(parameters.collect())),
            ("Identities", Json::Array(vec![identity(self.key.as_deref())])),
        ];
        if self.has_body() {
            let body = if self.is_binary() { BASE64.encode(&self.body) } else { self.text() };
            members.push(("Body", body.into()));
        }
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(crate) fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::default();
        if self.has_body() {
            metadata.set_payload(&self.text());
        }
        let query = query(target(&self.head).1);
        let last = |values: &[String]| values.last().cloned().unwrap_or_default();
        for (name, values) in &query {
            if !name.eq_ignore_ascii_case("code") {
                metadata.set(name, Json::encoded(&last(values)));
            }
        }
        for (name, value) in &self.parameters {
            if let Some(value) = value {
                metadata.set(name, Json::encoded(value));
            }
        }
        let query = query.iter().map(|(name, values)| (name.clone(), last(values).into()));
        metadata.set_if_absent("Query", Json::Object(query.collect()));
        let headers = kestrel::request_headers(&self.head);
        let headers = headers.into_iter().map(|(name, values)| (name, values.join(",").into()));
        metadata.set_if_absent("Headers", Json::Object(headers.collect()));
        metadata
    }

    /// The host looks at the body only if its length was declared.
    fn has_body(&self) -> bool {
        self.head.content_length().is_some_and(|length| length > 0)
    }

    fn is_binary(&self) -> bool {
        let kind = self.head.header("content-type").unwrap_or_default().to_ascii_lowercase();
        kind.starts_with("application/octet-stream") || kind.starts_with("multipart/")
    }

    /// The body as UTF-8, whatever charset was declared.
    fn text(&self) -> String {
        let bytes = self.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&self.body);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

fn identity(key: Option<&str>) -> Json {
    let claim = |name: &str, value: &str| {
        Json::object([
            ("Issuer", "LOCAL AUTHORITY".into()),
            ("OriginalIssuer", "LOCAL AUTHORITY".into()),
            ("Properties", Json::Object(Vec::new())),
            (
                "Type",
                format!("http://schemas.microsoft.com/2017/07/functions/claims/{name}").into(),
            ),
            ("Value", value.into()),
            ("ValueType", "http://www.w3.org/2001/XMLSchema#string".into()),
        ])
    };
    let claims = key.map_or_else(Vec::new, |key| {
        vec![claim("authlevel", "Function"), claim("invoke", "true"), claim("keyid", key)]
    });
    Json::object([
        ("AuthenticationType", key.map_or(Json::Null, |_| "WebJobsAuthLevel".into())),
        ("IsAuthenticated", key.is_some().into()),
        ("Actor", Json::Null),
        ("BootstrapContext", Json::Null),
        ("Claims", Json::Array(claims)),
        ("Label", Json::Null),
        ("Name", Json::Null),
        ("NameClaimType", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name".into()),
        ("RoleClaimType", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role".into()),
    ])
}
