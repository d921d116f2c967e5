use super::{OLD, Stage, hopeless, new_image, operations, refused};
use azure_fake::{Answer, Fault, samples};
use fan_in::{Action, Attempt, Registry};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn azure_hears_nothing_of_an_image_that_may_not_run() {
    let mut stage = Stage::running(OLD).await;
    stage.story.push.image.action = Action::Delete;
    assert_eq!(hopeless(stage.play().await), "a delete brings no image that could run");
    stage.story.push.image.action = Action::Push;
    stage.story.push.image.registry = Some(Registry::parse("evil.azurecr.io").unwrap());
    let error = hopeless(stage.play().await);
    assert_eq!(error, "the image's registry is not in FANIN_REGISTRIES");
    assert_eq!((stage.fake.requests().len(), stage.fake.sign_ins()), (0, 0));
}

#[tokio::test]
async fn a_group_that_runs_something_else_is_named_with_what_it_runs() {
    let mut stage = Stage::running("mcr.microsoft.com/other:1").await;
    let expected = "nothing to change: no container of the group runs \
                    myregistry.azurecr.io/hello-world; it has web (mcr.microsoft.com/other:1)";
    let result = Some(expected.to_owned());
    assert_eq!(stage.play().await, Attempt::Accepted { result, tells: None });
    assert_eq!(stage.puts(), 0);
}

#[tokio::test]
async fn an_image_that_the_replica_lacks_is_tried_again() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.image_missing(&new_image(), 2);
    for _ in 0..2 {
        let (error, _) = refused(stage.play().await);
        assert!(error.starts_with("Azure cannot pull the image: the replica"), "{error}");
        assert!(error.contains("InaccessibleImage"), "{error}");
    }
    stage.deploys("1 container running").await;
}

#[tokio::test]
async fn an_operation_that_fails_is_tried_again_or_not_by_its_code() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().failing("InaccessibleImage", "not accessible"));
    let (error, _) = refused(stage.play().await);
    assert!(error.contains("InaccessibleImage: not accessible"), "{error}");
    stage.fake.operations(operations().failing("InvalidSomething", "no such thing"));
    let error = hopeless(stage.play().await);
    assert_eq!(error, "Azure refuses it (InvalidSomething: no such thing)");
    stage.fake.operations(operations());
    stage.deploys("1 container running").await;
    assert_eq!(stage.puts(), 3, "a failed update is made again although the image is there");
}

#[tokio::test]
async fn a_failure_that_only_the_group_shows_is_tried_again() {
    let mut stage = Stage::running(OLD).await;
    let unseen = azure_fake::Operations::by(azure_fake::Follow::Nothing).retry_after_s(None);
    stage.fake.operations(unseen.failing("InaccessibleImage", "not accessible"));
    let (error, _) = refused(stage.play().await);
    assert_eq!(error, "Azure could not bring the container group up");
}

#[tokio::test]
async fn a_group_that_is_stopped_or_over_says_what_to_do() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.group("web").stop();
    let error = hopeless(stage.play().await);
    assert!(error.starts_with("the container group is stopped"), "{error}");
    let mut group = samples::group("web", OLD);
    group["properties"]["restartPolicy"] = json!("Never");
    let mut stage = Stage::empty(crate::config::How::Patch { overlay: None }).await;
    stage.fake.containers_behave(azure_fake::Behaviour::exits(0, 0));
    stage.fake.place(group);
    let error = hopeless(stage.play().await);
    assert!(error.starts_with("the container group has ended (Succeeded)"), "{error}");
    assert_eq!(stage.puts(), 0);
}

#[tokio::test]
async fn azures_wish_for_a_pause_is_passed_on() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.throttle(1, 17);
    let (error, after) = refused(stage.play().await);
    assert!(error.starts_with("Azure asks us to slow down (HTTP 429: TooManyRequests"), "{error}");
    assert_eq!(after, Some(Duration::from_secs(17)));
    stage.fake.next("PUT", "web", Fault::Throttled { retry_after_s: 70 });
    assert_eq!(refused(stage.play().await).1, Some(Duration::from_secs(70)));
    stage.deploys("1 container running").await;
}

#[tokio::test]
async fn the_action_that_is_not_allowed_is_named() {
    for word in ["read", "write"] {
        let mut stage = Stage::running(OLD).await;
        let action = format!("Microsoft.ContainerInstance/containerGroups/{word}");
        stage.fake.deny(&action);
        let error = hopeless(stage.play().await);
        let expected = format!(
            "our identity may not do {action}: give it a role with this action on the resource group"
        );
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn of_a_linked_resource_the_action_that_is_missing_is_named() {
    let mut stage = Stage::running(OLD).await;
    let message = "The client has permission to perform action 'Microsoft.ContainerInstance/containerGroups/write' \
                   on scope '/x'; however, it does not have permission to perform action \
                   'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action' on the linked scope(s) '/y'.";
    let body = json!({"error": {"code": "LinkedAuthorizationFailed", "message": message}});
    stage.fake.next("PUT", "web", Fault::Instead(Answer::json(403, &body)));
    let error = hopeless(stage.play().await);
    let action = "may not do Microsoft.ManagedIdentity/userAssignedIdentities/assign/action:";
    assert!(error.contains(action), "{error}");
}

#[tokio::test]
async fn what_azure_says_back_of_our_secrets_is_not_kept() {
    let overlay = json!({"properties": {"containers": [
        {"name": "web", "properties": {"environmentVariables": [{"name": "K", "secureValue": "s3cret-one"}]}},
    ]}});
    let mut stage = Stage::running(OLD).await.overlaid(overlay, &["s3cret-two"]);
    let message = "bad value s3cret-one or s3cret-two\r\nsee https://portal.example/?s3cret";
    let body = json!({"error": {"code": "Bad", "message": message}});
    stage.fake.next("PUT", "web", Fault::Instead(Answer::json(400, &body)));
    let error = hopeless(stage.play().await);
    let expected = "Azure refuses it (HTTP 400: Bad: bad value [secret] or [secret] see [url])";
    assert_eq!(error, expected);
}

#[tokio::test]
async fn an_update_that_never_ends_is_given_up_after_half_an_hour() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().endless());
    let begun = stage.now;
    let (error, _) = refused(stage.play().await);
    assert!(error.starts_with("Azure is not done with the update after 30 m"), "{error}");
    assert!(stage.now.since(begun) < Duration::from_secs(1_900));
    assert!(matches!(stage.step().await, Attempt::Ongoing { .. }), "it is found again");
    assert_eq!(stage.puts(), 1);
}
