//! This room against a fake Azure.

mod credential;
mod failure;
mod groups;

use super::credential::Credential;
use super::{Arm, ContainerGroups, Until};
use crate::config::{Azure, Identity};
use crate::secret::Secret;
use azure_fake::Fake;
use std::time::Duration;
use tokio::time::Instant;

fn application() -> Identity {
    Identity::ClientSecret {
        tenant_id: azure_fake::TENANT_ID.to_owned(),
        client_id: azure_fake::CLIENT_ID.to_owned(),
        secret: Secret::new(azure_fake::CLIENT_SECRET),
    }
}

fn settings(fake: &Fake, identity: Identity) -> Azure {
    Azure {
        identity,
        subscription_id: None,
        resource_group: None,
        resource_manager: Some(fake.arm_url().parse().unwrap()),
        authority_host: Some(fake.authority_url().parse().unwrap()),
    }
}

fn groups_of(arm: Arm) -> ContainerGroups {
    let (subscription, group) = (azure_fake::SUBSCRIPTION, azure_fake::RESOURCE_GROUP);
    ContainerGroups::new(arm, subscription.to_owned(), group.to_owned())
}

fn groups(fake: &Fake, identity: Identity) -> ContainerGroups {
    groups_of(Arm::new(&settings(fake, identity)).unwrap())
}

fn soon() -> Until {
    Until::answer(Instant::now() + Duration::from_secs(20))
}
