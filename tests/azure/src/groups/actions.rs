//! DELETE, restart, stop, start, and the URLs at which operations are followed.

use super::operation::{Follow, Kind, Operations};
use super::store::How;
use super::{GroupId, view};
use crate::arm_error::ArmError;
use crate::http::Answer;
use crate::state::State;

pub(crate) fn delete(state: &mut State, id: &GroupId) -> Result<Answer, ArmError> {
    state.groups.refuse_transitioning(id, &mut state.clock)?;
    let Ok(group) = state.groups.get(id) else { return Ok(Answer::empty(204)) };
    let body = view::full(group);
    if !state.groups.settings.deletes_take_time {
        let at_once = Operations::by(Follow::Nothing).polls(0);
        state.groups.begin(id, Kind::Delete, at_once, &mut state.clock)?;
        return Ok(Answer::json(200, &body));
    }
    let plan = state.groups.settings.operations_of(&id.key());
    let at = state.groups.begin(id, Kind::Delete, plan, &mut state.clock)?;
    Ok(state.groups.operations[at].announced(Answer::empty(202), &state.arm_url))
}

pub(crate) fn restart(state: &mut State, id: &GroupId) -> Result<Answer, ArmError> {
    let at = begin_start(state, id)?;
    state.groups.record(How::Restarted, &id.key());
    Ok(state.groups.operations[at].announced(Answer::empty(204), &state.arm_url))
}

pub(crate) fn start(state: &mut State, id: &GroupId) -> Result<Answer, ArmError> {
    let at = begin_start(state, id)?;
    state.groups.record(How::Started, &id.key());
    Ok(state.groups.operations[at].announced(Answer::empty(202), &state.arm_url))
}

fn begin_start(state: &mut State, id: &GroupId) -> Result<usize, ArmError> {
    state.groups.refuse_transitioning(id, &mut state.clock)?;
    state.groups.get_mut(id)?.is_stopped = false;
    let plan = state.groups.settings.operations_of(&id.key());
    state.groups.begin(id, Kind::Start, plan, &mut state.clock)
}

pub(crate) fn stop(state: &mut State, id: &GroupId) -> Result<Answer, ArmError> {
    state.groups.refuse_transitioning(id, &mut state.clock)?;
    let group = state.groups.get_mut(id)?;
    group.is_stopped = true;
    group.containers.iter_mut().for_each(|container| container.stop(&mut state.clock));
    state.groups.record(How::Stopped, &id.key());
    Ok(Answer::empty(204))
}

/// GET of an operation's URL: a poll.
pub(crate) fn operation(state: &mut State, id: &str, is_result: bool) -> Result<Answer, ArmError> {
    let groups = &mut state.groups;
    let absent = || {
        let message = format!("The operation '{id}' was not found.");
        ArmError::new(404, "OperationNotFound", message)
    };
    let at = groups.operations.iter().position(|one| one.id == id).ok_or_else(absent)?;
    let operation = &groups.operations[at];
    if operation.plan.follow == Follow::Forbidden {
        let action = "Microsoft.ContainerInstance/locations/operations/read";
        let scope = format!("/subscriptions/{}", operation.group.subscription);
        return Err(ArmError::unauthorized(&state.app.client_id, action, &scope));
    }
    if operation.ended.is_none() {
        let group = operation.group.clone();
        groups.look(&group, &mut state.clock);
    }
    let operation = &groups.operations[at];
    if !is_result {
        return Ok(operation.status());
    }
    if operation.ended.is_none() {
        return Ok(operation.announced(Answer::empty(202), &state.arm_url));
    }
    match operation.failure() {
        Some(failure) => Err(failure.clone()),
        None if operation.kind == Kind::Delete => Ok(Answer::empty(204)),
        None => Ok(Answer::json(200, &view::full(groups.get(&operation.group)?))),
    }
}
