//! Container groups: `Microsoft.ContainerInstance/containerGroups`.

mod actions;
mod call;
mod checks;
mod containers;
mod document;
mod group;
mod id;
mod immutable;
mod logs;
mod operation;
mod past_arm;
mod quota;
mod settings;
mod store;
mod update;
mod view;

pub(crate) use actions::stop;
pub(crate) use call::Call;
pub use containers::Behaviour;
pub(crate) use group::Group;
pub(crate) use id::GroupId;
pub use operation::{Follow, Operations};
pub(crate) use past_arm::{begin_foreign, place};
pub(crate) use settings::Whom;
pub(crate) use store::Groups;
pub use store::{Change, How};
pub(crate) use view::full as full_view;

use crate::arm_error::ArmError;
use crate::http::{Answer, Request};
use crate::state::State;

/// Does what was asked for.
pub(crate) fn answer(state: &mut State, request: &Request, call: Call) -> Result<Answer, ArmError> {
    match call {
        Call::ResourceGroup(id) => Ok(view::resource_group(&id)),
        Call::List(id) => Ok(view::list(state, &id)),
        Call::Get(id) => view::get(state, &id),
        Call::Put(id) => update::put(state, &id, request.json()),
        Call::Patch(id) => update::patch(state, &id, request.json()),
        Call::Delete(id) => actions::delete(state, &id),
        Call::Restart(id) => actions::restart(state, &id),
        Call::Stop(id) => actions::stop(state, &id),
        Call::Start(id) => actions::start(state, &id),
        Call::Logs { group, container } => logs::logs(state, &group, &container, request),
        Call::Operation { id, is_result, .. } => actions::operation(state, &id, is_result),
    }
}
