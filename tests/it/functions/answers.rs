//! What callers of the host get: keys, refusals, encodings, Event Grid.

use super::{KEY, Running, SECRET, Stage};
use crate::support::{Answer, acr_push};
use functions_host::wire::{self, Head};
use serde_json::{Value, json};
use watched::WEBHOOK_SECRET;

async fn running() -> (Stage, Running) {
    let stage = Stage::new("northeurope,westeurope");
    let running = stage.start().await;
    (stage, running)
}

async fn nothing_is_stored(running: &Running) {
    assert_eq!(running.get("/api/status").await.json()["pushes"], json!([]));
    assert_eq!(running.messages().await, [""; 0]);
}

#[tokio::test]
async fn the_host_asks_for_a_key_before_the_handler_is_called() {
    let (_stage, running) = running().await;
    let (url, body) =
        (running.host.url("/api/ImagePush?region=westeurope"), acr_push("1", "app", "v1", 'a'));
    let client = reqwest::Client::new();
    for request in [
        client.post(&url).json(&body),
        client.post(format!("{url}&code=wrong")).json(&body),
        client.post(&url).header("x-functions-key", "wrong").json(&body),
        client.get(running.host.url("/api/status")),
        client.get(running.host.url("/api/status/abc")),
    ] {
        assert_eq!(Answer::of(request).await.status, 401);
    }
    nothing_is_stored(&running).await;
    let with_code = client.post(format!("{url}&code={KEY}")).json(&body);
    assert_eq!(Answer::of(with_code).await.brief(), (202, "recorded".to_owned()));
    let status = client.get(running.host.url(&format!("/api/status?code={KEY}")));
    assert_eq!(Answer::of(status).await.status, 200);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let (_stage, running) = running().await;
    let body = acr_push("1", "app", "v1", 'a');
    let missing = running.post("", &body).await;
    assert_eq!(missing.status, 400);
    assert!(missing.brief().1.contains("region querystring value missing"), "{}", missing.text);
    let unknown = running.post("mars", &body).await;
    assert_eq!(unknown.status, 400);
    let sentence = "region querystring value is not in the configured regions";
    assert!(unknown.brief().1.contains(sentence), "{}", unknown.text);
    for bad in ["not json", "{}", "[1", "\"text\"", r#"{"action":"push"}"#] {
        let answer = running.post_bytes("westeurope", "application/json", bad.as_bytes()).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
        assert!(answer.headers["content-type"].starts_with("application/json"));
    }
    assert_eq!(running.get("/api/ImagePush?region=westeurope").await.status, 400, "no body");
    let put = running.request("PUT", "/api/ImagePush?region=westeurope").json(&body);
    assert_eq!(Answer::of(put).await.status, 404, "the host knows no such route");
    assert_eq!(Answer::of(running.request("POST", "/api/status").json(&body)).await.status, 404);
    nothing_is_stored(&running).await;
}

