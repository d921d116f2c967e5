use super::{OLD, Stage, digest, new_image, operations, refused, told};
use crate::config::Pin;
use crate::ports::Sink as _;
use azure_fake::{Follow, samples};
use fan_in::{Attempt, NoticeKind, Repository, Tag};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_group_is_brought_to_the_pushed_image_by_its_digest() {
    let mut stage = Stage::running(OLD).await;
    let before = stage.fake.group("web").truth();
    stage.deploys("1 container running").await;
    let group = stage.fake.group("web");
    let mut expected = before;
    expected["properties"]["containers"][0]["properties"]["image"] = json!(new_image());
    expected["tags"]["fanin-push"] = json!(digest());
    assert_eq!(group.truth(), expected, "nothing else has changed");
    assert_eq!((group.starts(), stage.puts()), (2, 1));
}

#[tokio::test]
async fn an_operation_is_followed_wherever_azure_tells_of_it() {
    for follow in
        [Follow::AsyncOperation, Follow::Location, Follow::Both, Follow::Forbidden, Follow::Nothing]
    {
        let mut stage = Stage::running(OLD).await;
        stage.fake.operations(azure_fake::Operations::by(follow).polls(3).retry_after_s(None));
        stage.deploys("1 container running").await;
        assert_eq!(stage.puts(), 1, "{follow:?}");
    }
}

#[tokio::test]
async fn short_pauses_pass_within_a_step() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().polls(2).retry_after_s(0));
    stage.settings.watch = Duration::ZERO;
    assert_eq!(stage.step().await, told("1 container running", NoticeKind::Deployed));
}

#[tokio::test]
async fn the_status_page_hears_how_it_goes() {
    let mut stage = Stage::running(OLD).await;
    let mut heard = Vec::new();
    while let Attempt::Ongoing { after, progress, result } = stage.step().await {
        heard.push(result.unwrap());
        stage.story.claim.progress = progress;
        stage.now = stage.now + after;
    }
    let [begun, running, looks @ ..] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(begun, "the update has begun");
    assert!(running.starts_with("update running for "), "{running}");
    assert!(!looks.is_empty());
    for look in looks {
        assert!(look.starts_with("updated; 1 container running, looked at for "), "{look}");
        assert!(look.ends_with(" of 30 s"), "{look}");
    }
}

#[tokio::test]
async fn what_runs_already_is_not_written_and_not_started_anew() {
    let mut stage = Stage::running(&new_image()).await;
    let result = format!("nothing to change: already runs {}", new_image());
    stage.deploys(&result).await;
    assert_eq!((stage.puts(), stage.fake.group("web").starts()), (0, 1));
}

#[tokio::test]
async fn a_tag_that_moved_is_deployed_again_and_one_that_did_not_is_not() {
    let mut stage = Stage::running(OLD).await;
    stage.settings.pin = Pin::Tag;
    stage.deploys("1 container running").await;
    let image = "myregistry.azurecr.io/hello-world:v1";
    assert_eq!(stage.history()[1].images, [image]);
    assert_eq!(stage.history()[1].push, Some(digest()));
    stage.story.claim.attempt = 1;
    stage.deploys(&format!("nothing to change: already runs {image}")).await;
    let other = format!("sha256:{}", "a1".repeat(32));
    stage.story.push.image.digest = Some(fan_in::Digest::parse(&other).unwrap());
    stage.deploys("1 container running").await;
    assert_eq!(stage.history()[2].push, Some(other));
    assert_eq!(stage.puts(), 2);
}

#[tokio::test]
async fn an_image_of_docker_hub_is_deployed_by_tag_once_for_each_time_it_is_pushed() {
    let mut stage = Stage::running("nginx:1.26").await;
    let image = &mut stage.story.push.image;
    image.registry = Some(fan_in::Registry::docker_hub());
    image.repository = Repository::parse("library/nginx").unwrap();
    (image.tag, image.digest) = (Some(Tag::parse("1.27").unwrap()), None);
    stage.story.push.origin.event_id = "1417566161".into();
    stage.deploys("1 container running").await;
    assert_eq!(stage.history()[1].images, ["nginx:1.27"]);
    assert_eq!(stage.history()[1].push.as_deref(), Some("1417566161"));
    stage.story.claim.attempt = 1;
    stage.deploys("nothing to change: already runs docker.io/library/nginx:1.27").await;
    stage.story.push.origin.event_id = "1417569999".into();
    stage.deploys("1 container running").await;
    assert_eq!(stage.puts(), 2);
}

#[tokio::test]
async fn only_the_containers_of_the_repository_are_changed() {
    let mut group = samples::group("web", OLD);
    let properties = &mut group["properties"];
    properties["containers"].as_array_mut().unwrap().extend([
        samples::container("side", "mcr.microsoft.com/oss/side:1"),
        samples::container(
            "twin",
            &format!("MyRegistry.azurecr.io/hello-world@sha256:{}", "1".repeat(64)),
        ),
    ]);
    properties["initContainers"] =
        json!([{ "name": "init", "properties": { "image": "myregistry.azurecr.io/hello-world" } }]);
    let mut stage = Stage::with(group).await;
    stage.deploys("3 containers running").await;
    let image = new_image();
    assert_eq!(stage.history()[1].images, [&image, "mcr.microsoft.com/oss/side:1", &image]);
    let init =
        &stage.fake.group("web").truth()["properties"]["initContainers"][0]["properties"]["image"];
    assert_eq!(*init, json!(image));
}

