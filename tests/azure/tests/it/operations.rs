//! Long-running operations in all the ways in which they can be followed.

use crate::client::{Arm, Received};
use azure_fake::{Fake, Follow, Operations, samples};
use serde_json::Value;

const OLD: &str = "contoso.azurecr.io/shop/web@sha256:aaaa";
const NEW: &str = "contoso.azurecr.io/shop/web@sha256:bbbb";

/// A fake whose operations go like this, and the answer to an update in it.
async fn update(operations: Operations) -> (Fake, Arm, Received) {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.operations(operations);
    let arm = Arm::new(&fake);
    let answer = arm.put("web", &samples::group("web", NEW)).await;
    (fake, arm, answer)
}

fn state(received: &Received) -> &Value {
    &received.body["properties"]["provisioningState"]
}

#[tokio::test]
async fn an_azure_async_operation_has_a_document_with_its_status() {
    let plan = Operations::by(Follow::AsyncOperation).polls(2).retry_after_s(7);
    let (_fake, arm, answer) = update(plan).await;
    let url = answer.header("azure-asyncoperation").unwrap();
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("location"), None);
    for status in ["InProgress", "InProgress", "Succeeded", "Succeeded"] {
        let polled = arm.at("GET", url, "").await.unwrap();
        assert_eq!((polled.status, &polled.body["status"]), (200, &Value::from(status)));
    }
    assert_eq!(state(&arm.get("web").await), "Succeeded");
}

#[tokio::test]
async fn a_location_is_accepted_until_it_is_the_group() {
    let plan = Operations::by(Follow::Location).polls(1).retry_after_s(None);
    let (_fake, arm, answer) = update(plan).await;
    let url = answer.header("location").unwrap();
    assert_eq!((answer.header("retry-after"), answer.header("azure-asyncoperation")), (None, None));
    let polled = arm.at("GET", url, "").await.unwrap();
    assert_eq!((polled.status, polled.header("location")), (202, Some(url)));
    let polled = arm.at("GET", url, "").await.unwrap();
    assert_eq!((polled.status, state(&polled)), (200, &Value::from("Succeeded")));
}

#[tokio::test]
async fn an_operation_that_may_not_be_read_is_seen_in_its_group() {
    let (_fake, arm, answer) = update(Operations::by(Follow::Forbidden).polls(1)).await;
    let url = answer.header("azure-asyncoperation").unwrap();
    for _ in 0..3 {
        let refused = arm.at("GET", url, "").await.unwrap();
        assert_eq!((refused.status, refused.code()), (403, "AuthorizationFailed"));
        let action = "Microsoft.ContainerInstance/locations/operations/read";
        assert!(refused.message().contains(action), "{}", refused.message());
    }
    assert_eq!(state(&arm.get("web").await), "Updating");
    assert_eq!(state(&arm.get("web").await), "Succeeded");
}

#[tokio::test]
async fn an_operation_without_headers_is_seen_in_its_group() {
    let (_fake, arm, answer) = update(Operations::by(Follow::Nothing).polls(1)).await;
    for header in ["azure-asyncoperation", "location", "retry-after"] {
        assert_eq!(answer.header(header), None);
    }
    assert_eq!(state(&arm.get("web").await), "Updating");
    assert_eq!(state(&arm.get("web").await), "Succeeded");

    let (_fake, _arm, answer) = update(Operations::by(Follow::Nothing).polls(0)).await;
    assert_eq!(state(&answer), "Succeeded");
}

