//! What tests and others than the caller do to groups, without a request of his.

use serde_json::Value;

use super::document::accepted;
use super::operation::Kind;
use super::store::How;
use super::update::address;
use super::{Group, GroupId, checks};
use crate::arm_error::ArmError;
use crate::state::State;

/// Puts a group in place whose containers have started.
pub(crate) fn place(state: &mut State, id: &GroupId, body: Value) -> Result<(), ArmError> {
    let document = accepted(id, Some(body))?;
    checks::check(id, &document)?;
    let key = id.key();
    state.groups.all.insert(key.clone(), Group::new(id.clone(), document));
    address(state, id)?;
    let groups = &mut state.groups;
    if let Some(group) = groups.all.get_mut(&key) {
        group.start(&groups.settings, &mut state.clock);
    }
    groups.record(How::Placed, &key);
    Ok(())
}

/// Begins an operation that starts the containers of a group anew.
pub(crate) fn begin_foreign(state: &mut State, id: &GroupId) -> Result<(), ArmError> {
    let plan = state.groups.settings.operations_of(&id.key());
    let at = state.groups.begin(id, Kind::Update, plan, &mut state.clock)?;
    state.groups.operations[at].is_foreign = true;
    Ok(())
}
