//! PUT and PATCH.

use serde_json::Value;

use super::document::{accepted, location_key};
use super::operation::Kind;
use super::store::How;
use super::{Group, GroupId, checks, immutable, quota, view};
use crate::arm_error::ArmError;
use crate::http::Answer;
use crate::state::State;

/// Creates or replaces: what the document leaves out goes back to its default, and all containers start anew, even
/// where nothing is different.
pub(crate) fn put(
    state: &mut State,
    id: &GroupId,
    body: Option<Value>,
) -> Result<Answer, ArmError> {
    let groups = &mut state.groups;
    groups.refuse_transitioning(id, &mut state.clock)?;
    // The name keeps the letters with which it was first written.
    let id = &groups.get(id).map_or_else(|_| id.clone(), |group| group.id.clone());
    let document = accepted(id, body)?;
    checks::check(id, &document)?;
    if let Ok(group) = groups.get(id) {
        suits(group, &document)?;
    }
    let location = document["location"].as_str().unwrap_or_default().to_owned();
    quota::images(groups, id, &document)?;
    quota::groups(groups, id, &location)?;
    quota::room(groups, &location)?;

    let key = id.key();
    let kind = if groups.all.contains_key(&key) { Kind::Update } else { Kind::Create };
    let new = || Group::new(id.clone(), Value::Null);
    let group = groups.all.entry(key.clone()).or_insert_with(new);
    group.document = document;
    group.containers.clear();
    address(state, id)?;
    state.groups.record(How::Put, &key);
    let mut plan = state.groups.settings.operations_of(&key);
    plan.failure = state.groups.settings.failures.pop_front().or(plan.failure);
    let at = state.groups.begin(id, kind, plan, &mut state.clock)?;
    let status = if kind == Kind::Create { 201 } else { 200 };
    let answer = Answer::json(status, &view::full(state.groups.get(id)?));
    Ok(state.groups.operations[at].announced(answer, &state.arm_url))
}

/// Refuses what cannot become of this group.
fn suits(group: &Group, document: &Value) -> Result<(), ArmError> {
    let GroupId { name, resource_group, .. } = &group.id;
    let (old, new) = (group.location(), document["location"].as_str().unwrap_or_default());
    if location_key(&old) != location_key(new) {
        let message = format!(
            "The resource '{name}' already exists in location '{old}' in resource group '{resource_group}'. A \
             resource with the same name cannot be created in location '{new}'. Please select a new resource name."
        );
        return Err(ArmError::new(409, "InvalidResourceLocation", message));
    }
    if group.is_over() {
        let message = format!(
            "The updates on container group '{name}' are invalid. The container group is in state '{}': it must be \
             deleted first and created anew.",
            group.state()
        );
        return Err(ArmError::bad_request("InvalidContainerGroupUpdate", message));
    }
    immutable::check(name, &group.document, document)
}

/// Gives a group the address that it asks for. An update usually keeps it.
pub(crate) fn address(state: &mut State, id: &GroupId) -> Result<(), ArmError> {
    let groups = &mut state.groups;
    let group = groups.get(id)?;
    let wanted = &group.document["properties"]["ipAddress"];
    let (has_one, is_public) = (wanted.is_object(), wanted["type"] != "Private");
    let keeps = group.ip.is_some() && !groups.settings.ip_changes;
    let ip = match (has_one, keeps) {
        (false, _) => None,
        (true, true) => group.ip.clone(),
        (true, false) => Some(groups.next_ip(is_public)),
    };
    groups.get_mut(id)?.ip = ip;
    Ok(())
}

/// Replaces the tags; whatever else stands in the document is passed over. Goes through at any time.
pub(crate) fn patch(
    state: &mut State,
    id: &GroupId,
    body: Option<Value>,
) -> Result<Answer, ArmError> {
    let group = state.groups.get_mut(id)?;
    if let Some(tags) = body.and_then(|body| body.get("tags").cloned()) {
        group.document["tags"] = tags;
    }
    let answer = Answer::json(200, &view::full(group));
    state.groups.record(How::Tagged, &id.key());
    Ok(answer)
}
