//! What becomes of pushes.

use super::Stage;
use crate::support::acr_push;

const FOUR: [&str; 4] = ["northeurope", "westeurope", "eastus", "southeastasia"];

fn done(status: u16, result: &str) -> (u16, String) {
    (status, result.to_owned())
}

#[tokio::test]
async fn a_push_is_told_once_through_the_queue_when_the_last_region_has_it() {
    let stage = Stage::new(&FOUR.join(","));
    let running = stage.start().await;
    let body = acr_push("1", "team/app", "v1", 'a');
    for region in &FOUR[..3] {
        assert_eq!(running.post(region, &body).await.brief(), done(202, "recorded"));
    }
    assert_eq!(running.messages().await, [""; 0], "nobody is called before all have it");
    let last = running.post(FOUR[3], &body).await;
    assert_eq!(last.brief(), done(200, "completed"));
    assert_eq!(stage.told(), [""; 0], "the answer does not wait for Slack");
    assert_eq!(running.drain().await, 1);
    let told = stage.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let start =
        "Pushed image team/app:v1 (2026-11-20T10:00:00.343145347Z): in all 4 regions after ";
    assert!(told[0].starts_with(start), "{}", told[0]);
    running.tick().await;
    assert_eq!(running.drain().await, 0);
    assert_eq!(stage.told().len(), 1, "told once");
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn the_location_and_the_push_in_an_answer_lead_to_its_status() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    let body = acr_push("1", "team/app", "v1", 'a');
    let first = running.post("West Europe", &body).await;
    let push = first.json()["push"].as_str().unwrap().to_owned();
    assert_eq!(first.headers["location"], format!("/api/status/{push}"));
    let waiting = running.get(&first.headers["location"]).await;
    assert_eq!((waiting.status, waiting.json()["status"].as_str()), (202, Some("waiting")));
    assert_eq!(waiting.json()["missing"], serde_json::json!(["northeurope"]));
    running.post("northeurope", &body).await;
    assert_eq!(running.get(&first.headers["location"]).await.status, 200);
    let image = "/api/status?image=team/app:v1";
    assert_eq!(running.get(image).await.json()["push"], push);
    assert_eq!(running.get(&format!("{image}&region=westeurope")).await.status, 200);
    let list = running.get("/api/status?limit=5").await.json();
    assert_eq!(list["pushes"][0]["push"], push);
    assert_eq!(running.get("/api/status/nothing").await.status, 404);
    running.drain().await;
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn interleaved_pushes_are_told_apart() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    let (one, two) = (acr_push("1", "app", "v1", 'a'), acr_push("2", "app", "v2", 'b'));
    assert_eq!(running.post("northeurope", &one).await.brief(), done(202, "recorded"));
    assert_eq!(running.post("westeurope", &two).await.brief(), done(202, "recorded"));
    assert_eq!(running.post("westeurope", &one).await.brief(), done(200, "completed"));
    assert_eq!(running.post("northeurope", &two).await.brief(), done(200, "completed"));
    assert_eq!(running.drain().await, 2);
    let told = stage.told();
    assert_eq!(told.len(), 2, "{told:?}");
    for (text, image) in told.iter().zip(["app:v1", "app:v2"]) {
        assert!(text.starts_with(&format!("Pushed image {image} (")), "{text}");
        assert!(text.contains("): in all 2 regions after "), "{text}");
    }
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn a_missing_region_is_named_and_its_coming_is_told() {
    let stage = Stage::new("northeurope,westeurope").with("WebhookTimeout", "0:0:1");
    let running = stage.start().await;
    let body = acr_push("1", "app", "v1", 'a');
    let first = running.post("westeurope", &body).await;
    let push = first.json()["push"].as_str().unwrap().to_owned();
    running.tick_until(&push, 504).await;
    assert_eq!(running.drain().await, 1);
    let name = "Pushed image app:v1 (2026-11-20T10:00:00.343145347Z)";
    assert_eq!(stage.told(), [format!("{name}: timed out after 1 s, missing: northeurope")]);
    assert_eq!(running.post("northeurope", &body).await.brief(), done(200, "recovered"));
    assert_eq!(running.drain().await, 1);
    let told = stage.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with(&format!("{name}: recovered, in all 2 regions after ")),
        "{}",
        told[0]
    );
    assert!(told[0].ends_with(", was missing: northeurope"), "{}", told[0]);
    assert_eq!(running.get(&format!("/api/status/{push}")).await.status, 200);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn duplicates_change_nothing() {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    let body = acr_push("1", "app", "v1", 'a');
    running.post("northeurope", &body).await;
    for _ in 0..3 {
        assert_eq!(running.post("northeurope", &body).await.brief(), done(200, "duplicate"));
    }
    assert_eq!(running.post("westeurope", &body).await.brief(), done(200, "completed"));
    for region in ["northeurope", "westeurope"] {
        assert_eq!(running.post(region, &body).await.brief(), done(200, "duplicate"));
    }
    assert_eq!(running.drain().await, 1);
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn two_hosts_share_the_work_of_one_push() {
    let stage = Stage::new(&FOUR.join(","));
    let hosts = [stage.start().await, stage.start().await];
    let bodies: Vec<_> =
        (0..4).map(|i| acr_push(&format!("{i}"), &format!("app{i}"), "v1", 'a')).collect();
    for (i, region) in FOUR.iter().enumerate() {
        for (j, body) in bodies.iter().enumerate() {
            let answer = hosts[(i + j) % 2].post(region, body).await;
            assert_eq!(answer.status, if i == 3 { 200 } else { 202 }, "{}", answer.text);
        }
    }
    tokio::join!(hosts[0].drain(), hosts[1].drain(), hosts[0].tick(), hosts[1].tick());
    hosts[0].drain().await;
    let told = stage.told();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(!told.concat().contains("repeat"), "{told:?}");
    stage.assert_nothing_is_left(&hosts[0]).await;
}

#[tokio::test]
async fn regions_that_report_at_once_to_two_hosts_make_one_decision() {
    let stage = Stage::new(&FOUR.join(","));
    let hosts = [stage.start().await, stage.start().await];
    let body = acr_push("1", "app", "v1", 'a');
    let answers = tokio::join!(
        hosts[0].post(FOUR[0], &body),
        hosts[1].post(FOUR[1], &body),
        hosts[0].post(FOUR[2], &body),
        hosts[1].post(FOUR[3], &body),
    );
    let mut briefs = [answers.0, answers.1, answers.2, answers.3].map(|answer| answer.brief());
    briefs.sort();
    let recorded = done(202, "recorded");
    assert_eq!(briefs, [done(200, "completed"), recorded.clone(), recorded.clone(), recorded]);
    hosts[0].drain().await;
    assert_eq!(stage.told().len(), 1);
    stage.assert_nothing_is_left(&hosts[1]).await;
}
