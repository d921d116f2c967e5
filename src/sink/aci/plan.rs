//! What is to be done with a container group, seen what it is now.

use super::document::{
    each_text, filled, images, images_mut, lay_over, set_tag, without_nulls, writable,
};
use super::image::{Reference, Wanted, are_same};
use super::losses::losses;
use crate::azure::group::Group;
use crate::config::Document;
use crate::limits::TEXT_CHARS_MAX;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The tag that says which push was applied last.
pub(super) const PUSH_TAG: &str = "fanin-push";
/// The tag that says from which template.
pub(super) const TEMPLATE_TAG: &str = "fanin-template";

/// The document that a group becomes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Template {
        template: &'a Value,
        /// What tells this template from another.
        hash: &'a str,
        create: bool,
    },
    Patch {
        overlay: Option<&'a Value>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    Put(Value),
    /// The group is what it is to become.
    Nothing,
    /// Azure is at it: somebody before us in this deployment has asked for it.
    Underway,
    /// Azure is at something else.
    Wait(String),
    /// The push is of an image that the group does not run.
    Elsewhere(String),
    Hopeless(String),
}

/// What to do with the group as GET shows it, or without one.
pub(super) fn plan(source: Source<'_>, wanted: &Wanted, shown: Option<&Value>) -> Plan {
    let made = match (source, shown) {
        (Source::Template { template, hash, create }, shown) => {
            from_template(template, hash, create, wanted, shown)
        }
        (Source::Patch { .. }, None) => Err(Plan::Hopeless(
            "the container group does not exist; make it, or use a template with create = true"
                .to_owned(),
        )),
        (Source::Patch { overlay }, Some(shown)) => patched(overlay, wanted, shown),
    };
    let (document, same) = match made {
        Ok(made) => made,
        Err(plan) => return plan,
    };
    let Some(shown) = shown else { return checked(source, document) };
    let group = Group::new(shown);
    match group.provisioning() {
        "Succeeded" if same => stopped(group).map_or(Plan::Nothing, Plan::Hopeless),
        "Succeeded" => stopped(group)
            .or_else(|| ended(group))
            .map_or_else(|| checked(source, document), Plan::Hopeless),
        "Failed" => checked(source, document),
        _ if same => Plan::Underway,
        state => Plan::Wait(format!(
            "somebody else's change of the container group is under way ({state})"
        )),
    }
}

/// The document, and whether the group is that already; or what there is to do without one.
type Made = Result<(Value, bool), Plan>;

fn from_template(
    template: &Value,
    hash: &str,
    create: bool,
    wanted: &Wanted,
    shown: Option<&Value>,
) -> Made {
    if shown.is_none() && !create {
        return Err(Plan::Hopeless(
            "the container group does not exist; make it, or set create = true".to_owned(),
        ));
    }
    let mut document = filled(template, super::PLACEHOLDER, &wanted.image());
    let mut tags = shown.map(|shown| shown["tags"].clone()).unwrap_or_default();
    if let Some(own) = document.get("tags") {
        lay_over(&mut tags, own);
    }
    document["tags"] = tags;
    set_tag(&mut document, PUSH_TAG, &wanted.mark);
    set_tag(&mut document, TEMPLATE_TAG, hash);
    let same = shown.is_some_and(|shown| {
        let group = Group::new(shown);
        group.tag(PUSH_TAG) == Some(&wanted.mark)
            && group.tag(TEMPLATE_TAG) == Some(hash)
            && same_images(shown, &document)
    });
    Ok((document, same))
}

fn same_images(a: &Value, b: &Value) -> bool {
    images(a).count() == images(b).count()
        && images(a).all(|(name, image)| {
            images(b).any(|(other, theirs)| name == other && are_same(image, theirs))
        })
}

