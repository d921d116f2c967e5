//! Jobs end to end, standalone: the real binary, and an Azure of the tests' own.

use crate::support::{Answer, PATIENCE, Receiver, Standalone, acr_push};
use azure_fake::{Behaviour, Change, Fake, Fault, How, RESOURCE_GROUP, SUBSCRIPTION};
use serde_json::{Value, json};
use std::path::Path;

/// In the environment of every container; it must never be seen anywhere else.
const API_KEY: &str = "canary-api-key";

/// Two definitions, a sink for one of them, and a Slack that hears of jobs.
const FILE: &str = r#"
[[job]]
name = "report"
image = "contoso.azurecr.io/tools/report:1"
command = ["report"]
environment = { API_KEY = "${API_KEY}" }
ttl = "0s"
allow_args = true

[[job]]
name = "migrate"
image = "${image}"
location = "northeurope"
identity = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull"
ttl = "0s"

[[sink]]
name = "migrate"
type = "aci-job"
job = "migrate"

[[sink]]
name = "slack"
type = "slack"
url = "${JOBS_SLACK}"
on = ["job_succeeded", "job_failed"]
"#;

/// The settings of a program that runs jobs in this Azure and tells this Slack; its file is written into the folder.
pub(crate) fn settings(
    folder: &Path,
    azure: &Fake,
    slack: &Receiver,
) -> Vec<(&'static str, String)> {
    let path = folder.join("fanin.toml");
    std::fs::write(&path, FILE).unwrap();
    let mut settings = azure.environment();
    settings.extend([
        ("FANIN_CONFIG", path.to_str().unwrap().to_owned()),
        ("FANIN_REGISTRIES", "myregistry.azurecr.io".to_owned()),
        ("FANIN_REPOSITORIES", "team/*".to_owned()),
        ("FANIN_SINK_TIMEOUT", "5s".to_owned()),
        ("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION.to_owned()),
        ("RESOURCE_GROUP_NAME", RESOURCE_GROUP.to_owned()),
        ("API_KEY", API_KEY.to_owned()),
        ("JOBS_SLACK", slack.url("/jobs")),
    ]);
    settings
}

/// What was put into Azure: the only change of the only group that ever was.
pub(crate) fn only_put(azure: &Fake) -> (String, Value) {
    let requests = azure.requests();
    let puts: Vec<_> = requests.iter().filter(|r| r.method == "PUT").collect();
    assert_eq!(puts.len(), 1, "{puts:#?}");
    let name = puts[0].path.rsplit('/').next().unwrap().to_owned();
    (name, puts[0].body.clone().unwrap())
}

pub(crate) fn changes(azure: &Fake, group: &str) -> Vec<How> {
    azure.history(group).iter().map(|change: &Change| change.how).collect()
}

pub(crate) fn is_deleted(azure: &Fake) -> bool {
    let requests = azure.requests();
    requests.iter().any(|r| r.method == "DELETE" && r.status.is_some()) && azure.groups().is_empty()
}

async fn within<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(PATIENCE, what).await.unwrap()
}

/// A server with everything around it.
struct Stage {
    azure: Fake,
    slack: Receiver,
    server: Standalone,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(other: &[(&'static str, &'static str)]) -> Self {
        let (folder, azure, slack) =
            (tempfile::tempdir().unwrap(), Fake::start().await, Receiver::start());
        let settings = settings(folder.path(), &azure, &slack);
        let mut settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.push(("WebhookRegions", "westeurope"));
        settings.extend(other);
        let server = Standalone::start(folder.path(), &settings);
        Self { azure, slack, server, _folder: folder }
    }