#[tokio::test]
async fn a_group_with_secrets_is_refused_and_left_alone() {
    let mut stage = Stage::with(samples::group_with_secrets("web", OLD)).await;
    let before = stage.fake.group("web").truth();
    let Attempt::Hopeless { error } = stage.play().await else { panic!("not refused") };
    for place in [
        "imageRegistryCredentials[contoso.azurecr.io].password",
        "containers[web].environmentVariables[API_KEY]",
        "volumes[share].azureFile.storageAccountKey",
        "volumes[certificates].secret",
        "diagnostics.logAnalytics.workspaceKey",
        "extensions[kube-proxy].protectedSettings, and 3 more (see log)",
    ] {
        assert!(error.contains(place), "{place}: {error}");
    }
    assert_eq!(stage.fake.group("web").truth(), before);
    assert_eq!(stage.puts(), 0);
}

#[tokio::test]
async fn an_overlay_brings_back_what_azure_keeps_to_itself() {
    let stage = Stage::with(samples::group_with_secrets("web", OLD)).await;
    let mut expected = stage.fake.group("web").truth();
    let secret = samples::SECRET;
    let given = json!({"properties": {
        "imageRegistryCredentials": [{"server": "contoso.azurecr.io", "password": secret}],
        "containers": [{"name": "web", "properties": {
            "environmentVariables": [{"name": "API_KEY", "secureValue": secret}],
        }}],
        "volumes": [
            {"name": "share", "azureFile": {"storageAccountKey": secret}},
            {"name": "certificates", "secret": {"tls.key": "Z3JvdXAtc2VjcmV0LWNhbmFyeQ=="}},
        ],
        "diagnostics": {"logAnalytics": {
            "workspaceKey": secret, "logType": "ContainerInsights", "metadata": {"team": "shop"},
            "workspaceResourceId": null,
        }},
        "extensions": [{"name": "kube-proxy", "properties": {"protectedSettings": {"kubeConfig": secret}}}],
    }});
    let mut stage = stage.overlaid(given, &[secret]);
    stage.deploys("1 container running").await;
    expected["properties"]["containers"][0]["properties"]["image"] = json!(new_image());
    expected["tags"]["fanin-push"] = json!(digest());
    assert_eq!(stage.fake.group("web").truth(), expected, "every secret is what it was");
}

#[tokio::test]
async fn references_and_identities_can_be_read_back_and_need_no_overlay() {
    let mut group = samples::group("web", OLD);
    let identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull";
    group["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": {identity: {}}});
    group["properties"]["imageRegistryCredentials"] =
        json!([{"server": "myregistry.azurecr.io", "identity": identity}]);
    group["properties"]["containers"][0]["properties"]["environmentVariables"] =
        json!([{"name": "KEY", "secureValueReference": "kv"}]);
    let mut stage = Stage::with(group).await;
    stage.deploys("1 container running").await;
    let truth = stage.fake.group("web").truth();
    assert_eq!(truth["identity"]["userAssignedIdentities"], json!({identity: {}}));
}

#[tokio::test]
async fn a_new_address_is_told() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.change_ip_on_update();
    let ip = |stage: &Stage| {
        stage.fake.group("web").view()["properties"]["ipAddress"]["ip"].as_str().unwrap().to_owned()
    };
    let before = ip(&stage);
    let attempt = stage.play().await;
    let after = ip(&stage);
    assert_ne!(before, after);
    let result =
        format!("1 container running; IP changed from {before} to {after}; the DNS name is kept");
    assert_eq!(attempt, told(&result, NoticeKind::Deployed));
}

#[tokio::test]
async fn somebody_elses_update_is_waited_for() {
    let mut stage = Stage::running(OLD).await;
    let group = stage.fake.group("web");
    group.operations(operations().endless());
    group.begin_foreign_operation();
    let (error, after) = refused(stage.play().await);
    assert_eq!(error, "somebody else's change of the container group is under way (Updating)");
    assert_eq!(after, Some(Duration::from_secs(10)));
    assert_eq!(stage.puts(), 0);
    let group = stage.fake.group("web");
    group.operations(operations());
    group.finish();
    stage.deploys("1 container running").await;
}

#[tokio::test]
async fn the_target_is_the_group_and_in_a_patch_the_repository_in_it() {
    let stage = Stage::running(OLD).await;
    let target = stage.sink().target(&stage.story.push.image).unwrap();
    let id = format!(
        "/subscriptions/{}/resourcegroups/rg-tests/providers/microsoft.containerinstance/containergroups/web",
        azure_fake::SUBSCRIPTION
    );
    assert_eq!((target.id, target.part.as_str()), (id, "myregistry.azurecr.io/hello-world"));
    assert!(stage.sink().deploys());
}
