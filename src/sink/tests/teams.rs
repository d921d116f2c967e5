use super::server::{Reply, Server};
use super::{Story, TIMESTAMP, digest, error, region, word};
use crate::secret::SecretUrl;
use crate::sink::client::Client;
use crate::sink::teams::{Teams, message};
use fan_in::{Attempt, RegionSet};
use serde_json::json;
use std::time::Duration;

const PATH: &str =
    "/workflows/0a/triggers/manual/paths/invoke?api-version=2016-06-01&sig=abcDEF123_secret";

async fn told(server: &Server, story: &Story) -> Attempt {
    let url = SecretUrl::new(server.url(PATH));
    let sink =
        Teams::new("teams".into(), url, Client::new(Duration::from_secs(30), false).unwrap());
    story.told(&sink).await
}

#[tokio::test]
async fn success_is_any_2xx() {
    for (status, expected) in [
        (200, "accepted"),
        (202, "accepted"),
        (204, "accepted"),
        (302, "refused"),
        (400, "hopeless"),
        (401, "hopeless"),
        (404, "hopeless"),
        (408, "refused"),
        (425, "refused"),
        (429, "refused"),
        (502, "refused"),
    ] {
        let attempt = told(&Server::saying(status, "").await, &Story::completed()).await;
        assert_eq!(word(&attempt), expected, "{status}: {attempt:?}");
    }
    let broken = Reply::Bytes(b"HTTP/1.1 202 X\r\ncontent-length: 2\r\n\r\no".to_vec());
    assert_eq!(word(&told(&Server::start(broken).await, &Story::completed()).await), "accepted");
    assert_eq!(
        word(&told(&Server::start(Reply::Hangup).await, &Story::completed()).await),
        "unknown"
    );
}

#[tokio::test]
async fn the_signature_in_the_url_is_not_kept() {
    let server =
        Server::saying(401, r#"{"error":"sig=abcDEF123_secret","given":"abcDEF123_secret"}"#).await;
    let error = error(told(&server, &Story::completed()).await);
    assert_eq!(error, r#"HTTP 401: {"error":"sig=[secret]","given":"[secret]"}"#);
}

#[tokio::test]
async fn a_message_is_an_adaptive_card() {
    let server = Server::saying(202, "").await;
    let attempt = told(&server, &Story::completed()).await;
    assert_eq!(attempt, Attempt::Accepted { result: Some("HTTP 202".into()), tells: None });
    let heard = server.heard_one();
    assert_eq!(heard.line, format!("POST {PATH} HTTP/1.1"));
    let sentence =
        format!("Pushed image hello-world:v1 ({TIMESTAMP}): in all 4 regions after 41 s");
    let regions = "eastus 0 s, westus 9 s, northeurope 12 s, westeurope 41 s";
    let expected = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    { "type": "TextBlock", "text": "In every region", "weight": "Bolder", "size": "Medium",
                      "color": "Good", "wrap": true },
                    { "type": "TextBlock", "text": sentence, "wrap": true },
                    { "type": "FactSet", "facts": [
                        { "title": "Registry", "value": "myregistry.azurecr.io" },
                        { "title": "Digest", "value": digest() },
                        { "title": "Regions", "value": regions },
                    ] },
                ],
                "msteams": { "width": "Full" },
            },
        }],
    });
    assert_eq!(heard.json(), expected);
}

fn sentence(story: &Story) -> String {
    let message = message(story.parcel());
    message["attachments"][0]["content"]["body"][1]["text"].as_str().unwrap().to_owned()
}

#[test]
fn markdown_in_an_event_is_only_text() {
    let text = sentence(&Story::completed().stamped("[ok](https://evil) **now**"));
    assert!(text.contains(r"(\[ok\](https://evil) \*\*now\*\*)"), "{text}");
    assert!(sentence(&Story::completed().repeated()).ends_with("after 41 s (repeat)"));
}

#[test]
fn no_card_is_too_big_for_teams() {
    let mut story = Story::timed_out().stamped(&"🦀".repeat(5_000));
    story.notice.missing = (0..64).map(|n| region(&format!("{n:0>50}"))).collect::<RegionSet>();
    assert!(message(story.parcel()).to_string().len() < 28 * 1024);
}