    async fn ask(&self, key: Option<&str>, body: &Value) -> Answer {
        let request = reqwest::Client::new().post(self.server.url("/api/jobs")).json(body);
        Answer::of(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// The job's status when it is no longer under way.
    async fn end(&self, status: &str) -> Answer {
        let asked = async {
            loop {
                let answer = self.server.get(status).await;
                if answer.status != 202 {
                    return answer;
                }
                // Something has to happen in Azure first.
                let seen = self.azure.requests().len();
                self.azure.until(|azure| azure.requests().len() > seen).await;
            }
        };
        within(asked).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_asked_for_runs_once_and_its_log_outlives_its_container() {
    let stage = Stage::start().await;
    stage.azure.image_behaves("report", Behaviour::exits(0, 1).logs("all is well\n"));
    let body = json!({ "job": "report", "args": ["--for", "ü"] });
    let asked = stage.ask(Some("build-1"), &body).await;
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let status = format!("/api/jobs/{id}");
    assert_eq!((asked.status, &asked.headers["location"]), (202, &status));
    assert_eq!(asked.json(), json!({ "id": id, "status": status }));
    assert_eq!(stage.ask(Some("build-1"), &body).await.json()["id"], json!(id));
    assert_eq!(stage.ask(Some("build-1"), &json!({})).await.status, 422);

    let done = stage.end(&status).await;
    assert_eq!(done.status, 200);
    let shown = json!({ "state": "succeeded", "exitCode": 0, "logs": "all is well\n" });
    assert_eq!(done.json(), shown);
    assert_eq!(done.headers["cache-control"], "no-store");
    within(stage.azure.until(is_deleted)).await;
    assert_eq!(stage.server.get(&status).await.json(), shown);

    let (group, document) = only_put(&stage.azure);
    assert_eq!(changes(&stage.azure, &group), [How::Put, How::Deleted]);
    assert!(group.starts_with("fanin-") && !group.contains(&id[..6]), "{group} {id}");
    let container = &document["properties"]["containers"][0]["properties"];
    assert_eq!(document["location"], "westeurope", "where the resource group is");
    assert_eq!(container["image"], "contoso.azurecr.io/tools/report:1");
    assert_eq!(container["command"], json!(["report", "--for", "ü"]));
    assert_eq!(container["environmentVariables"][0]["secureValue"], API_KEY);
    assert!(stage.server.logs.all().iter().all(|line| !line.contains(API_KEY)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_starts_its_job_and_slack_hears_how_it_ended() {
    let stage = Stage::start().await;
    stage.azure.image_behaves("team/app", Behaviour::exits(3, 1).logs("no such table\n"));
    let pushed = stage.server.post("westeurope", &acr_push("1", "team/app", "v1", 'a')).await;
    assert_eq!(pushed.status, 200);
    within(stage.azure.until(is_deleted)).await;
    let texts = stage.slack.texts(1);
    assert!(texts[0].contains("job failed after "), "{texts:?}");
    assert!(texts[0].ends_with(" by migrate: exit code 3"), "{texts:?}");
    let (group, document) = only_put(&stage.azure);
    assert_eq!(changes(&stage.azure, &group), [How::Put, How::Deleted]);
    let container = &document["properties"]["containers"][0]["properties"];
    let image = format!("myregistry.azurecr.io/team/app@sha256:{}", "a".repeat(64));
    assert_eq!(container["image"], image);
    assert_eq!(document["location"], "northeurope");
    let credentials = &document["properties"]["imageRegistryCredentials"];
    assert_eq!(credentials[0]["server"], "myregistry.azurecr.io");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_azure_that_is_lost_starts_no_second_container() {
    // It is looked for after four times that.
    let stage = Stage::start_with(&[("FANIN_SINK_TIMEOUT", "2s")]).await;
    stage.azure.image_behaves("report", Behaviour::exits(0, 1));
    stage.azure.next("PUT", "fanin-", Fault::AcceptThenReset);
    let asked = stage.ask(None, &json!({})).await;
    assert_eq!(stage.end(&asked.headers["location"]).await.status, 200);
    within(stage.azure.until(is_deleted)).await;
    let (group, _) = only_put(&stage.azure);
    assert_eq!(changes(&stage.azure, &group), [How::Put, How::Deleted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named() {
    let stage = Stage::start().await;
    stage.azure.deny("Microsoft.ContainerInstance/containerGroups/write");
    let asked = stage.ask(None, &json!({ "job": "report" })).await;
    let failed = stage.end(&asked.headers["location"]).await;
    let body = failed.json();
    assert_eq!((failed.status, &body["state"]), (500, &json!("failed")));
    assert_eq!((&body["exitCode"], &body["logs"]), (&Value::Null, &Value::Null));
    let error = body["error"].as_str().unwrap();
    assert!(error.contains("Microsoft.ContainerInstance/containerGroups/write"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_for_is_refused() {
    let stage = Stage::start().await;
    for (body, status) in [
        (json!({ "job": "nothing" }), 404),
        (json!({ "job": "migrate" }), 400),
        (json!({ "job": "migrate", "args": ["x"] }), 400),
        (json!({ "image": "evil:1" }), 400),
        (json!([]), 400),
        (json!({ "args": ["x".repeat(20_000)] }), 413),
    ] {
        let answer = stage.ask(None, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        assert!(answer.json()["error"].is_string(), "{}", answer.text);
    }
    assert_eq!(stage.ask(Some("ü"), &json!({})).await.status, 400);
    let unknown = format!("/api/jobs/{}", "0".repeat(32));
    for path in ["/api/jobs", "/api/jobs/", "/api/jobs/x", "/api/jobs/x/y", &unknown] {
        assert_eq!(stage.server.get(path).await.status, 404, "{path}");
    }
    let client = reqwest::Client::new();
    let page = client.post(stage.server.url("/api/jobs")).header("Origin", "https://a.example");
    assert_eq!(Answer::of(page).await.status, 403, "no page in a browser starts a job");
    let put = Answer::of(client.put(stage.server.url("/api/jobs"))).await;
    assert_eq!((put.status, put.headers["allow"].as_str()), (405, "POST"));
    let delete = Answer::of(client.delete(stage.server.url(&unknown))).await;
    assert_eq!((delete.status, delete.headers["allow"].as_str()), (405, "GET, HEAD"));
    assert!(stage.azure.requests().is_empty());
}

#[tokio::test]
async fn without_definitions_there_are_no_jobs_and_the_token_guards_them_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("WebhookRegions", "westeurope"), ("FANIN_READ_TOKEN", "t0ken-of-readers")];
    let server = Standalone::start(folder.path(), &settings);
    let client = reqwest::Client::new();
    let (jobs, one) = (server.url("/api/jobs"), server.url("/api/jobs/x"));
    for request in [client.post(&jobs), client.get(&one)] {
        assert_eq!(Answer::of(request).await.status, 401);
    }
    for request in [client.post(&jobs), client.get(&one)] {
        let request = request.bearer_auth("t0ken-of-readers");
        assert_eq!(Answer::of(request).await.status, 404);
    }
}
