use super::{OLD, Stage, told};
use azure_fake::{Behaviour, Fault, samples};
use fan_in::NoticeKind;
use serde_json::json;

async fn behaving(behaviour: Behaviour) -> Stage {
    let stage = Stage::running(OLD).await;
    stage.fake.containers_behave(behaviour);
    stage
}

#[tokio::test]
async fn a_crash_loop_is_a_failed_deployment() {
    let mut stage = behaving(Behaviour::exits(1, 1)).await;
    let attempt = stage.play().await;
    assert_eq!(attempt, told("web restarts (once, exit code 1)", NoticeKind::DeployFailed));
    assert_eq!(stage.puts(), 1, "and is not tried again by itself");
}

#[tokio::test]
async fn restarts_that_nobody_sees_happen_are_counted() {
    let mut stage = behaving(Behaviour::restarts_unseen(137, 1)).await;
    let attempt = stage.play().await;
    let expected = "web restarts (3 times, exit code 137)";
    assert_eq!(attempt, told(expected, NoticeKind::DeployFailed));
}

#[tokio::test]
async fn a_slow_start_is_no_failure() {
    let mut stage = behaving(Behaviour::runs().after_waiting(2)).await;
    stage.deploys("1 container running").await;
}

#[tokio::test]
async fn a_container_that_never_starts_is_a_failed_deployment() {
    let mut stage = behaving(Behaviour::runs().after_waiting(u32::MAX)).await;
    assert_eq!(stage.play().await, told("web waits", NoticeKind::DeployFailed));
}

async fn ending(policy: &str, code: i32) -> Stage {
    let mut group = samples::group("web", OLD);
    group["properties"]["restartPolicy"] = json!(policy);
    let stage = Stage::with(group).await;
    stage.fake.containers_behave(Behaviour::exits(code, 1));
    stage
}

#[tokio::test]
async fn a_container_that_may_end_is_judged_by_its_exit_code() {
    for policy in ["Never", "OnFailure"] {
        let mut stage = ending(policy, 0).await;
        stage.deploys("1 container ended with exit code 0").await;
    }
    let mut stage = ending("Never", 3).await;
    let attempt = stage.play().await;
    assert_eq!(attempt, told("web ended with exit code 3", NoticeKind::DeployFailed));
    let mut stage = ending("OnFailure", 3).await;
    let attempt = stage.play().await;
    assert_eq!(attempt, told("web restarts (once, exit code 3)", NoticeKind::DeployFailed));
}

#[tokio::test]
async fn an_outage_while_the_containers_are_watched_is_no_failure() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(super::operations().polls(0));
    let fan_in::Attempt::Ongoing { progress, after, .. } = stage.step().await else {
        panic!("over")
    };
    stage.story.claim.progress = progress;
    stage.now = stage.now + after;
    stage.fake.next("GET", "containerGroups/web", Fault::Status(503));
    let fan_in::Attempt::Ongoing { progress, result, .. } = stage.step().await else {
        panic!("over")
    };
    let result = result.unwrap();
    assert!(result.starts_with("updated; Azure is in trouble (HTTP 503"), "{result}");
    stage.story.claim.progress = progress;
    assert!(matches!(stage.step().await, fan_in::Attempt::Ongoing { .. }));
}
