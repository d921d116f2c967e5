//! Jobs behind the Functions host.

use super::{Running, Stage};
use crate::standalone_jobs::{changes, is_deleted, only_put, settings};
use crate::support::{Answer, PATIENCE, Receiver, acr_push};
use azure_fake::{Behaviour, Fake, How};
use functions_host::wire::{self, Head};
use serde_json::{Value, json};
use watched::READ_TOKEN;

/// A host whose handler runs jobs in this Azure.
struct Yard {
    azure: Fake,
    slack: Receiver,
    stage: Stage,
    running: Running,
    _folder: tempfile::TempDir,
}

impl Yard {
    async fn start() -> Self {
        let (folder, azure, slack) =
            (tempfile::tempdir().unwrap(), Fake::start().await, Receiver::start());
        let mut stage = Stage::new("westeurope").without_slack();
        for (name, value) in settings(folder.path(), &azure, &slack) {
            stage = stage.with(name, value);
        }
        let running = stage.start().await;
        Self { azure, slack, stage, running, _folder: folder }
    }

    async fn ask(&self, body: &Value) -> Answer {
        Answer::of(self.running.request("POST", "/api/jobs").json(body)).await
    }

    /// Somebody asks who has no key.
    async fn look(&self, status: &str) -> Answer {
        Answer::of(reqwest::Client::new().get(self.running.host.url(status))).await
    }

    /// Ticks and messages until it is so.
    async fn pump_until(&self, holds: impl Fn(&Self) -> bool) {
        let pumped = async {
            while !holds(self) {
                self.running.tick().await;
                self.running.drain().await;
            }
        };
        tokio::time::timeout(PATIENCE, pumped).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_through_the_queue_and_whoever_knows_its_id_may_look() {
    let yard = Yard::start().await;
    yard.azure.image_behaves("report", Behaviour::exits(0, 1).logs("done\n"));
    let asked = yard.ask(&json!({ "job": "report", "args": ["x"] })).await;
    let (id, status) = (asked.json()["id"].clone(), asked.headers["location"].clone());
    assert_eq!(asked.status, 202);
    let bell = json!({ "job": id }).to_string();
    assert_eq!(yard.running.messages().await, std::slice::from_ref(&bell));
    let queued = yard.look(&status).await;
    assert_eq!((queued.status, queued.json()["state"].as_str()), (202, Some("queued")));
    assert!(yard.azure.requests().is_empty(), "nothing is done before the message");
    // The queue gives the message more than once.
    for _ in 0..3 {
        yard.running.put(&bell).await;
    }
    assert_eq!(yard.running.drain().await, 4);
    let running = yard.look(&status).await;
    assert_eq!((running.status, running.json()["state"].as_str()), (202, Some("running")));

    yard.pump_until(|yard| is_deleted(&yard.azure)).await;
    let done = yard.look(&status).await;
    assert_eq!(done.status, 200);
    assert_eq!(done.json(), json!({ "state": "succeeded", "exitCode": 0, "logs": "done\n" }));
    let (group, _) = only_put(&yard.azure);
    assert_eq!(changes(&yard.azure, &group), [How::Put, How::Deleted]);
    yard.stage.assert_nothing_is_left(&yard.running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_push_survives_a_handler_that_is_killed() {
    let yard = Yard::start().await;
    yard.azure.image_behaves("team/app", Behaviour::exits(0, 1));
    let pushed = yard.running.post("westeurope", &acr_push("1", "team/app", "v1", 'a')).await;
    assert_eq!(pushed.status, 200);
    yard.running.drain().await;
    yard.running.host.restart_handler().await;
    yard.pump_until(|yard| is_deleted(&yard.azure) && !yard.slack.got.all().is_empty()).await;
    let texts = yard.slack.texts(1);
    assert!(texts.len() == 1 && texts[0].ends_with(" by migrate: exit code 0"), "{texts:?}");
    let (group, _) = only_put(&yard.azure);
    assert_eq!(changes(&yard.azure, &group), [How::Put, How::Deleted]);
    yard.stage.assert_nothing_is_left(&yard.running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_job_needs_a_key_and_a_body_that_comes_through() {
    let yard = Yard::start().await;
    let client = reqwest::Client::new();
    let keyless = client.post(yard.running.host.url("/api/jobs")).json(&json!({}));
    assert_eq!(Answer::of(keyless).await.status, 401);
    for (body, status) in
        [(json!({ "job": "nothing" }), 404), (json!({ "job": "migrate" }), 400), (json!(7), 400)]
    {
        assert_eq!(yard.ask(&body).await.status, status, "{body}");
    }
    // The host drops the body of a chunked request: the first job is not what was asked for.
    let address = yard.running.host.url("").trim_start_matches("http://").parse().unwrap();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let head = Head {
        first: "POST /api/jobs HTTP/1.1".to_owned(),
        headers: vec![
            header("Host", "127.0.0.1"),
            header("x-functions-key", super::KEY),
            header("Authorization", &format!("Bearer {READ_TOKEN}")),
            header("Content-Type", "application/json"),
            header("Transfer-Encoding", "chunked"),
        ],
    };
    let chunked = wire::exchange(address, &head, br#"{"job":"nothing"}"#).await.unwrap();
    assert_eq!(chunked.head.status(), Some(400));
    for path in ["/api/jobs", "/api/jobs/x"] {
        assert_eq!(yard.look(path).await.status, 404, "{path}");
    }
    assert_eq!(yard.running.messages().await, [""; 0]);
    assert!(yard.azure.requests().is_empty());
}
