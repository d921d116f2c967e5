//! What is kept: the list, the purge, pushes that are complete on arrival.

use super::*;

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
