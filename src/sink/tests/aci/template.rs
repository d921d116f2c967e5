use super::{OLD, Stage, digest, hopeless, new_image, operations, refused};
use crate::config::{Document, How};
use crate::ports::Sink as _;
use crate::secret::Secret;
use azure_fake::samples;
use serde_json::{Value, json};

const SECRET: &str = "template-canary";

fn document() -> Value {
    let mut group = samples::group("ignored", "${image}");
    group["tags"] = json!({"team": "shop"});
    group["properties"]["imageRegistryCredentials"] =
        json!([{"server": "myregistry.azurecr.io", "username": "u", "password": SECRET}]);
    group
}

fn template(document: Value) -> How {
    How::Template(Document::new(document, vec![Secret::new(SECRET)]))
}

#[tokio::test]
async fn a_template_replaces_the_whole_group_but_for_its_tags() {
    let mut stage = Stage::running(OLD).await;
    stage.settings.how = template(document());
    stage.deploys("1 container running").await;
    let truth = stage.fake.group("web").truth();
    assert_eq!(truth["properties"]["containers"][0]["name"], "ignored");
    assert_eq!(truth["properties"]["containers"][0]["properties"]["image"], new_image());
    assert_eq!(truth["properties"]["imageRegistryCredentials"][0]["password"], SECRET);
    let tags = truth["tags"].as_object().unwrap();
    assert_eq!((&tags["owner"], &tags["team"]), (&json!("tests"), &json!("shop")));
    assert_eq!(tags["fanin-push"], digest());
    assert_eq!(tags.len(), 4);
    stage.story.claim.attempt = 1;
    stage.deploys(&format!("nothing to change: already runs {}", new_image())).await;
    assert_eq!(stage.puts(), 1);
}

#[tokio::test]
async fn an_edited_template_is_applied_with_the_same_push() {
    let mut stage = Stage::running(OLD).await;
    stage.settings.how = template(document());
    stage.deploys("1 container running").await;
    let mut edited = document();
    edited["properties"]["containers"][0]["properties"]["command"] = json!(["serve"]);
    stage.settings.how = template(edited);
    stage.story.claim.attempt = 1;
    stage.deploys("1 container running").await;
    let truth = stage.fake.group("web").truth();
    assert_eq!(truth["properties"]["containers"][0]["properties"]["command"], json!(["serve"]));
    assert_eq!(stage.puts(), 2);
}

#[tokio::test]
async fn an_absent_group_is_made_only_where_the_settings_say_so() {
    let mut stage = Stage::empty(template(document())).await;
    let error = hopeless(stage.play().await);
    assert_eq!(error, "the container group does not exist; make it, or set create = true");
    assert!(!stage.fake.group("web").exists());
    stage.settings.create = true;
    stage.deploys("1 container running").await;
    assert_eq!(stage.history()[0].images, [new_image()]);
}

#[tokio::test]
async fn quota_and_room_may_be_there_another_time() {
    let mut stage = Stage::empty(template(document())).await;
    stage.settings.create = true;
    stage.fake.quota(0);
    let (error, _) = refused(stage.play().await);
    assert!(error.starts_with("a quota of the subscription is used up"), "{error}");
    stage.fake.quota(1);
    stage.fake.no_room("westeurope", 1);
    let (error, _) = refused(stage.play().await);
    assert!(error.starts_with("Azure has no room for it in this location"), "{error}");
    stage.deploys("1 container running").await;
}

#[tokio::test]
async fn what_a_group_keeps_for_life_is_named_and_not_tried_again() {
    let mut stage = Stage::running(OLD).await;
    let mut larger = document();
    larger["properties"]["containers"][0]["properties"]["resources"]["requests"]["cpu"] =
        json!(4.0);
    stage.settings.how = template(larger);
    let error = hopeless(stage.play().await);
    assert!(error.starts_with("Azure cannot change this in a group that exists"), "{error}");
    assert!(error.contains("Cpu"), "{error}");
}

#[tokio::test]
async fn a_group_that_is_gone_in_the_middle_is_told() {
    let mut stage = Stage::running(OLD).await;
    stage.settings.how = template(document());
    stage.fake.operations(operations().polls(0));
    let fan_in::Attempt::Ongoing { progress, .. } = stage.step().await else { panic!("over") };
    stage.story.claim.progress = progress;
    stage.fake.group("web").finish();
    stage.fake.group("web").remove();
    let mut attempt = stage.step().await;
    while let fan_in::Attempt::Ongoing { progress, after, .. } = attempt {
        stage.story.claim.progress = progress;
        stage.now = stage.now + after;
        attempt = stage.step().await;
    }
    let expected = super::told("the container group was deleted", fan_in::NoticeKind::DeployFailed);
    assert_eq!(attempt, expected);
}

#[tokio::test]
async fn the_target_of_a_template_is_the_whole_group() {
    let mut stage = Stage::empty(template(document())).await;
    stage.settings.container_group = "Web".into();
    let target = stage.sink().target(&stage.story.push.image).unwrap();
    assert!(target.id.ends_with("/containergroups/web") && target.part.is_empty());
    let shown = format!("{:?} {:?}", stage.sink(), stage.settings);
    assert!(!shown.contains(SECRET), "{shown}");
}
