//! Deployments to one target take turns, and an older push never goes after a newer one.

use crate::world::{MINUTE, Plan, World, refused};
use fan_in::{Attempt, NoticeKind, PushId};
use std::time::Duration;

const ONE: [&str; 1] = ["westeurope"];
const SECOND: Duration = Duration::from_secs(1);

fn ongoing(progress: &str) -> Attempt {
    let progress = Some(progress.to_owned());
    Attempt::Ongoing { after: 10 * SECOND, progress, result: Some("updates".to_owned()) }
}

fn deployed(result: &str) -> Attempt {
    Attempt::Accepted { result: Some(result.to_owned()), tells: Some(NoticeKind::Deployed) }
}

/// A push that is in its only region, and a moment passes.
async fn pushed(world: &World, tag: &str, digest: char) -> PushId {
    let push = world.arrive(tag, digest, ONE[0]).await.push.id;
    world.pass(SECOND);
    push
}

async fn results(world: &World, push: PushId) -> Vec<(&'static str, String)> {
    let push = world.push(push).await;
    let deliveries = push.notices.iter().flat_map(|n| n.deliveries.iter().map(move |d| (n, d)));
    deliveries.map(|(n, d)| (n.kind.as_str(), d.result.clone().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_deployment_goes_on_step_by_step_and_is_told_of_once() {
    let (group, slack) = (Plan::deploying_to("web", "group"), Plan::reporter("slack"));
    let world = World::new(&ONE, &[&group, &slack]);
    let push = pushed(&world, "v1", 'a').await;
    for step in ["one", "two", "three"] {
        group.will(ongoing(step));
    }
    group.will(deployed("2 containers run"));
    world.app.deliver(push).await.unwrap();
    let steps = &world.push(push).await.notices[0].deliveries[0];
    assert_eq!((steps.attempts, steps.steps), (1, 1));
    // More steps than there are retries.
    for _ in 0..3 {
        world.pump().await;
        world.pass(30 * SECOND);
        world.pump().await;
    }
    assert_eq!(group.heard(), ["v1 -", "v1 one", "v1 two", "v1 three"]);
    assert_eq!(slack.heard(), ["deployed: 2 containers run"]);
    assert_eq!(
        results(&world, push).await,
        [("completed", "2 containers run".to_owned()), ("deployed", String::new())]
    );
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_deployment_that_is_given_up_is_told_of() {
    let (group, slack) = (Plan::deploying_to("web", "group"), Plan::reporter("slack"));
    let world = World::new(&ONE, &[&group, &slack]);
    let push = pushed(&world, "v1", 'a').await;
    group.will(Attempt::Hopeless { error: "secrets would be lost".to_owned() });
    world.app.deliver(push).await.unwrap();
    assert_eq!(slack.heard(), ["deploy_failed: secrets would be lost"]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn an_attempt_that_is_refused_in_the_middle_begins_anew() {
    let group = Plan::deploying_to("web", "group");
    let world = World::new(&ONE, &[&group]);
    let push = pushed(&world, "v1", 'a').await;
    group.will(ongoing("one"));
    group.will(refused());
    world.app.deliver(push).await.unwrap();
    for _ in 0..2 {
        world.pass(MINUTE);
        world.pump().await;
    }
    assert_eq!(group.heard(), ["v1 -", "v1 one", "v1 -"]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn an_older_push_that_is_tried_again_after_a_newer_one_is_superseded_whatever_its_tag() {
    let group = Plan::deploying_to("web", "group");
    let world = World::new(&ONE, &[&group]);
    let older = pushed(&world, "v1", 'a').await;
    let newer = pushed(&world, "v2", 'b').await;
    group.will(refused());
    world.app.deliver(older).await.unwrap();
    world.app.deliver(newer).await.unwrap();
    world.pass(MINUTE);
    world.pump().await;
    assert_eq!(group.heard(), ["v1 -", "v2 -"]);
    assert_eq!(results(&world, older).await, [("completed", "superseded".to_owned())]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn what_is_under_way_goes_on_to_its_end_although_a_newer_push_of_the_tag_is_everywhere() {
    let (group, slack) = (Plan::deploying_to("web", "group"), Plan::reporter("slack"));
    let world = World::new(&ONE, &[&group, &slack]);
    let older = pushed(&world, "v1", 'a').await;
    group.will(ongoing("one"));
    world.app.deliver(older).await.unwrap();
    let newer = pushed(&world, "v1", 'b').await;
    world.pass(10 * SECOND);
    group.will(deployed("1 container runs"));
    world.app.deliver(older).await.unwrap();
    assert_eq!(results(&world, older).await[0], ("completed", "1 container runs".to_owned()));
    group.will(deployed("1 container runs"));
    world.app.deliver(newer).await.unwrap();
    assert_eq!(group.heard(), ["v1 -", "v1 one", "v1 -"]);
    assert_eq!(slack.heard().len(), 2, "both were deployed, one after the other");
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_push_whose_first_event_comes_late_does_not_supersede_itself() {
    let group = Plan::deploying_at("web", "group", "westeurope");
    let world = World::new(&["westeurope", "northeurope"], &[&group]);
    let early = world.event("v1", 'a', "northeurope", "1");
    world.pass(SECOND);
    group.will(refused());
    let push = world.arrive_as("v1", 'a', "westeurope", "1").await.push.id;
    world.app.deliver(push).await.unwrap();
    // The event that was first arrives last, and moves the push's place back.
    world.app.record_arrival(&early, None, crate::world::WITHIN).await.unwrap();
    world.pass(MINUTE);
    world.pump().await;
    assert_eq!(group.heard(), ["v1 -", "v1 -"]);
    assert_eq!(results(&world, push).await[0], ("region_ready", String::new()));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_newer_push_waits_until_the_older_one_has_been_deployed() {
    let group = Plan::deploying_to("web", "group");
    let world = World::new(&ONE, &[&group]);
    let older = pushed(&world, "v1", 'a').await;
    let newer = pushed(&world, "v2", 'b').await;
    group.will(ongoing("one"));
    world.app.deliver(older).await.unwrap();
    world.app.deliver(newer).await.unwrap();
    assert_eq!(group.heard(), ["v1 -"], "one at a time");
    world.pass(10 * SECOND);
    world.app.deliver(older).await.unwrap();
    world.pass(MINUTE);
    world.pump().await;
    assert_eq!(group.heard(), ["v1 one", "v2 -"]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn what_replaces_nothing_and_has_begun_goes_on_although_a_newer_push_is_everywhere() {
    let job = Plan::deploying("job");
    let world = World::new(&ONE, &[&job]);
    let older = pushed(&world, "v1", 'a').await;
    job.will(ongoing("one"));
    world.app.deliver(older).await.unwrap();
    let newer = pushed(&world, "v1", 'b').await;
    world.app.deliver(newer).await.unwrap();
    job.will(Attempt::Accepted { result: Some("exit code 0".to_owned()), tells: None });
    world.pass(MINUTE);
    world.pump().await;
    assert_eq!(job.heard().len(), 3);
    assert_eq!(results(&world, older).await, [("completed", "exit code 0".to_owned())]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn other_targets_are_not_waited_for() {
    let (one, two) = (Plan::deploying_to("one", "group"), Plan::deploying_to("two", "other"));
    let world = World::new(&ONE, &[&one, &two]);
    let push = pushed(&world, "v1", 'a').await;
    one.will(ongoing("one"));
    world.app.deliver(push).await.unwrap();
    assert_eq!((one.heard(), two.heard()), (vec!["v1 -".to_owned()], vec!["v1 -".to_owned()]));
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_is_taken_over_from_where_it_was() {
    let group = Plan::deploying_to("web", "group");
    let mut world = World::new(&ONE, &[&group]);
    let push = pushed(&world, "v1", 'a').await;
    group.will(ongoing("one"));
    world.app.deliver(push).await.unwrap();
    world.pass(10 * SECOND);
    // The second step begins, and nobody ever hears of it.
    group.will(Attempt::Unknown { error: "no answer in time".to_owned() });
    world.app.deliver(push).await.unwrap();
    world.restart(&ONE);
    for _ in 0..4 {
        world.pass(MINUTE);
        world.pump().await;
    }
    assert_eq!(group.heard(), ["v1 -", "v1 one", "v1 one"]);
    assert_eq!(world.markers(), 0);
}
