use super::server::{Reply, Server};
use super::{Story, TIMESTAMP, digest, error, region, word};
use crate::secret::SecretUrl;
use crate::sink::client::Client;
use crate::sink::slack::{Slack, message};
use fan_in::{Attempt, RegionSet};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXX";

fn slack(server: &Server, timeout: Duration) -> Slack {
    let url = SecretUrl::new(server.url(PATH));
    Slack::new("slack".into(), url, Client::new(timeout, false).unwrap())
}

async fn told(reply: Reply) -> Attempt {
    let server = Server::start(reply).await;
    Story::completed().told(&slack(&server, Duration::from_secs(30))).await
}

#[tokio::test]
async fn success_is_200_and_ok_and_nothing_else() {
    for (status, body, expected) in [
        (200, "ok", "accepted"),
        (200, "ok\n", "accepted"),
        (200, "<html>login</html>", "refused"),
        (200, "", "refused"),
        (202, "ok", "refused"),
        (302, "ok", "refused"),
        (400, "invalid_payload", "hopeless"),
        (403, "action_prohibited", "hopeless"),
        (404, "no_service", "hopeless"),
        (410, "channel_is_archived", "hopeless"),
        (408, "", "refused"),
        (425, "", "refused"),
        (429, "", "refused"),
        (500, "rollup_error", "refused"),
        (503, "", "refused"),
    ] {
        let attempt = told(Reply::new(status, "", body)).await;
        assert_eq!(word(&attempt), expected, "{status} {body}: {attempt:?}");
    }
    assert_eq!(error(told(Reply::new(404, "", "no_service\r\n")).await), "HTTP 404: no_service");
    assert_eq!(error(told(Reply::new(503, "", "")).await), "HTTP 503");
}

#[tokio::test]
async fn slack_may_ask_for_a_pause() {
    let attempt = told(Reply::new(429, "retry-after: 30\r\n", "")).await;
    let retry_after = Some(Duration::from_secs(30));
    assert_eq!(attempt, Attempt::Refused { error: "HTTP 429".into(), retry_after });
}

#[tokio::test]
async fn without_an_answer_nobody_knows() {
    assert_eq!(word(&told(Reply::Hangup).await), "unknown");
    assert_eq!(
        word(&told(Reply::Bytes(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\no".to_vec())).await),
        "unknown"
    );
    let silent = Server::start(Reply::Silence).await;
    assert_eq!(
        word(&Story::completed().told(&slack(&silent, Duration::from_secs(1))).await),
        "unknown"
    );
}

#[tokio::test]
async fn who_is_not_reached_may_be_told_later() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = SecretUrl::new(url::Url::parse(&format!("http://127.0.0.1:{closed}{PATH}")).unwrap());
    let sink =
        Slack::new("slack".into(), url, Client::new(Duration::from_secs(30), false).unwrap());
    assert_eq!(word(&Story::completed().told(&sink).await), "refused");
}

#[tokio::test]
async fn an_answer_that_says_the_url_back_is_not_kept_as_it_is() {
    let echo =
        format!("no hook at https://hooks.slack.com{PATH}, {PATH} or XXXXXXXXXXXXXXXX\u{1b}[0m");
    let error = error(told(Reply::new(404, "", &echo)).await);
    assert_eq!(error, "HTTP 404: no hook at [url] [secret] or [secret][0m");
}

#[tokio::test]
async fn a_message_is_text_and_blocks() {
    let server = Server::saying(200, "ok").await;
    let attempt =
        Story::timed_out().repeated().told(&slack(&server, Duration::from_secs(30))).await;
    assert_eq!(attempt, Attempt::Accepted { result: Some("HTTP 200: ok".into()), tells: None });
    let heard = server.heard_one();
    assert_eq!(heard.line, format!("POST {PATH} HTTP/1.1"));
    assert_eq!(heard.header("content-type"), Some("application/json"));
    let sentence = format!(
        "Pushed image hello-world:v1 ({TIMESTAMP}): timed out after 10 m, missing: westeurope (repeat)"
    );
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let expected = json!({
        "text": sentence,
        "mrkdwn": false,
        "blocks": [
            { "type": "header", "text": plain("Timed out") },
            { "type": "section", "text": plain(&sentence) },
            { "type": "section", "fields": [
                plain("Registry\nmyregistry.azurecr.io"),
                plain(&format!("Digest\n{}", digest())),
                plain("Regions\neastus 0 s, westus 9 s, northeurope 12 s"),
                plain("Missing\nwesteurope"),
            ] },
        ],
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    });
    assert_eq!(heard.json(), expected);
}

#[test]
fn a_late_notice_says_what_was_known_in_its_time() {
    let fields = |story: &Story| message(story.parcel())["blocks"][2].to_string();
    let mut recovered_since = Story::recovered();
    recovered_since.notice = Story::timed_out().notice;
    assert_eq!(fields(&recovered_since), fields(&Story::timed_out()));
    assert!(fields(&Story::recovered()).contains("westeurope 17 m"));
    assert!(fields(&Story::recovered()).contains("Was missing"));
}

#[test]
fn slacks_commands_in_a_text_are_only_text() {
    let story = Story::completed().stamped("<!channel> <@U1> <https://evil|ok> *b* \"&amp;\"");
    let message = message(story.parcel());
    let text = message["text"].as_str().unwrap();
    let escaped = "(&lt;!channel&gt; &lt;@U1&gt; &lt;https://evil|ok&gt; *b* \"&amp;amp;\")";
    assert!(text.contains(escaped), "{text}");
    assert_eq!(message["blocks"][1]["text"]["text"], text);
}

#[test]
fn the_most_regions_there_can_be_fit() {
    let mut story = Story::timed_out();
    story.notice.missing = (0..64).map(|n| region(&format!("{n:0>50}"))).collect::<RegionSet>();
    check(&message(story.parcel()));
}

/// What Slack would refuse.
fn check(message: &Value) {
    let raw = message.to_string();
    assert!(!raw.contains(['<', '>']), "{raw}");
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), *message);
    let chars = |value: &Value| value["text"].as_str().unwrap().chars().count();
    assert!((1..=4_000).contains(&chars(message)));
    let blocks = message["blocks"].as_array().unwrap();
    assert!(chars(&blocks[0]["text"]) <= 150 && chars(&blocks[1]["text"]) <= 3_000);
    let fields = blocks[2]["fields"].as_array().unwrap();
    assert!(fields.len() <= 10 && fields.iter().all(|field| chars(field) <= 2_000));
    assert!(!message["text"].as_str().unwrap().chars().any(char::is_control));
}

proptest! {
    #[test]
    fn whatever_an_event_holds_the_message_is_one_that_slack_takes(
        timestamp in prop_oneof![any::<String>(), "[<>&\"\\\\\u{202e}\u{0}!@|a]{0,300}", ".{0,5000}"],
        repeat: bool,
    ) {
        let mut story = Story::timed_out().stamped(&timestamp);
        story.claim.repeat = repeat;
        check(&message(story.parcel()));
    }
}
