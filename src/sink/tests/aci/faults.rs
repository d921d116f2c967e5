use super::{OLD, Stage, operations, refused, told};
use azure_fake::{Fault, Follow, Operations};
use fan_in::{Attempt, NoticeKind};
use std::time::Duration;

const GROUP: &str = "containerGroups/web";

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found_and_not_repeated() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().polls(3));
    stage.fake.next("PUT", GROUP, Fault::AcceptThenReset);
    assert!(matches!(stage.play().await, Attempt::Unknown { .. }));
    stage.story.claim.repeat = true;
    stage.deploys("1 container running").await;
    assert_eq!(stage.puts(), 1);
}

#[tokio::test]
async fn a_write_that_was_done_by_the_time_it_is_looked_for_is_watched_all_the_same() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(Operations::by(Follow::Nothing).polls(0));
    stage.fake.containers_behave(azure_fake::Behaviour::exits(1, 0));
    stage.fake.next("PUT", GROUP, Fault::AcceptThenReset);
    assert!(matches!(stage.play().await, Attempt::Unknown { .. }));
    let attempt = stage.play().await;
    let Attempt::Accepted { result: Some(result), tells } = attempt else { panic!("{attempt:?}") };
    assert!(result.starts_with("web restarts"), "{result}");
    assert_eq!((tells, stage.puts()), (Some(NoticeKind::DeployFailed), 1));
}

#[tokio::test]
async fn a_write_that_never_came_to_be_is_made() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.next("PUT", GROUP, Fault::Reset);
    assert!(matches!(stage.play().await, Attempt::Unknown { .. }));
    stage.deploys("1 container running").await;
    assert_eq!(stage.puts(), 1);
}

#[tokio::test]
async fn a_gateway_that_gives_up_on_a_write_leaves_it_unknown() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.next("PUT", GROUP, Fault::Status(504));
    assert!(matches!(stage.play().await, Attempt::Unknown { .. }));
    stage.fake.next("PUT", GROUP, Fault::Status(503));
    let (error, _) = refused(stage.play().await);
    assert!(error.starts_with("Azure is in trouble (HTTP 503"), "{error}");
}

#[tokio::test]
async fn steps_that_are_lost_at_any_point_do_no_harm() {
    // Every step is made twice by two processes of which the first dies with what it knew.
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().polls(4));
    loop {
        let lost = stage.step().await;
        stage.story.claim.attempt += 1;
        stage.story.claim.repeat = true;
        let attempt = stage.step().await;
        match attempt {
            Attempt::Ongoing { after, progress, .. } => {
                assert!(matches!(lost, Attempt::Ongoing { .. }), "{lost:?}");
                stage.story.claim.progress = progress;
                stage.now = stage.now + after;
            }
            attempt => {
                assert_eq!(attempt, told("1 container running", NoticeKind::Deployed));
                break;
            }
        }
    }
    assert_eq!((stage.puts(), stage.fake.group("web").overlaps()), (1, 0));
    assert_eq!(stage.fake.group("web").starts(), 2);
}

#[tokio::test]
async fn questions_that_are_not_answered_do_not_end_a_deployment() {
    let mut stage = Stage::running(OLD).await;
    stage.fake.operations(operations().polls(2));
    for fault in [Fault::Reset, Fault::Status(500), Fault::Throttled { retry_after_s: 30 }] {
        stage.fake.next("GET", "/operations/", fault);
    }
    stage.deploys("1 container running").await;
    assert_eq!(stage.puts(), 1);
}

#[tokio::test]
async fn a_step_ends_in_time_whatever_azure_does() {
    let mut stage = Stage::running(OLD).await;
    assert!(matches!(stage.step().await, Attempt::Ongoing { .. }), "signed in by now");
    stage.fake.group("web").finish();
    stage.fake.place(azure_fake::samples::group("web", OLD));
    stage.step = Duration::from_secs(1);
    stage.fake.next("GET", GROUP, Fault::Hang);
    assert_eq!(refused(stage.step().await).0, "Azure did not answer in time");
    stage.step = Duration::from_secs(2);
    stage.fake.next("PUT", GROUP, Fault::AcceptThenHang);
    let attempt = stage.step().await;
    let expected = Attempt::Unknown { error: "Azure did not answer in time".to_owned() };
    assert_eq!(attempt, expected);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let mut stage = Stage::running(OLD).await;
    assert!(matches!(stage.step().await, Attempt::Ongoing { .. }));
    assert_eq!(stage.fake.sign_ins(), 1);
    stage.fake.expire_tokens();
    stage.deploys("1 container running").await;
    assert_eq!(stage.fake.sign_ins(), 2, "and the new one is kept");
}

#[tokio::test]
async fn without_a_token_it_is_tried_again() {
    let mut stage = Stage::running(OLD).await;
    let wrong = azure_fake::Answer::json(
        401,
        &serde_json::json!({
            "error": "invalid_client", "error_codes": [7_000_215],
            "error_description": "AADSTS7000215: Invalid client secret provided.",
        }),
    );
    stage.fake.next_sign_in(Fault::Instead(wrong));
    let (error, _) = refused(stage.play().await);
    assert!(
        error.starts_with("no token for Azure: ") && error.contains("AADSTS7000215"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
    stage.deploys("1 container running").await;
}
