//! The use cases' stories.

use crate::world::{MINUTE, Plan, WITHIN, World, refused, region};
use acr_fanin::app::Wanted;
use acr_fanin::ports::{Op, Rows};
use fan_in::{Attempt, Digest, RegionSet, Registry, State, Status, Verdict};
use std::time::Duration;

const THREE: [&str; 3] = ["northeurope", "westeurope", "eastus"];

#[tokio::test]
async fn the_last_arrival_completes_the_push_without_any_timer() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    assert_eq!(world.arrive("v1", 'a', "northeurope").await.verdict, Verdict::Recorded);
    assert_eq!(world.arrive("v1", 'a', "westeurope").await.verdict, Verdict::Recorded);
    let last = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(
        (last.verdict, last.ring, last.push.status),
        (Verdict::Completed, true, Status::Completed)
    );
    world.app.deliver(last.push.id).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    assert_eq!(world.markers(), 0, "nothing is left to do");
    assert_eq!(world.tick().await, []);
}

#[tokio::test]
async fn a_second_bell_and_a_second_webhook_change_nothing() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    for _ in 0..3 {
        world.app.deliver(push).await.unwrap();
    }
    assert_eq!(slack.heard(), ["completed"]);
    let again = world.arrive("v1", 'a', "westeurope").await;
    assert_eq!((again.verdict, again.ring, again.push.id), (Verdict::Duplicate, false, push));
}

#[tokio::test]
async fn a_push_that_times_out_names_what_is_missing_and_recovers_once() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    let push = world.arrive("v1", 'a', "northeurope").await.push.id;
    world.arrive("v1", 'a', "eastus").await;
    world.pass(10 * MINUTE - Duration::from_millis(1));
    assert_eq!(world.tick().await, []);
    world.pass(Duration::from_millis(1));
    world.pump().await;
    assert_eq!(slack.heard(), ["timed_out"]);
    let timed_out = world.push(push).await;
    assert_eq!(timed_out.status, Status::TimedOut);
    assert_eq!(timed_out.notices[0].missing, RegionSet::from([region("westeurope")]));
    let late = world.arrive("v1", 'a', "westeurope").await;
    assert_eq!((late.verdict, late.push.status), (Verdict::Recovered, Status::Recovered));
    world.app.deliver(push).await.unwrap();
    assert_eq!(slack.heard(), ["recovered"]);
    assert_eq!(world.push(push).await.decided_at, timed_out.decided_at);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn arrivals_before_the_deadline_win_over_a_late_timer() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    world.arrive("v1", 'a', "westeurope").await;
    world.pass(60 * MINUTE);
    let last = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(last.verdict, Verdict::Completed, "nobody had decided");
    world.tick().await;
    assert_eq!(world.push(last.push.id).await.status, Status::Completed);
}

#[tokio::test]
async fn a_bell_that_nobody_heard_is_rung_by_the_timer_and_not_by_every_tick() {
    let slack = Plan::new("slack");
    let mut world = World::new(&["westeurope"], &[&slack]);
    world.tick().await;
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    assert_eq!(world.tick().await, [], "whoever was told has half a minute");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.tick().await, [push]);
    assert_eq!(world.tick().await, []);
    world.restart(&["westeurope"]);
    assert_eq!(
        world.tick().await,
        [push],
        "a new process does not wait for what an old one was told"
    );
    world.app.deliver(push).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
}

