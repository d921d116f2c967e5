//! The registry's own webhook body: one for the whole registry instead of one from each region.

use crate::ports::Parcel;
use crate::sink::text::timestamp;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    timestamp: &'a str,
    action: &'a str,
    target: Target<'a>,
    request: Request<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    /// The size once more, as registries send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

/// Charts come without it, but nobody can tell a registry by its body without the host.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    useragent: Option<&'a str>,
}

pub(super) fn body(parcel: Parcel<'_>) -> Value {
    let (image, origin) = (&parcel.push.image, &parcel.push.origin);
    let own_id = parcel.id();
    let body = Body {
        id: if origin.event_id.is_empty() { &own_id } else { &origin.event_id },
        timestamp: &timestamp(parcel),
        action: image.action.as_str(),
        target: Target {
            media_type: origin.media_type.as_deref(),
            size: origin.size,
            digest: image.digest.as_ref().map(|digest| digest.as_str()),
            length: origin.size,
            repository: image.repository.as_str(),
            tag: image.tag.as_ref().map(|tag| tag.as_str()),
            name: origin.name.as_deref(),
            version: origin.version.as_deref(),
        },
        request: Request {
            id: origin.request_id.as_deref(),
            host: image.registry.as_ref().map(|registry| registry.as_str()),
            method: origin.method.as_deref(),
            useragent: origin.user_agent.as_deref(),
        },
    };
    serde_json::to_value(body).unwrap_or_default()
}