fn patched(overlay: Option<&Value>, wanted: &Wanted, shown: &Value) -> Made {
    let is_wanted = |image: &str| Reference::parse(image).is_some_and(|image| image.is_of(wanted));
    if !images(shown).any(|(_, image)| is_wanted(image)) {
        let runs: Vec<_> = images(shown).map(|(name, image)| format!("{name} ({image})")).collect();
        return Err(Plan::Elsewhere(format!(
            "nothing to change: no container of the group runs {}; it has {}",
            wanted.name(),
            runs.join(", ")
        )));
    }
    let mut document = writable(shown);
    if let Some(overlay) = overlay {
        lay_over(&mut document, overlay);
        document = writable(&document);
    }
    for image in images_mut(&mut document) {
        if let Some(found) = Reference::parse(image).filter(|found| found.is_of(wanted)) {
            *image = wanted.in_place_of(&found);
        }
    }
    set_tag(&mut document, PUSH_TAG, &wanted.mark);
    let group = Group::new(shown);
    let equal = images(shown).filter(|(_, image)| is_wanted(image)).all(|(_, image)| {
        Reference::parse(image).is_some_and(|found| are_same(image, &wanted.in_place_of(&found)))
    });
    let same = equal && (wanted.pinned || group.tag(PUSH_TAG) == Some(&wanted.mark));
    Ok((document, same))
}

/// Azure does not update a group without containers.
fn stopped(group: Group<'_>) -> Option<String> {
    (group.state() == "Stopped").then(|| {
        "the container group is stopped, and Azure updates none that is; start it, or delete it and have it made anew from a template with create = true".to_owned()
    })
}

fn ended(group: Group<'_>) -> Option<String> {
    ["Succeeded", "Failed", "Terminated"].contains(&group.state()).then(|| {
        format!(
            "the container group has ended ({}), and Azure updates none that has; start it, or delete it and have it made anew from a template with create = true",
            group.state()
        )
    })
}

/// A document may go out when nothing is lost by it.
fn checked(source: Source<'_>, mut document: Value) -> Plan {
    if let Source::Patch { .. } = source {
        let properties = &document["properties"];
        let policy = properties["confidentialComputeProperties"]["ccePolicy"].as_str();
        let confidential =
            properties["sku"].as_str().is_some_and(|s| s.eq_ignore_ascii_case("Confidential"));
        if confidential && policy.is_some_and(|policy| !policy.is_empty()) {
            return Plan::Hopeless(
                "the container group is confidential, and its ccePolicy lets no other image run; make a policy for the new image and use a template".to_owned(),
            );
        }
        let lost = losses(&document);
        if !lost.is_empty() {
            return Plan::Hopeless(refusal(&lost));
        }
        forget_empty_analytics(&mut document);
    }
    without_nulls(&mut document);
    Plan::Put(document)
}

/// Names the places, as many as can be kept with a delivery; then all of them stand in the log.
fn refusal(lost: &[String]) -> String {
    let all = lost.join(", ");
    let whole = format!("an update would lose {all}; give them in an overlay, or use a template");
    if whole.chars().count() <= TEXT_CHARS_MAX {
        return whole;
    }
    tracing::warn!(places = all, "an update would lose more than can be said in an error");
    let mut named = "an update would lose ".to_owned();
    for (place, told) in lost.iter().zip(0..) {
        let rest = format!("and {} more (see log)", lost.len() - told);
        let with = format!("{place}, and {} more (see log)", lost.len() - told - 1);
        if named.chars().count() + with.chars().count() > TEXT_CHARS_MAX {
            return named + &rest;
        }
        named = format!("{named}{place}, ");
    }
    named
}

/// An overlay says with an empty value that something is not set; TOML has no null.
fn forget_empty_analytics(document: &mut Value) {
    let analytics = document.pointer_mut("/properties/diagnostics/logAnalytics");
    if let Some(analytics) = analytics.and_then(Value::as_object_mut) {
        analytics.retain(|_, value| {
            value.as_str() != Some("") && value.as_object().is_none_or(|object| !object.is_empty())
        });
    }
}

/// What tells one template from another. The texts that came from the environment are left out, since a tag is
/// read by many.
pub(super) fn hash(template: &Document) -> String {
    let mut shown = template.expose().clone();
    let mut secrets = super::secrets(template);
    secrets.retain(|text| !text.is_empty());
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    each_text(&mut shown, &mut |text| {
        for secret in &secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), "");
            }
        }
    });
    let digest = Sha256::digest(shown.to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
