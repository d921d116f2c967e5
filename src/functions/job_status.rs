//! `JobStatus`: an http trigger that asks for no key, since nobody can guess a job's id.

use super::envelope::{http, outputs};
use super::{Handler, Invoked};
use crate::answer::Answer;
use crate::api::{authorize, jobs};
use serde_json::Value;

pub(super) async fn invoke(handler: &Handler, body: &[u8]) -> Invoked {
    let Some(invocation) = http(body) else {
        return Invoked::Done(outputs(
            Some(&Answer::error(400, "not an http invocation of the Functions host")),
            None,
        ));
    };
    let job = invocation.params.get("job").and_then(Value::as_str);
    let answer = match authorize(&invocation.request, handler.config.read_token.as_ref()) {
        Ok(()) => jobs::status(&handler.app, job, &invocation.request).await,
        Err(refusal) => refusal,
    };
    Invoked::Done(outputs(Some(&answer), None))
}
