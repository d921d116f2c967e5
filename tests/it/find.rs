//! Somebody asks for the newest push of an image.

use crate::world::{MINUTE, WITHIN, World};
use acr_fanin::app::Wanted;
use fan_in::{Digest, Registry};
use std::time::Duration;

#[tokio::test]
async fn a_digest_is_found_in_each_registry_and_under_each_tag_that_it_was_pushed_to() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    let digest = format!("sha256:{}", "a".repeat(64));
    let newest = async |name: &str| {
        let wanted = Wanted::parse(&format!("{name}@{digest}")).unwrap();
        world.app.newest(&wanted).await.unwrap().map(|push| push.id)
    };
    let arrive_from = async |registry: &str, tag: &str| {
        let mut event = world.event(tag, 'a', "westeurope", &format!("{registry}{tag}"));
        event.image.registry = Some(Registry::parse(registry).unwrap());
        world.app.record_arrival(&event, None, WITHIN).await.unwrap().push.id
    };
    let staging = arrive_from("staging.azurecr.io", "v1").await;
    world.pass(MINUTE);
    let production = arrive_from("r.azurecr.io", "v1").await;
    assert_eq!(newest("staging.azurecr.io/app").await, Some(staging));
    assert_eq!(newest("r.azurecr.io/app").await, Some(production));
    assert_eq!(newest("app").await, Some(production));
    // More pushes of the tag than its row names, and then another tag.
    for number in 0..40 {
        world.pass(Duration::from_secs(1));
        let mut event = world.event("v1", 'a', "westeurope", &number.to_string());
        event.image.digest = Digest::parse(&format!("sha256:{number:064x}")).ok();
        world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    }
    let other_tag = arrive_from("r.azurecr.io", "v2").await;
    assert_eq!(newest("r.azurecr.io/app:v1").await, Some(production));
    assert_eq!(newest("app:v1").await, Some(production));
    assert_eq!(newest("app:v2").await, Some(other_tag));
    assert_eq!(newest("app").await, Some(other_tag));
    assert_eq!(newest("dev.azurecr.io/app").await, None);
    world.pass(60 * 24 * 60 * MINUTE);
    world.tick().await;
    while world.app.purge().await.unwrap() > 0 {}
    assert_eq!(world.rows.dump(), [], "no name of a digest is left");
}

#[tokio::test]
async fn the_newest_push_of_a_digest_is_the_one_whose_event_is_newest() {
    let world = World::new(&["westeurope", "eastus"], &[]);
    world.pass(MINUTE);
    let newer = world.arrive("v1", 'a', "westeurope").await.push.id;
    let mut event = world.event("v1", 'a', "westeurope", "older");
    event.image.registry = Some(Registry::parse("staging.azurecr.io").unwrap());
    event.event_time = event.event_time.map(|time| time - MINUTE);
    world.app.record_arrival(&event, None, WITHIN).await.unwrap();
    let wanted = Wanted::parse(&format!("app@sha256:{}", "a".repeat(64))).unwrap();
    assert_eq!(world.app.newest(&wanted).await.unwrap().unwrap().id, newer);
}
