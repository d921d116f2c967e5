//! What can be lacking: the image in a replica, quota, room in a location.

use serde_json::Value;

use super::document::{all_containers, image, location_key};
use super::{GroupId, Groups};
use crate::arm_error::ArmError;

/// Refuses the first image that cannot be pulled yet.
pub(crate) fn images(groups: &mut Groups, id: &GroupId, document: &Value) -> Result<(), ArmError> {
    for image in all_containers(document).map(image) {
        let missing = groups.settings.missing_images.iter_mut();
        let Some(missing) = missing.filter(|one| one.times > 0).find(|one| one.image == image)
        else {
            continue;
        };
        if missing.times < u32::MAX {
            missing.times -= 1;
        }
        let message = format!(
            "The image '{image}' in container group '{}' is not accessible. Please check the image and registry \
             credential.",
            id.name
        );
        return Err(ArmError::bad_request("InaccessibleImage", message));
    }
    Ok(())
}

/// Refuses a group too many.
pub(crate) fn groups(groups: &Groups, id: &GroupId, location: &str) -> Result<(), ArmError> {
    let Some(max) = groups.settings.groups_max else { return Ok(()) };
    if groups.all.contains_key(&id.key()) || groups.all.len() < max {
        return Ok(());
    }
    let usage = groups.all.len();
    let message = format!(
        "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' \
         exceeded in region '{location}'. Limit: '{max}', Usage: '{usage}' Requested: '1'."
    );
    Err(ArmError::new(409, "ContainerGroupQuotaReached", message))
}

/// Refuses what a location has no room for.
pub(crate) fn room(groups: &mut Groups, location: &str) -> Result<(), ArmError> {
    let left = groups.settings.full_locations.get_mut(&location_key(location));
    let Some(left) = left.filter(|left| **left > 0) else { return Ok(()) };
    if *left < u32::MAX {
        *left -= 1;
    }
    let message = format!(
        "The requested resource is not available in the location '{location}' at this moment. Please retry with a \
         different resource request or in another location. Resource requested: '1' CPU '1.5' GB memory 'Linux' OS"
    );
    Err(ArmError::new(409, "ServiceUnavailable", message))
}
