//! `/api/jobs`: a job is asked for, and how it goes with it. What may run stands in the settings alone.

use crate::answer::{Answer, Request};
use crate::app::jobs::{Refusal, Wish};
use crate::app::{App, Bell, Bells};
use crate::limits::{
    ARG_MAX, ARGS_MAX, IDEMPOTENCY_KEY_MAX, JOB_BODY_MAX, RETRY_AFTER_SECONDS, STORAGE_WITHIN,
};
use crate::ports::{JobId, StoreError};
use crate::store::{Job, JobState};
use serde::Deserialize;
use serde_json::json;

/// The body of a request; all of it may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    job: Option<String>,
    #[serde(default)]
    args: Vec<String>,
}

/// The answer to who asks for a job, and who is to begin it.
#[derive(Debug)]
pub struct Asked {
    pub answer: Answer,
    pub bells: Bells,
}

/// Answers a POST to `/api/jobs`.
pub async fn begin(app: &App, request: &Request) -> Asked {
    let (answer, bells) = match wish(request) {
        Err(refusal) => (refusal, Bells::new()),
        Ok(wish) => match begin_one(app, wish).await {
            Ok(id) => (accepted(id), vec![Bell::Job(id)]),
            Err(refusal) => (refused(&refusal), Bells::new()),
        },
    };
    Asked { answer: answer.with_header("Cache-Control", "no-store"), bells }
}

fn wish(request: &Request) -> Result<Wish, Answer> {
    if request.method != "POST" {
        let answer = match request.method.as_str() {
            "GET" | "HEAD" => Answer::error(404, "how a job goes is at /api/jobs/ and its id"),
            _ => Answer::error(405, "a job is asked for with POST").with_header("Allow", "POST"),
        };
        return Err(answer);
    }
    if request.body_bytes > JOB_BODY_MAX {
        return Err(Answer::error(413, "the body is larger than 16 KiB"));
    }
    let idempotency_key = request.header("idempotency-key").map(str::to_owned);
    if idempotency_key.as_ref().is_some_and(|key| !is_key(key)) {
        let sentence = "Idempotency-Key: not 1 to 255 visible characters of ASCII";
        return Err(Answer::error(400, sentence));
    }
    let Body { job, args } = match &request.body {
        Some(body) => serde_json::from_slice(body).map_err(|_| malformed())?,
        // The Functions host drops such a body, and the first job is not what its sender meant.
        None if request.header("transfer-encoding").is_some() => {
            let sentence = "the body did not come through; send it with a Content-Length";
            return Err(Answer::error(400, sentence));
        }
        None => Body::default(),
    };
    if args.len() > ARGS_MAX || args.iter().any(|arg| arg.len() > ARG_MAX || arg.contains('\0')) {
        let sentence = "args: more than 64, or one of more than 4 KiB or with a NUL";
        return Err(Answer::error(400, sentence));
    }
    Ok(Wish { definition: job, args, idempotency_key })
}

fn is_key(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
}

fn malformed() -> Answer {
    Answer::error(400, r#"the body is not JSON such as {"job":"name","args":["one"]}"#)
}

async fn begin_one(app: &App, wish: Wish) -> Result<JobId, Refusal> {
    let jobs = app.jobs().ok_or(Refusal::NoDefinitions)?;
    let begun = tokio::time::timeout(STORAGE_WITHIN, jobs.begin(wish)).await;
    begun.unwrap_or_else(|_| {
        let slow = StoreError::Unavailable("no answer in time".to_owned());
        Err(Refusal::Store(slow))
    })
}

fn accepted(id: JobId) -> Answer {
    let status = format!("/api/jobs/{id}");
    let body = json!({ "id": id.to_string(), "status": status });
    Answer::json(202, body).with_header("Location", status)
}

fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::NoDefinitions | Refusal::Unknown => 404,
        Refusal::NeedsPush | Refusal::TakesNoArgs => 400,
        Refusal::KeyOfAnother => 422,
        Refusal::Store(error) => return unavailable(error),
    };
    Answer::error(status, &refusal.to_string())
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!(%error, "the store does not do what jobs need");
    let answer = Answer::error(503, "the store is away at present; ask again");
    answer.with_header("Retry-After", RETRY_AFTER_SECONDS.to_string())
}

