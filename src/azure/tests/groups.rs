use super::{application, groups, soon};
use crate::azure::group::{Group, State};
use crate::azure::{ArmError, ContainerGroups, Operation, Progress, Started, Until};
use azure_fake::{Answer, Behaviour, Fake, Fault, Follow, Operations, samples};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const IMAGE: &str = "contoso.azurecr.io/shop/job:v1";

async fn stage() -> (Fake, ContainerGroups) {
    let fake = Fake::start().await;
    fake.operations(Operations::by(Follow::AsyncOperation).polls(2).retry_after_s(3));
    let groups = groups(&fake, application());
    (fake, groups)
}

async fn put(groups: &ContainerGroups) -> Started {
    groups.put("job-1", &samples::job("job-1", IMAGE), soon()).await.unwrap()
}

/// Polls until it is over.
async fn done(groups: &ContainerGroups, operation: &mut Operation) -> Result<usize, ArmError> {
    for polls in 1..20 {
        match groups.poll("job-1", operation, soon()).await? {
            Progress::Running { .. } => {}
            Progress::Done => return Ok(polls),
            Progress::Failed(error) => return Err(error),
        }
    }
    panic!("it never ends");
}

async fn shown(groups: &ContainerGroups) -> Value {
    groups.get("job-1", soon()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_job_is_made_looked_at_read_and_deleted() {
    let (fake, groups) = stage().await;
    fake.containers_behave(Behaviour::exits(3, 1).logs("one\ntwo\nthree\n"));
    assert_eq!(groups.get("job-1", soon()).await, Ok(None));
    let mut started = put(&groups).await;
    assert_eq!(started.after, Duration::from_secs(3));
    assert!(matches!(started.operation, Operation::Status(_)));
    assert_eq!(done(&groups, &mut started.operation).await, Ok(3));
    let document = shown(&groups).await;
    let group = Group::new(&document);
    assert_eq!((group.state(), group.restart_policy()), ("Running", "Never"));
    let document = shown(&groups).await;
    let group = Group::new(&document);
    let container = group.containers().next().unwrap();
    assert_eq!((container.name, container.image), ("job", IMAGE));
    assert_eq!(container.state, State::Terminated(Some(3)));
    assert_eq!((group.provisioning(), group.state()), ("Succeeded", "Failed"));
    let logs = groups.logs("job-1", "job", 2, soon()).await.unwrap();
    assert_eq!(logs.as_deref(), Some("two\nthree\n"));
    assert_eq!(groups.delete("job-1", soon()).await, Ok(()));
    assert!(!fake.group("job-1").exists());
    assert_eq!(groups.delete("job-1", soon()).await, Ok(()), "and once more");
}

#[tokio::test]
async fn a_container_that_waits_has_no_logs_yet() {
    let (fake, groups) = stage().await;
    fake.containers_behave(Behaviour::runs().after_waiting(u32::MAX));
    fake.place(samples::job("job-1", IMAGE));
    assert_eq!(groups.logs("job-1", "job", 10, soon()).await, Ok(None));
    fake.deny("Microsoft.ContainerInstance/containerGroups/containers/logs/read");
    let refused = groups.logs("job-1", "job", 10, soon()).await;
    let Err(ArmError::GiveUp(said)) = refused else { panic!("{refused:?}") };
    assert!(said.contains("containers/logs/read"), "{said}");
}

#[tokio::test]
async fn an_operation_ends_as_it_ends_however_it_is_followed() {
    for follow in
        [Follow::AsyncOperation, Follow::Location, Follow::Both, Follow::Forbidden, Follow::Nothing]
    {
        let (fake, groups) = stage().await;
        let plan = Operations::by(follow).polls(2);
        fake.operations(plan.clone());
        let mut operation = put(&groups).await.operation;
        assert!(done(&groups, &mut operation).await.is_ok(), "{follow:?}");
        fake.group("job-1").remove();
        fake.operations(plan.failing("InaccessibleImage", "not accessible"));
        let mut operation = put(&groups).await.operation;
        let failed = done(&groups, &mut operation).await;
        assert!(matches!(failed, Err(ArmError::Later { .. })), "{follow:?}: {failed:?}");
        assert!(shown(&groups).await["properties"]["provisioningState"] == "Failed");
    }
}

#[tokio::test]
async fn an_address_that_we_may_not_read_is_asked_once() {
    let (fake, groups) = stage().await;
    fake.operations(Operations::by(Follow::Forbidden).polls(3));
    let mut operation = put(&groups).await.operation;
    assert!(done(&groups, &mut operation).await.is_ok());
    assert_eq!(operation, Operation::Resource);
    let asked = fake.requests();
    assert_eq!(asked.iter().filter(|seen| seen.path.contains("/operations/")).count(), 1);
}

#[tokio::test]
async fn our_token_goes_nowhere_but_to_resource_manager() {
    let (fake, groups) = stage().await;
    let elsewhere = Fake::start().await;
    let url = format!("{}/subscriptions/x", elsewhere.arm_url());
    for header in ["Azure-AsyncOperation", "Location"] {
        let answer = Answer::json(201, &json!({})).header(header, url.clone());
        fake.next("PUT", "job-1", Fault::Instead(answer));
        assert_eq!(put(&groups).await.operation, Operation::Resource, "{header}");
    }
    fake.place(samples::job("job-1", IMAGE));
    for mut operation in [Operation::Status(url.clone()), Operation::Location(url)] {
        assert_eq!(
            done(&groups, &mut operation).await,
            Ok(1),
            "as another process may have kept it"
        );
    }
    let moved = Answer::empty(307).header("Location", elsewhere.arm_url());
    fake.next("GET", "job-1", Fault::Instead(moved));
    assert!(matches!(groups.get("job-1", soon()).await, Err(ArmError::GiveUp(_))));
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_write_that_comes_too_late_is_not_sent() {
    let (fake, groups) = stage().await;
    let now = Instant::now();
    let until = Until { send: now, answer: now + Duration::from_secs(20) };
    let late = groups.put("job-1", &samples::job("job-1", IMAGE), until).await;
    assert!(matches!(late, Err(ArmError::Later { .. })), "{late:?}");
    assert_eq!(fake.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_asked_for_again() {
    let (fake, groups) = stage().await;
    let page = |status| Fault::Instead(Answer::text(status, "text/html", "<html>proxy</html>"));
    fake.next("GET", "job-1", page(200));
    let unread = groups.get("job-1", soon()).await;
    assert!(matches!(unread, Err(ArmError::Later { .. })), "{unread:?}");
    for nothing in [Answer::empty(200), Answer::json(200, &json!([]))] {
        fake.next("GET", "job-1", Fault::Instead(nothing));
        let unread = groups.get("job-1", soon()).await.unwrap_err();
        assert_eq!(unread.to_string(), "Azure's answer is no container group");
    }
    fake.next("GET", "job-1", page(502));
    let gateway = groups.get("job-1", soon()).await.unwrap_err();
    assert_eq!(gateway.to_string(), "Azure is in trouble (HTTP 502)");
    let long = Answer::json(200, &json!({ "x": "y".repeat(crate::limits::ARM_ANSWER_MAX) }));
    fake.next("GET", "job-1", Fault::Instead(long));
    let long = groups.get("job-1", soon()).await.unwrap_err();
    assert_eq!(long.to_string(), "Azure's answer cannot be read: the answer is too long");
    fake.next("PUT", "job-1", page(201));
    assert_eq!(put(&groups).await.operation, Operation::Resource, "the status says enough");
}

#[tokio::test]
async fn nobody_there_is_nothing_done() {
    let (fake, groups) = stage().await;
    drop(fake);
    let lost = groups.put("job-1", &json!({}), soon()).await.unwrap_err();
    assert!(matches!(&lost, ArmError::Later { .. }), "{lost:?}");
}

#[tokio::test]
async fn a_resource_group_says_where_it_is() {
    let (fake, groups) = stage().await;
    let body = json!({"id": "x", "location": "westeurope"});
    fake.next("GET", "/resourcegroups/rg-tests", Fault::Instead(Answer::json(200, &body)));
    assert_eq!(groups.location(soon()).await.as_deref(), Ok("westeurope"));
    let asked = fake.requests().pop().unwrap();
    assert_eq!(
        asked.path,
        format!("/subscriptions/{}/resourceGroups/rg-tests", azure_fake::SUBSCRIPTION)
    );
}

#[tokio::test]
async fn names_cannot_break_out_of_their_place_in_the_address() {
    let (fake, groups) = stage().await;
    let refused = groups.get("../x?y=1#z/%2e%2e", soon()).await;
    assert!(refused.is_err() || refused == Ok(None));
    let path = fake.requests().pop().unwrap().path;
    assert!(
        path.starts_with("/subscriptions/") && path.contains("/containerGroups/..%2Fx%3Fy=1%23z"),
        "{path}"
    );
    assert!(groups.id("WEB").ends_with("/microsoft.containerinstance/containergroups/web"));
}
