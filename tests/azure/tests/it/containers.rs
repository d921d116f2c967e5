//! How containers fare after their start.

use crate::client::Arm;
use azure_fake::{Behaviour, Fake, samples};
use serde_json::{Value, json};

const IMAGE: &str = "contoso.azurecr.io/shop/web@sha256:aaaa";

/// State, restarts and exit code of a container, and the state of its group.
async fn look(arm: &Arm, name: &str) -> (Value, Value, Value, Value) {
    let properties = arm.get(name).await.body["properties"].clone();
    let view = &properties["containers"][0]["properties"]["instanceView"];
    let current = &view["currentState"];
    (
        current["state"].clone(),
        view["restartCount"].clone(),
        current["exitCode"].clone(),
        properties["instanceView"]["state"].clone(),
    )
}

async fn looks(arm: &Arm, name: &str, expected: &[(&str, u32, Option<i32>, &str)]) {
    for (at, (state, restarts, code, group)) in expected.iter().enumerate() {
        let expected = (json!(state), json!(restarts), json!(code), json!(group));
        assert_eq!(look(arm, name).await, expected, "look {at}");
    }
}

#[tokio::test]
async fn a_container_waits_for_its_image_before_it_runs() {
    let fake = Fake::start().await;
    fake.containers_behave(Behaviour::runs().after_waiting(2));
    fake.place(samples::group("web", IMAGE));
    let waiting = ("Waiting", 0, None, "Pending");
    let running = ("Running", 0, None, "Running");
    looks(&Arm::new(&fake), "web", &[waiting, waiting, running, running]).await;
}

#[tokio::test]
async fn a_crash_loop_is_sometimes_seen_running() {
    let fake = Fake::start().await;
    fake.image_behaves("sha256:aaaa", Behaviour::exits(1, 1));
    fake.place(samples::group("web", IMAGE));
    let arm = Arm::new(&fake);
    let seen = [
        ("Running", 0, None, "Running"),
        ("Waiting", 1, None, "Running"),
        ("Running", 1, None, "Running"),
        ("Waiting", 2, None, "Running"),
    ];
    looks(&arm, "web", &seen).await;
    arm.get("web").await;
    let body = arm.get("web").await.body;
    let view = &body["properties"]["containers"][0]["properties"]["instanceView"];
    let detail = view["currentState"]["detailStatus"].as_str().unwrap();
    assert!(detail.starts_with("CrashLoopBackOff"), "{view}");
    assert_eq!((&view["restartCount"], &view["previousState"]["exitCode"]), (&json!(3), &json!(1)));
}

#[tokio::test]
async fn a_container_may_restart_between_two_looks() {
    let fake = Fake::start().await;
    fake.containers_behave(Behaviour::restarts_unseen(139, 2));
    fake.place(samples::group("web", IMAGE));
    let seen = [0, 0, 1, 2, 3].map(|restarts| ("Running", restarts, None, "Running"));
    looks(&Arm::new(&fake), "web", &seen).await;
}

#[tokio::test]
async fn a_job_runs_and_then_ends_with_its_exit_code() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    for (name, code, end) in [("good", 0, "Succeeded"), ("bad", 3, "Failed")] {
        fake.group(name).container_behaves("job", Behaviour::exits(code, 2));
        assert_eq!(arm.put(name, &samples::job(name, IMAGE)).await.status, 201);
        fake.group(name).finish();
        let running = ("Running", 0, None, "Running");
        let ended = ("Terminated", 0, Some(code), end);
        looks(&arm, name, &[running, running, ended, ended]).await;
    }
}

#[tokio::test]
async fn on_failure_starts_again_only_what_failed() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    for (name, code) in [("good", 0), ("bad", 3)] {
        fake.containers_behave(Behaviour::exits(code, 0));
        let mut job = samples::job(name, IMAGE);
        job["properties"]["restartPolicy"] = json!("OnFailure");
        fake.place(job);
    }
    looks(&arm, "good", &[("Terminated", 0, Some(0), "Succeeded")]).await;
    looks(&arm, "bad", &[("Waiting", 1, None, "Running")]).await;
}

#[tokio::test]
async fn what_is_said_last_of_a_container_counts_from_its_next_start() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", IMAGE));
    let arm = Arm::new(&fake);
    fake.containers_behave(Behaviour::exits(1, 0));
    group.container_behaves("web", Behaviour::runs());
    fake.image_behaves("sha256:bbbb", Behaviour::exits(2, 0));
    looks(&arm, "web", &[("Running", 0, None, "Running")]).await;
    arm.put("web", &samples::group("web", "contoso.azurecr.io/shop/web@sha256:bbbb")).await;
    group.finish();
    looks(&arm, "web", &[("Waiting", 1, None, "Running")]).await;
}

#[tokio::test]
async fn a_group_of_several_is_over_when_all_are() {
    let fake = Fake::start().await;
    fake.image_behaves("first", Behaviour::exits(0, 0));
    fake.image_behaves("second", Behaviour::exits(0, 1));
    let mut job = samples::job("both", "first");
    let second = samples::container("second", "second");
    job["properties"]["containers"].as_array_mut().unwrap().push(second);
    let group = fake.place(job);
    let state = || group.view()["properties"]["instanceView"]["state"].clone();
    assert_eq!(state(), "Running");
    Arm::new(&fake).get("both").await;
    assert_eq!(state(), "Succeeded");
}
