//! What registries send: which content a digest stands for, and how an event about it is written.

use crate::observe;
use crate::plan::{EPOCH, Report};
use acr_fanin::answer::Request;
use acr_fanin::clock::rfc3339;
use fan_in::{Action, Image};

/// What is pushed or deleted, told apart by the digit that its digest consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) action: Action,
    tag: Option<&'static str>,
    /// Docker Hub has one region, and tells no digest.
    pub(crate) hub: bool,
}

pub(crate) fn content(digest: char) -> Content {
    let of = |action, tag| Content { action, tag, hub: false };
    match digest {
        '1' | '2' => of(Action::Push, Some("v2")),
        '9' => Content { hub: true, ..of(Action::Push, Some("v1")) },
        'd' => of(Action::Delete, None),
        'e' => of(Action::ChartPush, Some("app-1.0.0.tgz")),
        'f' => of(Action::ChartDelete, Some("app-1.0.0.tgz")),
        _ => of(Action::Push, Some("v1")),
    }
}

/// Is the image of this content?
pub(crate) fn is_of(image: &Image, digest: char) -> bool {
    match &image.digest {
        None => content(digest).hub,
        Some(found) => found.as_str().ends_with(digest) && !content(digest).hub,
    }
}

/// Does one of two pushes replace the other?
pub(crate) fn are_rivals(one: &Image, other: &Image) -> bool {
    let tag = |image: &Image| image.tag.clone().filter(|_| image.action.is_push());
    tag(one).is_some() && tag(one) == tag(other) && one.registry == other.registry
}

/// Of Docker Hub an event's id is the second it was pushed in.
pub(crate) fn hub_id(start: u64) -> String {
    (EPOCH.cast_unsigned() + start).div_euclid(1_000).to_string()
}

/// One request of a registry with one event, or one of Event Grid with some.
pub(crate) fn request(reports: &[&Report]) -> Request {
    let body = match reports {
        [report] if !report.event_grid => one(report),
        _ => format!("[{}]", reports.iter().map(|r| entry(r)).collect::<Vec<_>>().join(",")),
    };
    let region = reports.first().map_or("", |report| report.region.as_str());
    Request {
        method: "POST".to_owned(),
        query: vec![("region".to_owned(), region.to_owned())],
        headers: Vec::new(),
        body_bytes: body.len(),
        body: Some(body.into_bytes()),
    }
}

fn one(report: &Report) -> String {
    if !content(report.digest).hub {
        return format!("{{{}}}", core(report));
    }
    let tag = content(report.digest).tag.unwrap_or_default();
    let id = &report.pushed_at;
    format!(
        r#"{{"push_data":{{"pushed_at":{id},"tag":"{tag}"}},"repository":{{"repo_name":"team/app"}}}}"#
    )
}

fn entry(report: &Report) -> String {
    let kind = match content(report.digest).action {
        Action::Push => "ImagePushed",
        Action::Delete => "ImageDeleted",
        Action::ChartPush => "ChartPushed",
        Action::ChartDelete => "ChartDeleted",
    };
    let (id, region) = (&report.id, report.region.as_str());
    let time = rfc3339(observe::at(report.event_time));
    let core = core(report);
    format!(
        r#"{{"id":"{id}","subject":"team/app","topic":"/registries/r","eventType":"Microsoft.ContainerRegistry.{kind}","eventTime":"{time}","data":{{"location":"{region}",{core}}},"dataVersion":"2.0","metadataVersion":"1"}}"#
    )
}

fn core(report: &Report) -> String {
    let Content { action, tag, .. } = content(report.digest);
    let (id, action) = (&report.id, action.as_str());
    let digest = report.digest.to_string().repeat(64);
    let time = rfc3339(observe::at(report.event_time));
    let tag = tag.map(|tag| format!(r#","tag":"{tag}""#)).unwrap_or_default();
    let cause = match action {
        // An event about a chart does not say what caused it.
        "chart_push" | "chart_delete" => String::new(),
        _ => r#","request":{"host":"r.azurecr.io"}"#.to_owned(),
    };
    format!(
        r#""id":"{id}","timestamp":"{time}","action":"{action}","target":{{"digest":"sha256:{digest}","repository":"team/app"{tag}}}{cause}"#
    )
}
