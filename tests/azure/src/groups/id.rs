//! The names of container groups.

use std::fmt;

const PROVIDER: &str = "providers/Microsoft.ContainerInstance/containerGroups";
/// Names of groups and containers are DNS labels.
const LABEL_MAX: usize = 63;

/// Where a container group is. What is compared is the [key](GroupId::key), which has no case.
#[derive(Clone, Debug)]
pub(crate) struct GroupId {
    pub(crate) subscription: String,
    pub(crate) resource_group: String,
    pub(crate) name: String,
}

impl GroupId {
    pub(crate) fn new(subscription: &str, resource_group: &str, name: &str) -> Self {
        let [subscription, resource_group, name] =
            [subscription, resource_group, name].map(str::to_owned);
        Self { subscription, resource_group, name }
    }

    /// Reads a whole id, `/subscriptions/…/containerGroups/web`.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        match parts.as_slice() {
            ["", _, subscription, _, resource_group, _, _, _, name] => {
                Some(Self::new(subscription, resource_group, name))
            }
            _ => None,
        }
    }

    pub(crate) fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// The key of the resource group.
    pub(crate) fn resource_group_key(&self) -> String {
        let Self { subscription, resource_group, .. } = self;
        format!("/subscriptions/{subscription}/resourcegroups/{resource_group}")
            .to_ascii_lowercase()
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription, resource_group, name } = self;
        write!(f, "/subscriptions/{subscription}/resourceGroups/{resource_group}/{PROVIDER}/{name}")
    }
}

/// Lower-case letters, digits and dashes, which do not stand at the ends.
pub(crate) fn is_label(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=LABEL_MAX).contains(&name.len())
        && name.bytes().all(is_inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
