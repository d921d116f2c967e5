use super::super::health::{Health, Restarts, look, restarts};
use crate::azure::group::Group;
use serde_json::{Value, json};

/// Containers called a, b, … with these instance views.
fn group(policy: &str, views: &[Value]) -> Value {
    let names = ["a", "b", "c"];
    let container = |(name, view): (&&str, &Value)| json!({"name": name, "properties": {"image": "i", "instanceView": view}});
    let containers: Vec<_> = names.iter().zip(views).map(container).collect();
    json!({"properties": {"restartPolicy": policy, "containers": containers}})
}

fn running(restarts: u64) -> Value {
    json!({"restartCount": restarts, "currentState": {"state": "Running"}})
}

fn ended(exit: i64) -> Value {
    json!({"restartCount": 0, "currentState": {"state": "Terminated", "exitCode": exit, "detailStatus": "x"}})
}

fn looked(policy: &str, views: &[Value], over: bool) -> Health {
    look(Group::new(&group(policy, views)), &Restarts::new(), over)
}

fn well(said: &str) -> Health {
    Health::Well(said.to_owned())
}

fn ill(said: &str) -> Health {
    Health::Ill(said.to_owned())
}

#[test]
fn containers_that_run_for_the_whole_watch_are_well() {
    let views = [running(0), running(0)];
    assert_eq!(looked("Always", &views, false), Health::Open("2 containers running".to_owned()));
    assert_eq!(looked("Always", &views, true), well("2 containers running"));
    assert_eq!(looked("Always", &views[..1], true), well("1 container running"));
}

#[test]
fn restarts_from_before_are_not_the_updates() {
    let shown = group("Always", &[running(2)]);
    let before = restarts(Group::new(&shown));
    assert_eq!(look(Group::new(&shown), &before, true), well("1 container running"));
    let now = group("Always", &[running(4)]);
    assert_eq!(look(Group::new(&now), &before, true), ill("a restarts (2 times)"));
}

#[test]
fn a_restart_is_told_at_the_end_and_a_crash_loop_at_once() {
    assert_eq!(
        looked("Always", &[running(1)], false),
        Health::Open("a restarts (once)".to_owned())
    );
    assert_eq!(looked("Always", &[running(1)], true), ill("a restarts (once)"));
    let third = json!({"restartCount": 3, "currentState": {"state": "Running"}, "previousState": {"exitCode": 1}});
    assert_eq!(
        looked("Always", &[running(0), third], false),
        ill("b restarts (3 times, exit code 1)")
    );
    let looping = json!({
        "restartCount": 1, "previousState": {"exitCode": 137},
        "currentState": {"state": "Waiting", "detailStatus": "CrashLoopBackOff: Back-off restarting failed"},
    });
    assert_eq!(looked("OnFailure", &[looping], false), ill("a restarts (once, exit code 137)"));
}

#[test]
fn an_end_with_success_is_fine_where_the_group_may_end() {
    for policy in ["Never", "OnFailure"] {
        let all = looked(policy, &[ended(0), ended(0)], false);
        assert_eq!(all, well("2 containers ended with exit code 0"), "{policy}");
        let some = looked(policy, &[ended(0), running(0)], true);
        assert_eq!(some, well("1 container running, 1 ended with exit code 0"), "{policy}");
    }
    assert_eq!(looked("Always", &[ended(0)], true), ill("a ended with exit code 0"));
    assert_eq!(looked("Never", &[running(5)], true), well("1 container running"), "maintenance");
}

#[test]
fn an_end_without_success_is_final_where_nobody_restarts() {
    assert_eq!(looked("Never", &[running(0), ended(3)], false), ill("b ended with exit code 3"));
    let first = looked("OnFailure", &[ended(3)], false);
    assert_eq!(first, Health::Open("a ended with exit code 3".to_owned()));
    assert_eq!(looked("OnFailure", &[ended(3)], true), ill("a ended with exit code 3"));
}

#[test]
fn who_still_waits_at_the_end_of_the_watch_does_not_run() {
    let waiting = json!({"currentState": {"state": "Waiting", "detailStatus": "ImagePullBackOff"}});
    let open = Health::Open("a waits (ImagePullBackOff)".to_owned());
    assert_eq!(looked("Always", &[waiting.clone(), running(0)], false), open);
    assert_eq!(looked("Always", &[waiting, running(0)], true), ill("a waits (ImagePullBackOff)"));
    assert_eq!(looked("Always", &[Value::Null], true), ill("a waits"));
}

#[test]
fn containers_that_only_prepare_count_when_they_fail() {
    let mut shown = group("Always", &[running(0)]);
    let init =
        |view: Value| json!([{"name": "init", "properties": {"image": "i", "instanceView": view}}]);
    shown["properties"]["initContainers"] = init(ended(0));
    let health = look(Group::new(&shown), &Restarts::new(), true);
    assert_eq!(health, well("1 container running"));
    shown["properties"]["initContainers"] = init(ended(9));
    let health = look(Group::new(&shown), &Restarts::new(), true);
    assert_eq!(health, ill("init ended with exit code 9"));
}