/// Answers a GET to `/api/jobs/{job}`; whoever knows the id may.
pub async fn status(app: &App, id: Option<&str>, request: &Request) -> Answer {
    let answer = if request.method == "GET" || request.method == "HEAD" {
        by_id(app, id).await.unwrap_or_else(|refusal| refusal)
    } else {
        Answer::error(405, "how a job goes is read with GET").with_header("Allow", "GET, HEAD")
    };
    answer.with_header("Cache-Control", "no-store")
}

async fn by_id(app: &App, id: Option<&str>) -> Result<Answer, Answer> {
    let unknown = || Answer::error(404, "no job with this id is kept");
    let id = id.and_then(JobId::parse).ok_or_else(unknown)?;
    let jobs = app.jobs().ok_or_else(unknown)?;
    let found = jobs.find(id).await.map_err(|error| unavailable(&error))?;
    let (job, log) = found.ok_or_else(unknown)?;
    Ok(shown(&job, log.as_deref()))
}

fn shown(job: &Job, log: Option<&str>) -> Answer {
    let (status, state) = match job.state {
        JobState::Queued | JobState::Starting => (202, "queued"),
        JobState::Running => (202, "running"),
        JobState::Succeeded => (200, "succeeded"),
        JobState::Failed => (500, "failed"),
    };
    let mut body = json!({ "state": state, "exitCode": job.exit_code, "logs": log });
    if let Some(error) = &job.error {
        body["error"] = json!(error);
    }
    Answer::json(status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, headers: &[(&str, &str)], body: Option<&str>) -> Result<Wish, u16> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let body = body.map(|body| body.as_bytes().to_vec());
        let body_bytes = body.as_ref().map_or(0, Vec::len);
        let method = method.to_owned();
        let request = Request { method, headers, body, body_bytes, ..Request::default() };
        wish(&request).map_err(|answer| answer.status)
    }

    fn body(text: &str) -> Result<Wish, u16> {
        asked("POST", &[], Some(text))
    }

    #[test]
    fn a_body_names_a_job_and_its_arguments_or_neither() {
        assert_eq!(asked("POST", &[], None), Ok(Wish::default()));
        assert_eq!(body("{}"), Ok(Wish::default()));
        assert_eq!(body(r#"{"job":null,"args":[]}"#), Ok(Wish::default()));
        let full = body(r#"{"job":"migrate","args":["a","ü"]}"#).unwrap();
        assert_eq!(full.definition.as_deref(), Some("migrate"));
        assert_eq!(full.args, ["a", "ü"]);
        for odd in [
            " ",
            "7",
            "null",
            "[]",
            "{",
            r#"{"jobs":"x"}"#,
            r#"{"job":7}"#,
            r#"{"args":"x"}"#,
            r#"{"args":[7]}"#,
            r#"{"args":["\u0000"]}"#,
            r#"{"job":"a","job":"b"}"#,
        ] {
            assert_eq!(body(odd), Err(400), "{odd}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let args = |count: usize, length: usize| {
            body(&json!({ "args": vec!["x".repeat(length); count] }).to_string())
        };
        assert!(args(64, 1).is_ok() && args(1, 4_096).is_ok());
        assert_eq!((args(65, 1), args(1, 4_097)), (Err(400), Err(400)));
        assert_eq!(args(5, 4_000), Err(413));
    }

    #[test]
    fn a_body_that_the_host_has_dropped_is_not_taken_for_none() {
        assert_eq!(asked("POST", &[("Transfer-Encoding", "chunked")], None), Err(400));
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        let key = |text: &str| {
            asked("POST", &[("idempotency-key", text)], None).map(|wish| wish.idempotency_key)
        };
        let long = "k".repeat(255);
        for good in ["1", "\"a-b\"", &long] {
            assert_eq!(key(good), Ok(Some(good.to_owned())));
        }
        for bad in ["", "a b", "ü", "a\u{7f}", &format!("{long}k")] {
            assert_eq!(key(bad), Err(400), "{bad}");
        }
    }

    #[test]
    fn other_methods_are_refused() {
        assert_eq!(asked("GET", &[], None), Err(404));
        for method in ["PUT", "DELETE", "OPTIONS"] {
            assert_eq!(asked(method, &[], None), Err(405), "{method}");
        }
    }
}