#[tokio::test]
async fn a_failing_sink_is_tried_again_and_the_other_is_not_called_again() {
    let (good, bad) = (Plan::new("good"), Plan::new("bad"));
    bad.will(refused());
    bad.will(Attempt::Refused { error: "HTTP 429".to_owned(), retry_after: Some(MINUTE) });
    let world = World::new(&["westeurope"], &[&good, &bad]);
    world.tick().await;
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    assert_eq!((good.heard().len(), bad.heard().len()), (1, 1));
    world.pass(Duration::from_secs(5));
    world.pump().await;
    assert_eq!((good.heard().len(), bad.heard().len()), (0, 1));
    world.pass(Duration::from_secs(59));
    world.pump().await;
    assert_eq!(bad.heard().len(), 0, "the sink asked for a minute");
    world.pass(Duration::from_secs(1));
    world.pump().await;
    assert_eq!((good.heard().len(), bad.heard()), (0, vec!["completed".to_owned()]));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_sink_that_never_accepts_ends_dead_and_visible() {
    let bad = Plan::new("bad");
    (0..3).for_each(|_| bad.will(refused()));
    let world = World::new(&["westeurope"], &[&bad]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    for _ in 0..5 {
        world.pass(MINUTE);
        world.pump().await;
    }
    assert_eq!(bad.heard().len(), 3);
    let delivery = &world.push(push).await.notices[0].deliveries[0];
    assert_eq!((delivery.state, delivery.attempts), (State::Dead, 3));
    assert_eq!(delivery.last_error.as_deref(), Some("HTTP 503"));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn a_notice_to_a_sink_that_is_no_longer_configured_ends_dead() {
    let slack = Plan::new("slack");
    let mut world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.sinks.clear();
    world.restart(&["westeurope"]);
    world.pump().await;
    let delivery = &world.push(push).await.notices[0].deliveries[0];
    assert_eq!(delivery.state, State::Dead);
    assert!(delivery.last_error.as_deref().unwrap().contains("configured"));
}

#[tokio::test]
async fn an_attempt_without_an_answer_makes_the_next_one_a_repeat() {
    let slack = Plan::new("slack");
    slack.will(Attempt::Unknown { error: "no answer".to_owned() });
    let world = World::new(&["westeurope"], &[&slack]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.app.deliver(push).await.unwrap();
    world.pass(Duration::from_secs(5));
    world.pump().await;
    assert_eq!(slack.heard(), ["completed", "completed (repeat)"]);
}

#[tokio::test]
async fn two_pushes_of_one_tag_the_older_one_is_superseded_in_silence() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    let new = world.arrive("v1", 'b', "westeurope").await.push.id;
    assert_eq!(world.arrive("v1", 'b', "eastus").await.verdict, Verdict::Completed);
    world.app.deliver(new).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    world.pass(10 * MINUTE);
    world.pump().await;
    assert_eq!(world.push(old).await.status, Status::Superseded);
    let late = world.arrive("v1", 'a', "eastus").await;
    assert_eq!(
        (late.verdict, late.push.status, late.ring),
        (Verdict::Late, Status::Superseded, false)
    );
    assert_eq!(slack.heard(), [""; 0]);
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn the_newer_push_of_a_tag_times_out_although_an_older_one_waits() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    let new = world.arrive("v1", 'b', "westeurope").await.push.id;
    world.pass(11 * MINUTE);
    world.tick().await;
    assert_eq!(world.push(old).await.status, Status::Superseded);
    assert_eq!(world.push(new).await.status, Status::TimedOut);
}

#[tokio::test]
async fn a_deploying_sink_never_hears_of_an_older_push_after_a_newer_one() {
    let (deploy, slack) = (Plan::deploying("deploy"), Plan::new("slack"));
    let world = World::new(&["westeurope", "eastus"], &[&deploy, &slack]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    world.arrive("v1", 'b', "westeurope").await;
    let new = world.arrive("v1", 'b', "eastus").await.push.id;
    world.app.deliver(new).await.unwrap();
    assert_eq!(world.arrive("v1", 'a', "eastus").await.verdict, Verdict::Completed);
    world.app.deliver(old).await.unwrap();
    assert_eq!((deploy.heard().len(), slack.heard().len()), (1, 2));
    let deliveries = &world.push(old).await.notices[0].deliveries;
    let to_deploy = deliveries.iter().find(|d| d.sink == "deploy").unwrap();
    assert_eq!((to_deploy.state, to_deploy.result.as_deref()), (State::Done, Some("superseded")));
    assert_eq!(world.markers(), 0);
}

#[tokio::test]
async fn who_may_have_begun_is_asked_although_a_newer_push_is_everywhere() {
    let (job, deploy) = (Plan::following("job"), Plan::deploying("deploy"));
    let world = World::new(&["westeurope"], &[&job, &deploy]);
    let old = world.arrive("v1", 'a', "westeurope").await.push.id;
    for sink in [&job, &deploy] {
        sink.will(Attempt::Unknown { error: "no answer".to_owned() });
    }
    world.app.deliver(old).await.unwrap();
    assert_eq!((job.heard().len(), deploy.heard().len()), (1, 1));
    world.pass(MINUTE);
    world.arrive("v1", 'b', "westeurope").await;
    world.app.deliver(old).await.unwrap();
    assert_eq!(job.heard(), ["completed (repeat) (outdated)"]);
    assert_eq!(deploy.heard(), [""; 0]);
}

#[tokio::test]
async fn a_push_that_turns_out_to_be_newer_than_it_looked_is_newer_for_a_deploying_sink_too() {
    let deploy = Plan::deploying("deploy");
    let world = World::new(&THREE, &[&deploy]);
    let begin = world.now();
    let arrive = async |digest, region, id, minute: u32| {
        let mut event = world.event("v1", digest, region, id);
        event.event_time = Some(begin + minute * MINUTE);
        world.app.record_arrival(&event, None, WITHIN).await.unwrap()
    };
    world.pass(5 * MINUTE);
    // An older push of the same content reported by one region; then the newer one takes its place.
    arrive('b', "westeurope", "b-0", 0).await;
    arrive('b', "eastus", "b-1", 5).await;
    assert_eq!(arrive('b', "westeurope", "b-1", 5).await.verdict, Verdict::Recorded);
    let new = arrive('b', "northeurope", "b-1", 5).await;
    assert_eq!(new.verdict, Verdict::Completed);
    world.app.deliver(new.push.id).await.unwrap();
    for region in ["westeurope", "eastus"] {
        arrive('a', region, "a", 1).await;
    }
    let old = arrive('a', "northeurope", "a", 1).await;
    assert_eq!(old.verdict, Verdict::Completed);
    world.app.deliver(old.push.id).await.unwrap();
    assert_eq!(deploy.heard(), ["completed"]);
    assert_eq!(
        world.push(old.push.id).await.notices[0].deliveries[0].result.as_deref(),
        Some("superseded")
    );
}

#[tokio::test]
async fn a_region_that_is_removed_is_no_longer_waited_for_after_a_restart() {
    let slack = Plan::new("slack");
    let mut world = World::new(&THREE, &[&slack]);
    let push = world.arrive("v1", 'a', "northeurope").await.push.id;
    world.arrive("v1", 'a', "eastus").await;
    world.restart(&["northeurope", "eastus"]);
    world.pump().await;
    assert_eq!(world.push(push).await.status, Status::Completed);
    assert_eq!(slack.heard(), ["completed"]);
}

#[tokio::test]
async fn a_push_none_of_whose_regions_is_configured_any_more_times_out() {
    let mut world = World::new(&["westeurope"], &[]);
    world.restart(&["westeurope", "eastus"]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.restart(&["northeurope"]);
    world.tick().await;
    assert_eq!(world.push(push).await.status, Status::Waiting);
    world.pass(10 * MINUTE);
    world.tick().await;
    assert_eq!(world.push(push).await.status, Status::TimedOut);
}

#[tokio::test]
async fn a_region_that_nobody_waited_for_does_not_make_a_push_recover() {
    let mut world = World::new(&["westeurope", "eastus"], &[]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.pass(10 * MINUTE);
    world.tick().await;
    world.restart(&["westeurope", "northeurope"]);
    assert_eq!(world.arrive("v1", 'a', "northeurope").await.verdict, Verdict::Late);
    assert_eq!(world.push(push).await.status, Status::TimedOut);
}

#[tokio::test]
async fn a_push_of_the_same_content_is_a_push_of_its_own() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..4 {
        for region in ["westeurope", "eastus"] {
            let id = format!("{region}-{round}");
            let arrived = world.arrive_as("v1", 'a', region, &id).await;
            seen.insert(arrived.push.id);
            world.app.deliver(arrived.push.id).await.unwrap();
        }
        world.pass(60 * MINUTE);
    }
    assert_eq!((seen.len(), slack.heard().len()), (4, 4));
    for id in seen {
        assert_eq!(
            world.push(id).await.status,
            Status::Completed,
            "earlier pushes are still found"
        );
    }
}

#[tokio::test]
async fn the_list_is_newest_first_and_pages_without_gaps() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let mut ids = Vec::new();
    for i in 0..7 {
        ids.push(world.arrive(&format!("v{i}"), 'a', "westeurope").await.push.id);
        world.pass(Duration::from_secs(1));
    }
    ids.reverse();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = world.app.list(after.as_deref(), 3).await.unwrap();
        listed.extend(page.pushes.iter().map(|push| push.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn a_purge_takes_what_is_decided_and_old_and_leaves_no_row_behind() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    for round in 0..3 {
        for region in ["westeurope", "eastus"] {
            let arrived = world.arrive_as("v1", 'a', region, &format!("{region}-{round}")).await;
            world.app.deliver(arrived.push.id).await.unwrap();
        }
        world.pass(60 * MINUTE);
    }
    let waiting = world.arrive("v2", 'b', "westeurope").await.push.id;
    world.pass(31 * 24 * 60 * MINUTE);
    while world.app.purge().await.unwrap() > 0 {}
    assert!(world.app.push(waiting).await.unwrap().is_some(), "what has work left is never purged");
    world.pump().await;
    assert_eq!(world.push(waiting).await.status, Status::TimedOut);
    world.pump().await;
    while world.app.purge().await.unwrap() > 0 {}
    assert_eq!(world.rows.dump(), []);
}

#[tokio::test]
async fn docker_hub_is_complete_on_arrival() {
    let slack = Plan::new("slack");
    let world = World::new(&THREE, &[&slack]);
    let mut event = world.event("latest", 'a', "global", "1417566161");
    event.image.registry = Some(Registry::docker_hub());
    event.image.digest = None;
    let first = world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    assert_eq!(first.verdict, Verdict::Completed);
    world.app.deliver(first.push.id).await.unwrap();
    assert_eq!(slack.heard(), ["completed"]);
    assert_eq!(
        world.app.record_arrival(&event, None, WITHIN).await.unwrap().verdict,
        Verdict::Duplicate
    );
    event.id = "1417566999".to_owned();
    let next = world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    assert_eq!(next.verdict, Verdict::Completed);
    assert_ne!(next.push.id, first.push.id);
}

#[tokio::test]
async fn a_tag_that_is_pushed_often_in_one_registry_is_not_forgotten_in_another() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let first = world.arrive("latest", 'a', "westeurope").await.push.id;
    world.pass(MINUTE);
    let second = world.arrive("latest", 'b', "westeurope").await.push.id;
    for number in 0..40_u32 {
        world.pass(Duration::from_secs(1));
        let mut event = world.event("latest", 'c', "westeurope", &number.to_string());
        event.image.registry = Some(Registry::parse("dev.azurecr.io").unwrap());
        event.image.digest = Digest::parse(&format!("sha256:{number:064x}")).ok();
        world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    }
    let wanted = Wanted::parse("r.azurecr.io/app:latest").unwrap();
    assert_eq!(world.app.newest(&wanted).await.unwrap().unwrap().id, second);
    world.pass(10 * MINUTE);
    world.tick().await;
    assert_eq!(world.push(first).await.status, Status::Superseded);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_the_store_was_slow_is_not_lost() {
    let (quick, slow) = (Plan::new("quick"), Plan::slow("slow", Duration::from_secs(1)));
    let world = World::new(&["westeurope"], &[&quick, &slow]);
    let push = world.arrive("v1", 'a', "westeurope").await.push.id;
    world.rows.slow_down(Duration::from_secs(40));
    world.app.deliver(push).await.unwrap();
    world.rows.slow_down(Duration::ZERO);
    let deliveries = world.push(push).await.notices[0].deliveries.clone();
    assert!(deliveries.iter().all(|d| d.state == State::Done && d.attempts == 1), "{deliveries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_does_not_hold_up_the_others() {
    let (good, hangs) = (Plan::new("good"), Plan::slow("hangs", Duration::from_secs(3_600)));
    let world = World::new(&["westeurope"], &[&good, &hangs]);
    let mut pushes = Vec::new();
    for number in 0..200 {
        pushes.push(world.arrive(&format!("v{number}"), 'a', "westeurope").await.push.id);
    }
    let all = pushes.iter().map(|push| world.app.deliver(*push));
    let all = futures_util::future::join_all(all);
    let soon = tokio::time::timeout(Duration::from_secs(10), all).await;
    assert!(soon.is_err(), "the calls that hang still hang");
    assert_eq!(good.heard().len(), 200, "the other sink has heard of everything");
    assert_eq!(hangs.heard().len(), 64, "and the one that hangs has not got all calls");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_neither_the_list_nor_the_tick_nor_the_purge() {
    let slack = Plan::new("slack");
    let world = World::new(&["westeurope", "eastus"], &[&slack]);
    world.tick().await;
    let broken = world.arrive("v1", 'a', "westeurope").await.push.id;
    let good = world.arrive("v2", 'b', "westeurope").await.push.id;
    for (shard, row) in world.rows.dump() {
        if row.doc.contains("\"v1\"") {
            let op = Op::Put { key: row.key, doc: "{}".to_owned() };
            world.rows.write(shard, vec![op]).await.unwrap();
        }
    }
    assert_eq!(world.app.list(None, 10).await.unwrap().pushes.len(), 1);
    world.pass(10 * MINUTE);
    world.pump().await;
    assert_eq!(world.push(good).await.status, Status::TimedOut);
    assert!(world.app.push(broken).await.is_err());
    world.pass(31 * 24 * 60 * MINUTE);
    while world.app.purge().await.unwrap() > 0 {}
    assert!(world.app.push(good).await.unwrap().is_none());
}

#[tokio::test]
async fn the_largest_settings_with_the_longest_errors_still_fit_into_a_row() {
    let names: Vec<&'static str> = (0..64).map(|i| &*format!("region{i:02}").leak()).collect();
    let sinks: Vec<_> =
        (0..32).map(|i| Plan::ready(format!("a-sink-with-a-name-{i:02}").leak())).collect();
    let world = World::new(&names, &sinks.iter().collect::<Vec<_>>());
    for sink in &sinks {
        for _ in 0..200 {
            sink.will(Attempt::Refused { error: "x".repeat(300), retry_after: Some(60 * MINUTE) });
        }
    }
    for name in &names {
        let arrived = world.arrive("v1", 'a', name).await;
        world.app.deliver(arrived.push.id).await.unwrap();
    }
}
