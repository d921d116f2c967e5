//! Ticks, and runs that are started through the admin API.

use functions_host::json::Json;

use crate::compare::{assert_answer, assert_calls};
use crate::fake::{FakeHandler, ready};
use crate::over_http::send;
use crate::recording::{Recording, folder};
use crate::{app_with, until};

async fn fake() -> FakeHandler {
    let handler = FakeHandler::start().await;
    handler.answer(ready());
    handler
}

/// The schedule that the note of a recording speaks of.
fn schedule(recording: &Recording) -> &'static str {
    match recording.text("note").split([',', ':']).next() {
        Some("schedule */15 s") => "*/15 * * * * *",
        Some("schedule of one minute") => "0 * * * * *",
        note => panic!("{}: {note:?}", recording.name),
    }
}

#[tokio::test]
async fn ticks_reach_the_handler_as_recorded() {
    let handler = fake().await;
    for recording in folder("timer") {
        let host = app_with(handler.address).setting("SCHEDULE", schedule(&recording));
        let host = host.start().await.unwrap();
        // The first tick of all is another one, and was not recorded.
        host.tick("FanInTimer").await.unwrap();
        handler.calls();
        host.tick("FanInTimer").await.unwrap();
        assert_calls(&recording.name, &recording.calls(), &handler.calls());
    }
}

#[tokio::test]
async fn the_first_tick_of_a_monitored_timer_has_never_run_before() {
    let handler = fake().await;
    let host = app_with(handler.address).setting("SCHEDULE", "0 * * * * *");
    host.start().await.unwrap().tick("FanInTimer").await.unwrap();
    let call = Json::parse(&handler.calls()[0].body).unwrap();
    let timer = call.get("Data").and_then(|data| data.get("timer"));
    let status = timer.and_then(|timer| timer.get("ScheduleStatus"));
    let last = status.and_then(|status| status.get("Last"));
    assert_eq!(last.and_then(Json::as_str), Some("0001-01-01T00:00:00+00:00"));
}

#[tokio::test]
async fn runs_by_the_admin_api_go_as_recorded() {
    let handler = fake().await;
    let host = app_with(handler.address).start().await.unwrap();
    for recording in folder("admin") {
        // The note reads: POST /admin/functions/… with '…'
        let (line, body) = recording.text("note").split_once(" with ").unwrap();
        let headers = ["Content-Type: application/json".to_owned()];
        let body = body.trim_matches('\'').as_bytes();
        let answer = send(host.address(), line, &headers, "content-length", body).await.unwrap();
        assert_answer(&recording.name, &recording.host_answered(), &answer);
        let calls = recording.calls();
        until(&recording.name, || handler.has_calls(calls.len())).await;
        assert_calls(&recording.name, &calls, &handler.calls());
    }
}