#[tokio::test]
async fn both_headers_follow_one_operation() {
    let (_fake, arm, answer) = update(Operations::by(Follow::Both).polls(1)).await;
    let status = answer.header("azure-asyncoperation").unwrap();
    let result = answer.header("location").unwrap();
    assert_eq!(arm.at("GET", status, "").await.unwrap().body["status"], "InProgress");
    assert_eq!(arm.at("GET", result, "").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_operation_that_fails_says_why_wherever_it_is_followed() {
    for follow in [Follow::AsyncOperation, Follow::Location, Follow::Nothing] {
        let plan = Operations::by(follow).polls(0).failing("InaccessibleImage", "no such image");
        let (fake, arm, answer) = update(plan).await;
        assert_eq!(answer.status, 200);
        match follow {
            Follow::AsyncOperation => {
                let url = answer.header("azure-asyncoperation").unwrap();
                let polled = arm.at("GET", url, "").await.unwrap();
                assert_eq!((polled.status, &polled.body["status"]), (200, &Value::from("Failed")));
                assert_eq!(polled.code(), "InaccessibleImage");
            }
            Follow::Location => {
                let polled = arm.at("GET", answer.header("location").unwrap(), "").await.unwrap();
                assert_eq!((polled.status, polled.code()), (400, "InaccessibleImage"));
            }
            _ => {}
        }
        let body = arm.get("web").await;
        assert_eq!(state(&body), "Failed", "{follow:?}");
        let container = &body.body["properties"]["containers"][0]["properties"];
        assert_eq!(container["instanceView"]["currentState"]["state"], "Waiting");
        assert_eq!(fake.group("web").starts(), 1, "the new image never ran");
    }
}

#[tokio::test]
async fn one_update_may_fail_and_the_next_one_work() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.next_update_fails("InaccessibleImage", "no such image");
    let arm = Arm::new(&fake);
    for end in ["Failed", "Succeeded"] {
        assert_eq!(arm.put("web", &samples::group("web", NEW)).await.status, 200);
        assert_eq!(state(&arm.settled("web").await), end);
    }
}

#[tokio::test]
async fn whoever_changes_a_busy_group_is_refused_and_counted() {
    let (fake, arm, _answer) = update(Operations::default().endless()).await;
    let group = fake.group("web");
    let refused = arm.put("web", &samples::group("web", OLD)).await;
    assert_eq!((refused.status, refused.code()), (409, "ContainerGroupTransitioning"));
    assert_eq!(arm.delete("web").await.code(), "ContainerGroupTransitioning");
    for action in ["web/restart", "web/stop", "web/start"] {
        let refused = arm.group("POST", action, &Value::Null).await;
        assert_eq!(refused.code(), "ContainerGroupTransitioning", "{action}");
    }
    assert_eq!(group.overlaps(), 5);
    assert_eq!(state(&arm.get("web").await), "Updating");
    group.finish();
    assert_eq!(arm.put("web", &samples::group("web", OLD)).await.status, 200);
    assert_eq!(group.overlaps(), 5);
}

#[tokio::test]
async fn a_refused_request_sees_the_operation_under_way_like_a_poll() {
    let (_fake, arm, _answer) = update(Operations::default().polls(2)).await;
    let document = samples::group("web", OLD);
    for status in [409, 409, 200] {
        assert_eq!(arm.put("web", &document).await.status, status);
    }
}

#[tokio::test]
async fn what_somebody_else_does_is_no_overlap() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    group.operations(Operations::default().polls(1));
    group.begin_foreign_operation();
    let arm = Arm::new(&fake);
    let document = samples::group("web", NEW);
    assert_eq!(arm.put("web", &document).await.code(), "ContainerGroupTransitioning");
    assert_eq!(arm.put("web", &document).await.status, 200);
    assert_eq!(group.overlaps(), 0);
}

#[tokio::test]
async fn a_delete_is_over_at_once_or_an_operation() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    assert_eq!(arm.delete("web").await.status, 200);
    assert_eq!(arm.get("web").await.status, 404);

    fake.deletes_take_time();
    fake.operations(Operations::by(Follow::Location).polls(1));
    let group = fake.place(samples::group("web", OLD));
    let answer = arm.delete("web").await;
    assert_eq!(answer.status, 202);
    assert_eq!(state(&arm.get("web").await), "Deleting");
    assert!(group.exists());
    let over = arm.at("GET", answer.header("location").unwrap(), "").await.unwrap();
    assert_eq!(over.status, 204);
    assert!(!group.exists());
}

#[tokio::test]
async fn stop_start_and_restart() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    let post = async |action: &str| arm.group("POST", action, &Value::Null).await.status;

    assert_eq!(post("web/stop").await, 204);
    let body = arm.get("web").await.body;
    assert_eq!(body["properties"]["instanceView"]["state"], "Stopped");
    assert_eq!(body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(post("web/start").await, 202);
    let body = arm.settled("web").await.body;
    assert_eq!(body["properties"]["instanceView"]["state"], "Running");
    assert_eq!(post("web/restart").await, 204);
    arm.settled("web").await;
    assert_eq!(group.starts(), 3);
}