#[tokio::test]
async fn secrets_and_registries_are_checked_behind_the_host() {
    let stage = Stage::new("northeurope,westeurope")
        .with("FANIN_WEBHOOK_SECRET", SECRET)
        .with("FANIN_REGISTRIES", "myregistry.azurecr.io");
    let running = stage.start().await;
    let good = acr_push("1", "app", "v1", 'a');
    let mut other = good.clone();
    other["request"]["host"] = json!("other.azurecr.io");
    let send = async |secret: &str, body: &Value| {
        let request = running.request("POST", "/api/ImagePush?region=westeurope");
        Answer::of(request.header("x-fanin-secret", secret).json(body)).await
    };
    assert_eq!(running.post("westeurope", &good).await.status, 401);
    assert_eq!(send("wrong", &good).await.status, 401);
    assert_eq!(send(SECRET, &other).await.status, 403);
    nothing_is_stored(&running).await;
    assert_eq!(send(SECRET, &good).await.brief(), (202, "recorded".to_owned()));
    let logs = format!("{:?}", running.handler_logs());
    assert!(!logs.contains("canary"), "{logs}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_next_one_is_not() {
    let (_stage, running) = running().await;
    let mut body = acr_push("1", "app", "v1", 'a');
    let good = body.clone();
    for kibibytes in [300, 3 * 1024, 6 * 1024] {
        body["pad"] = "\"x".repeat(kibibytes * 512).into();
        let answer = running.post("westeurope", &body).await;
        assert_eq!(answer.status, 413, "{kibibytes} KiB: {}", answer.text);
        assert!(answer.brief().1.contains("256 KiB"), "{}", answer.text);
    }
    body["pad"] = "\"x".repeat(80 * 1024).into();
    assert_eq!(running.post("westeurope", &body).await.brief(), (202, "recorded".to_owned()));
    assert_eq!(running.post("northeurope", &good).await.brief(), (200, "completed".to_owned()));
    running.drain().await;
}

#[tokio::test]
async fn a_chunked_webhook_is_told_to_send_its_length() {
    let (_stage, running) = running().await;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let head = Head {
        first: "POST /api/ImagePush?region=westeurope HTTP/1.1".to_owned(),
        headers: vec![
            header("Host", &running.host.address().to_string()),
            header("x-functions-key", KEY),
            header("x-fanin-secret", WEBHOOK_SECRET),
            header("Content-Type", "application/json"),
            header("Transfer-Encoding", "chunked"),
        ],
    };
    let body = acr_push("1", "app", "v1", 'a').to_string();
    let answer = wire::exchange(running.host.address(), &head, body.as_bytes()).await.unwrap();
    assert_eq!(answer.head.status(), Some(400));
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let sentence = answer["error"].as_str().unwrap();
    assert!(sentence.contains("chunked") && sentence.contains("Content-Length"), "{sentence}");
    nothing_is_stored(&running).await;
}

#[tokio::test]
async fn a_body_is_read_in_whatever_way_the_host_passes_it_on() {
    let (_stage, running) = running().await;
    let body = acr_push("1", "app", "v1", 'a').to_string().into_bytes();
    let bom = [&[0xef, 0xbb, 0xbf], &body[..]].concat();
    let recorded = (202, "recorded".to_owned());
    let duplicate = (200, "duplicate".to_owned());
    let post =
        async |kind: &str, body: &[u8]| running.post_bytes("westeurope", kind, body).await.brief();
    assert_eq!(post("application/octet-stream", &body).await, recorded);
    assert_eq!(post("application/octet-stream", &bom).await, duplicate);
    assert_eq!(post("application/json", &bom).await, duplicate);
    assert_eq!(post("application/vnd.docker.distribution.events.v1+json", &body).await, duplicate);
    assert_eq!(post("text/plain", &body).await, duplicate);
}

#[tokio::test]
async fn what_is_no_text_is_refused() {
    let (_stage, running) = running().await;
    // What gzip makes begins with these bytes; the host passes them on as what is left of them.
    let gzip = [0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x56, 0x4a, 0x4c];
    let body = acr_push("1", "app", "v#", 'a').to_string().into_bytes();
    let bad: Vec<u8> = body.iter().map(|b| if *b == b'#' { 0xff } else { *b }).collect();
    for kind in ["application/json", "application/octet-stream"] {
        for body in [&gzip[..], &bad] {
            let request = running.request("POST", "/api/ImagePush?region=westeurope");
            let request = request.header("content-type", kind).header("content-encoding", "gzip");
            let answer = Answer::of(request.body(body.to_vec())).await;
            assert_eq!(answer.status, 400, "{kind}: {}", answer.text);
        }
    }
    nothing_is_stored(&running).await;
}

fn event(body: &Value, location: &str) -> Value {
    let mut data = body.clone();
    data["location"] = json!(location);
    json!({
        "id": "831e1650", "topic": "/subscriptions/s", "subject": "app:v1", "eventTime": "2026-11-20T10:00:00Z",
        "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": data, "dataVersion": "1.0",
    })
}

#[tokio::test]
async fn event_grid_sends_arrays_and_rings_for_each_push_that_is_complete() {
    let (stage, running) = running().await;
    let (one, two) = (acr_push("1", "app", "v1", 'a'), acr_push("2", "app", "v2", 'b'));
    let events = json!([
        event(&one, "West Europe"),
        event(&two, "westeurope"),
        event(&one, "mars"),
        event(&json!({}), "westeurope"),
    ]);
    let answer = running.post("", &events).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let results = |answer: &Answer| -> Vec<String> {
        let json = answer.json();
        let results = json["results"].as_array().unwrap().iter();
        results.map(|result| result["result"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(results(&answer), ["recorded", "recorded", "ignored", "ignored"]);
    let events = json!([event(&one, "northeurope"), event(&two, "northeurope")]);
    assert_eq!(results(&running.post("", &events).await), ["completed", "completed"]);
    assert_eq!(running.post("northeurope", &one).await.brief(), (200, "duplicate".to_owned()));
    assert_eq!(running.drain().await, 2);
    assert_eq!(stage.told().len(), 2);
    stage.assert_nothing_is_left(&running).await;
}

#[tokio::test]
async fn both_handshakes_are_answered_through_the_host() {
    let stage = Stage::new("westeurope").with("FANIN_WEBHOOK_SECRET", SECRET);
    let running = stage.start().await;
    let handshake = json!([{
        "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "subject": "", "topic": "t",
        "eventTime": "2026-11-20T10:00:00Z", "dataVersion": "1", "data": { "validationCode": "512d38b6" },
    }]);
    let answer = running.post("", &handshake).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "validationResponse": "512d38b6" })));
    let options = running.request("OPTIONS", "/api/ImagePush");
    let answer = Answer::of(options.header("WebHook-Request-Origin", "eventgrid.azure.net")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.headers["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers["webhook-allowed-rate"], "*");
}

#[tokio::test]
async fn what_nobody_follows_is_ignored_with_its_reason() {
    let (_stage, running) = running().await;
    let ping = json!({ "id": "1", "timestamp": "2026-11-20T10:00:00Z", "action": "ping" });
    let mut untagged = acr_push("1", "app", "v1", 'a');
    untagged["target"].as_object_mut().unwrap().remove("tag");
    for (region, body) in [("", ping), ("westeurope", untagged)] {
        let answer = running.post(region, &body).await;
        assert_eq!(answer.brief(), (200, "ignored".to_owned()), "{}", answer.text);
        assert!(answer.json()["reason"].is_string());
    }
    nothing_is_stored(&running).await;
}
