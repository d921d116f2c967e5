//! What can be asked of container groups, and the right that it takes.

use super::GroupId;

#[derive(Debug)]
pub(crate) enum Call {
    ResourceGroup(GroupId),
    List(GroupId),
    Get(GroupId),
    Put(GroupId),
    Patch(GroupId),
    Delete(GroupId),
    Restart(GroupId),
    Stop(GroupId),
    Start(GroupId),
    Logs { group: GroupId, container: String },
    Operation { subscription: String, id: String, is_result: bool },
}

impl Call {
    pub(crate) fn group(&self) -> Option<&GroupId> {
        match self {
            Self::ResourceGroup(id)
            | Self::List(id)
            | Self::Get(id)
            | Self::Put(id)
            | Self::Patch(id)
            | Self::Delete(id)
            | Self::Restart(id)
            | Self::Stop(id)
            | Self::Start(id)
            | Self::Logs { group: id, .. } => Some(id),
            Self::Operation { .. } => None,
        }
    }

    /// The name of the right, as roles have it.
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::ResourceGroup(_) => "Microsoft.Resources/subscriptions/resourceGroups/read",
            Self::List(_) | Self::Get(_) => "Microsoft.ContainerInstance/containerGroups/read",
            Self::Put(_) | Self::Patch(_) => "Microsoft.ContainerInstance/containerGroups/write",
            Self::Delete(_) => "Microsoft.ContainerInstance/containerGroups/delete",
            Self::Restart(_) => "Microsoft.ContainerInstance/containerGroups/restart/action",
            Self::Stop(_) => "Microsoft.ContainerInstance/containerGroups/stop/action",
            Self::Start(_) => "Microsoft.ContainerInstance/containerGroups/start/action",
            Self::Logs { .. } => "Microsoft.ContainerInstance/containerGroups/containers/logs/read",
            Self::Operation { .. } => "Microsoft.ContainerInstance/locations/operations/read",
        }
    }

    /// Over what the right is needed.
    pub(crate) fn scope(&self) -> String {
        match self {
            Self::Operation { subscription, .. } => format!("/subscriptions/{subscription}"),
            _ => self.group().map(GroupId::to_string).unwrap_or_default(),
        }
    }
}
