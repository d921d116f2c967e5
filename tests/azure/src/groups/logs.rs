//! `GET …/containers/{container}/logs`.

use serde_json::json;

use super::GroupId;
use super::containers::Phase;
use crate::arm_error::ArmError;
use crate::http::{Answer, Request};
use crate::state::State;

const RUNNING_MAX_BYTES: usize = 4 * 1024 * 1024;
const ENDED_MAX_BYTES: usize = 16 * 1024;
const ENDED_MAX_LINES: usize = 1000;

pub(crate) fn logs(
    state: &State,
    id: &GroupId,
    name: &str,
    request: &Request,
) -> Result<Answer, ArmError> {
    let group = state.groups.get(id)?;
    let container = group.containers.iter().find(|one| one.name.eq_ignore_ascii_case(name));
    let is_named = super::document::containers(&group.document)
        .any(|one| super::document::name(one).eq_ignore_ascii_case(name));
    if !is_named {
        let message =
            format!("The container '{name}' in container group '{}' was not found.", id.name);
        return Err(ArmError::new(404, "ContainerNotFound", message));
    }
    let Some(container) = container.filter(|container| container.phase != Phase::Waiting) else {
        let message = format!(
            "Log of container '{name}' in container group '{}' is not available yet. Please check container \
             'InstanceView' for more information or retry later.",
            id.name
        );
        return Err(ArmError::new(404, "ContainerLogNotAvailable", message));
    };
    let is_ended = group.is_stopped || matches!(container.phase, Phase::Ended { .. });
    let mut log = container.log();
    if is_ended {
        log = last_bytes(last_lines(log, ENDED_MAX_LINES), ENDED_MAX_BYTES);
    }
    let log = last_bytes(log, RUNNING_MAX_BYTES);
    let tail = request.query("tail").and_then(|tail| tail.parse().ok());
    let log = tail.map_or(log, |tail| last_lines(log, tail));
    Ok(Answer::json(200, &json!({ "content": log })))
}

fn last_lines(text: &str, lines: usize) -> &str {
    let starts = text.split_inclusive('\n').rev().take(lines).map(str::len);
    &text[text.len() - starts.sum::<usize>()..]
}

/// No more than so many bytes, cut where a character begins.
fn last_bytes(text: &str, bytes: usize) -> &str {
    let mut at = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}
