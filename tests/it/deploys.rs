//! Container groups, updated by the real binary in the tests' own Azure.

use crate::support::{Receiver, Standalone, acr_push};
use azure_fake::{Change, Fake, Follow, How, Operations, samples};
use serde_json::Value;
use std::path::Path;

const SLACK: &str = r#"
[[sink]]
name = "deployments"
type = "slack"
url = "${SLACK_URL}"
on = ["deployed", "deploy_failed"]
"#;

/// A server that deploys as this file says, and tells Slack.
fn serve(folder: &Path, fake: &Fake, slack: &Receiver, toml: &str) -> Standalone {
    std::fs::write(folder.join("fanin.toml"), format!("{SLACK}{toml}")).unwrap();
    let url = slack.url("/services/T0/B0/x");
    let mut settings = fake.environment();
    settings.extend([
        ("WebhookRegions", "northeurope,westeurope".to_owned()),
        ("FANIN_REGISTRIES", "myregistry.azurecr.io".to_owned()),
        ("FANIN_REPOSITORIES", "shop/*".to_owned()),
        ("FANIN_RETRY", "1s,1s,1s,1s,1s,1s,1s,1s".to_owned()),
        // Short leases, for who takes over from the dead.
        ("FANIN_SINK_TIMEOUT", "4s".to_owned()),
        ("AZURE_SUBSCRIPTION_ID", azure_fake::SUBSCRIPTION.to_owned()),
        ("RESOURCE_GROUP_NAME", azure_fake::RESOURCE_GROUP.to_owned()),
        ("SLACK_URL", url),
    ]);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Standalone::start(folder, &settings)
}

fn update(group: &str, more: &str) -> String {
    format!(
        "[[sink]]\nname = \"{group}\"\ntype = \"aci-update\"\ncontainer_group = \"{group}\"\nwatch = \"0s\"\n{more}\n"
    )
}

fn web(tag: &str, digest: char) -> Value {
    acr_push(tag, "shop/web", tag, digest)
}

fn image(digest: char) -> String {
    format!("myregistry.azurecr.io/shop/web@sha256:{}", digest.to_string().repeat(64))
}

const OLD: &str = "myregistry.azurecr.io/shop/web:v0";

/// What the group's containers were, one after the other.
fn ran(fake: &Fake, group: &str) -> Vec<String> {
    let puts = fake.history(group).into_iter().filter(|change| change.how == How::Put);
    puts.flat_map(|Change { images, .. }| images).collect()
}

async fn completed(server: &Standalone, body: &Value) -> String {
    server.post("northeurope", body).await;
    let last = server.post("westeurope", body).await;
    assert_eq!(last.brief(), (200, "completed".to_owned()));
    last.json()["push"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_runs_the_image_when_it_is_everywhere_and_slack_hears_of_it() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.operations(Operations::by(Follow::Location).polls(3));
    let server = serve(folder.path(), &fake, &slack, &update("web", ""));
    let body = web("v1", 'a');
    server.post("northeurope", &body).await;
    assert_eq!(ran(&fake, "web"), [""; 0], "not before the last region");
    let push = completed(&server, &body).await;
    let text = slack.texts(1).remove(0);
    assert!(
        text.contains(": deployed after ") && text.contains(" by web: 1 container running"),
        "{text}"
    );
    assert_eq!(ran(&fake, "web"), [image('a')]);
    let tag = format!("sha256:{}", "a".repeat(64));
    assert_eq!(fake.history("web").pop().unwrap().push, Some(tag));
    let status = server.get(&format!("/api/status/{push}")).await.json();
    let deliveries = status["deliveries"].as_array().unwrap();
    let of_web = deliveries.iter().find(|delivery| delivery["sink"] == "web").unwrap();
    assert_eq!((&of_web["state"], &of_web["attempts"]), (&"done".into(), &1.into()));
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_region_has_its_group_updated_as_the_image_arrives_there() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let fake = Fake::start().await;
    let ready = |region: &str| {
        fake.place(samples::group(region, OLD));
        update(region, &format!("on = [\"region_ready\"]\nregion = \"{region}\""))
    };
    let toml = ready("northeurope") + &ready("westeurope");
    let server = serve(folder.path(), &fake, &slack, &toml);
    server.post("westeurope", &web("v1", 'a')).await;
    let text = slack.texts(1).remove(0);
    assert!(text.contains(": deployed to westeurope after "), "{text}");
    assert_eq!((ran(&fake, "westeurope").len(), ran(&fake, "northeurope").len()), (1, 0));
    server.post("northeurope", &web("v1", 'a')).await;
    slack.texts(2);
    assert_eq!(ran(&fake, "northeurope"), [image('a')]);
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_push_that_azure_refused_for_a_while_never_goes_over_a_newer_one() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let fake = Fake::start().await;
    let web_group = fake.place(samples::group("web", OLD));
    web_group.begin_foreign_operation();
    let server = serve(folder.path(), &fake, &slack, &update("web", ""));
    let older = completed(&server, &web("v1", 'a')).await;
    fake.until(|fake| fake.requests().iter().any(|seen| seen.path.ends_with("/web"))).await;
    let mut newest = web("v2", 'b');
    newest["timestamp"] = "2026-11-20T10:00:01Z".into();
    completed(&server, &newest).await;
    fake.group("web").finish();
    slack.texts(1);
    let url = format!("/api/status/{older}");
    let result = async {
        loop {
            let status = server.get(&url).await.json();
            let delivery = status["deliveries"][0].clone();
            if delivery["state"] == "done" {
                return delivery["result"].as_str().unwrap().to_owned();
            }
        }
    };
    let result = tokio::time::timeout(crate::support::PATIENCE, result).await.unwrap();
    // Whoever came first after Azure was done: the older one is not there in the end.
    assert_eq!(ran(&fake, "web").pop(), Some(image('b')));
    assert_eq!((result == "superseded", ran(&fake, "web").len() == 1), (true, true), "{result}");
    assert_eq!(fake.group("web").overlaps(), 0);
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_secrets_would_be_lost_is_left_alone_and_slack_hears_which() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let fake = Fake::start().await;
    fake.place(samples::group_with_secrets("web", OLD));
    let server = serve(folder.path(), &fake, &slack, &update("web", ""));
    completed(&server, &web("v1", 'a')).await;
    let text = slack.texts(1).remove(0);
    assert!(text.contains(": deployment failed after ") && text.contains("would lose "), "{text}");
    assert_eq!(ran(&fake, "web"), [""; 0]);
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_azure_works_goes_on_when_it_is_started_again() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    group.operations(Operations::by(Follow::AsyncOperation).retry_after_s(1).endless());
    let toml = update("web", "");
    let server = serve(folder.path(), &fake, &slack, &toml);
    completed(&server, &web("v1", 'a')).await;
    fake.until(|fake| !ran(fake, "web").is_empty()).await;
    server.kill();
    fake.group("web").finish();
    let server = serve(folder.path(), &fake, &slack, &toml);
    let text = slack.texts(1).remove(0);
    assert!(text.contains(": deployed after "), "{text}");
    assert_eq!(ran(&fake, "web"), [image('a')], "written once");
    assert!(server.terminate().success());
}
