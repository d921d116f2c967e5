//! Faults between the caller and ARM.

use crate::client::Arm;
use azure_fake::{Answer, Fake, Fault, samples};
use serde_json::Value;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

const OLD: &str = "contoso.azurecr.io/shop/web:1";
const NEW: &str = "contoso.azurecr.io/shop/web:2";

#[tokio::test]
async fn a_reset_request_has_no_effect() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.next("PUT", "/containerGroups/web", Fault::Reset);
    let arm = Arm::new(&fake);
    assert_eq!(arm.get("web").await.status, 200, "another method is left alone");
    assert!(arm.try_group("PUT", "web", &samples::group("web", NEW)).await.is_err());
    assert_eq!(fake.history("web").len(), 1);
    let statuses: Vec<_> = fake.requests().into_iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [Some(200), None]);
    assert_eq!(arm.put("web", &samples::group("web", NEW)).await.status, 200);
}

#[tokio::test]
async fn an_accepted_request_may_lose_its_answer() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.next("put", "/CONTAINERGROUPS/", Fault::AcceptThenReset);
    let arm = Arm::new(&fake);
    assert!(arm.try_group("PUT", "web", &samples::group("web", NEW)).await.is_err());
    assert_eq!(fake.history("web")[1].images, [NEW]);
    assert_eq!(arm.get("web").await.body["properties"]["provisioningState"], "Updating");
}

#[tokio::test]
async fn a_request_may_hang_with_and_without_effect() {
    for (fault, changes) in [(Fault::Hang, 1), (Fault::AcceptThenHang, 2)] {
        let fake = Fake::start().await;
        fake.place(samples::group("web", OLD));
        fake.next("", "", fault);
        let arm = Arm::new(&fake);
        let document = samples::group("web", NEW);
        let mut hanging = pin!(arm.put("web", &document));
        let seen = fake.until(|fake| !fake.requests().is_empty());
        tokio::select! {
            () = seen => {}
            received = &mut hanging => panic!("{received:?}"),
        }
        let is_open = poll_fn(|context| Poll::Ready(hanging.as_mut().poll(context).is_pending()));
        assert!(is_open.await);
        assert_eq!(fake.history("web").len(), changes);
    }
}

#[tokio::test]
async fn any_status_and_any_answer_can_stand_in() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    fake.next("GET", "", Fault::Status(503));
    let page = Answer::text(200, "text/html", "<html>Sign in to the hotel</html>");
    fake.next("GET", "", Fault::Instead(page.header("X-Proxy", "hotel")));
    let arm = Arm::new(&fake);
    let busy = arm.get("web").await;
    assert_eq!((busy.status, busy.code()), (503, "ServerBusy"));
    let page = arm.get("web").await;
    assert_eq!((page.status, page.header("x-proxy")), (200, Some("hotel")));
    assert_eq!(page.body, Value::Null);
    assert_eq!(arm.get("web").await.body["name"], "web");
}

#[tokio::test]
async fn requests_are_remembered_without_their_tokens() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    let document = samples::job("work", OLD);
    arm.put("work", &document).await;
    let seen = fake.requests().remove(0);
    assert_eq!((seen.method.as_str(), seen.path), ("PUT", fake.group("work").id()));
    assert_eq!(seen.api_version.as_deref(), Some("2025-09-01"));
    assert_eq!((seen.status, seen.body), (Some(201), Some(document)));
    assert_eq!(seen.authorization.as_deref(), Some("Bearer token 1"));
}

#[tokio::test]
async fn a_dropped_fake_breaks_off_what_hangs() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    fake.next("", "", Fault::Hang);
    let hanging =
        tokio::spawn(async move { arm.try_group("GET", "web", &Value::Null).await.is_err() });
    fake.until(|fake| !fake.requests().is_empty()).await;
    drop(fake);
    assert!(hanging.await.unwrap());
}
