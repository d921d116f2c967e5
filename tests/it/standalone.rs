//! The standalone home, driven from outside.

use crate::support::{Answer, Receiver, Standalone, acr_push, run};
use serde_json::{Value, json};

const REGIONS: (&str, &str) = ("WebhookRegions", "northeurope, West Europe");

#[tokio::test]
async fn a_push_is_told_once_when_the_last_region_has_it() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let url = slack.url("/services/T0/B0/canary-secret");
    let server = Standalone::start(folder.path(), &[REGIONS, ("SLACK_WEBHOOK_URL", &url)]);
    let body = acr_push("1", "team/app", "v1", 'a');
    let first = server.post("northeurope", &body).await;
    assert_eq!(first.brief(), (202, "recorded".to_owned()));
    let push = first.json()["push"].as_str().unwrap().to_owned();
    assert_eq!(first.headers["location"], format!("/api/status/{push}"));
    assert_eq!(
        first.json(),
        json!({
            "result": "recorded", "push": push, "image": "myregistry.azurecr.io/team/app:v1",
            "digest": format!("sha256:{}", "a".repeat(64)), "status": "waiting",
            "arrived": ["northeurope"], "missing": ["westeurope"],
        })
    );
    let waiting = server.get(&first.headers["location"]).await;
    assert_eq!((waiting.status, waiting.json()["status"].as_str()), (202, Some("waiting")));
    assert_eq!(server.post("WestEurope", &body).await.brief(), (200, "completed".to_owned()));
    let texts = slack.texts(1);
    let (start, end) = (
        "Pushed image team/app:v1 (2026-11-20T10:00:00.343145347Z): in all 2 regions after ",
        " s",
    );
    assert!(texts[0].starts_with(start) && texts[0].ends_with(end), "{}", texts[0]);
    assert_eq!(server.post("northeurope", &body).await.brief(), (200, "duplicate".to_owned()));

    let done = server.get(&format!("/api/status/{push}")).await;
    let view = done.json();
    assert_eq!(
        (done.status, &view["status"], &view["missing"]),
        (200, &json!("completed"), &json!([]))
    );
    let keys: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "push",
        "image",
        "registry",
        "repository",
        "tag",
        "digest",
        "action",
        "status",
        "firstSeen",
        "deadline",
        "decidedAt",
        "expected",
        "arrivals",
        "missing",
        "deliveries",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert!(!done.text.contains("secret") && !done.text.contains("127.0.0.1"), "{}", done.text);
    assert!(server.terminate().success());
    assert_eq!(slack.got.all().len(), 1, "told once");
}

#[tokio::test]
async fn a_missing_region_is_named_and_its_coming_is_told() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    let url = slack.url("/services/canary-of-slack");
    let settings = [REGIONS, ("WebhookTimeout", "0:0:1"), ("SLACK_WEBHOOK_URL", url.as_str())];
    let server = Standalone::start(folder.path(), &settings);
    let body = acr_push("1", "app", "v1", 'a');
    let push = server.post("westeurope", &body).await.json()["push"].as_str().unwrap().to_owned();
    let name = "Pushed image app:v1 (2026-11-20T10:00:00.343145347Z)";
    assert_eq!(slack.texts(1)[0], format!("{name}: timed out after 1 s, missing: northeurope"));
    assert_eq!(server.get(&format!("/api/status/{push}")).await.status, 504);
    assert_eq!(server.post("northeurope", &body).await.brief(), (200, "recovered".to_owned()));
    let recovered = &slack.texts(2)[1];
    assert!(
        recovered.starts_with(&format!("{name}: recovered, in all 2 regions after ")),
        "{recovered}"
    );
    assert!(recovered.ends_with(" s, was missing: northeurope"), "{recovered}");
    assert_eq!(server.get(&format!("/api/status/{push}")).await.status, 200);
}

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    slack.will(503, "no");
    let url = slack.url("/services/canary-of-slack");
    // A short limit of a call makes a short lease, for the case that the kill comes before the note of the refusal.
    let settings = [
        REGIONS,
        ("SLACK_WEBHOOK_URL", url.as_str()),
        ("FANIN_RETRY", "1s"),
        ("FANIN_SINK_TIMEOUT", "1s"),
    ];
    let body = acr_push("1", "app", "v1", 'a');
    let server = Standalone::start(folder.path(), &settings);
    assert_eq!(server.post("northeurope", &body).await.status, 202);
    server.kill();
    let server = Standalone::start(folder.path(), &settings);
    assert_eq!(server.post("westeurope", &body).await.brief(), (200, "completed".to_owned()));
    slack.wait(1);
    server.kill();
    let _server = Standalone::start(folder.path(), &settings);
    assert!(slack.texts(2)[1].contains("in all 2 regions"));
}

#[tokio::test]
async fn a_sink_that_fails_is_tried_again_as_the_settings_say() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    slack.will(500, "rollup_error");
    slack.will(200, "not ok");
    let url = slack.url("/services/canary-of-slack");
    let settings = [
        ("WebhookRegions", "westeurope"),
        ("SLACK_WEBHOOK_URL", url.as_str()),
        ("FANIN_RETRY", "1s,1s,1s"),
    ];
    let server = Standalone::start(folder.path(), &settings);
    let push =
        server.post("westeurope", &acr_push("1", "app", "v1", 'a')).await.json()["push"].clone();
    assert!(
        slack.texts(3).iter().all(|text| !text.ends_with("(repeat)")),
        "it was refused, not unsure"
    );
    let path = format!("/api/status/{}", push.as_str().unwrap());
    loop {
        let delivery = server.get(&path).await.json()["deliveries"][0].clone();
        if delivery["state"] == "done" {
            assert_eq!(
                (&delivery["attempts"], &delivery["notice"]),
                (&json!(3), &json!("completed"))
            );
            break;
        }
        assert_ne!(delivery["state"], "dead");
    }
}

#[tokio::test]
async fn a_hopeless_delivery_is_dead_at_once() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Receiver::start());
    slack.will(404, "no_service");
    let url = slack.url("/services/T0/B0/canary");
    let settings = [("WebhookRegions", "westeurope"), ("SLACK_WEBHOOK_URL", url.as_str())];
    let server = Standalone::start(folder.path(), &settings);
    let answer = server.post("westeurope", &acr_push("1", "app", "v1", 'a')).await;
    let path = format!("/api/status/{}", answer.json()["push"].as_str().unwrap());
    server
        .logs
        .wait("the refusal", |lines| lines.iter().any(|line| line.contains("not delivered")));
    let view = loop {
        let view = server.get(&path).await;
        if view.json()["deliveries"][0]["state"] == "dead" {
            break view;
        }
    };
    assert!(
        view.json()["deliveries"][0]["lastError"].as_str().unwrap().contains("404"),
        "{}",
        view.text
    );
    assert!(!view.text.contains("canary") && !server.logs.all().concat().contains("canary"));
}

#[tokio::test]
async fn the_webhook_sink_sends_what_a_registry_would_and_signs_it() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Receiver::start());
    let url = hook.url("/canary-of-a-hook");
    let settings = [
        ("WebhookRegions", "westeurope"),
        ("NOTIFY_WEBHOOK_URL", url.as_str()),
        ("NOTIFY_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let server = Standalone::start(folder.path(), &settings);
    let body = acr_push("1", "app", "v1", 'a');
    server.post("westeurope", &body).await;
    let got = hook.wait(1).remove(0);
    assert_eq!(got.path, "/canary-of-a-hook");
    assert_eq!(got.json()["target"], body["target"]);
    assert_eq!(got.json()["request"]["host"], "myregistry.azurecr.io");
    assert!(got.headers["user-agent"].starts_with("AzureContainerRegistry/"));
    assert!(got.headers["webhook-signature"].starts_with("v1,"));
    assert!(
        got.headers.contains_key("webhook-id") && got.headers.contains_key("webhook-timestamp")
    );
}

#[tokio::test]
async fn an_image_is_found_by_tag_digest_region_and_in_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[REGIONS]);
    let digest = format!("sha256:{}", "b".repeat(64));
    server.post("northeurope", &acr_push("1", "team/app", "v1", 'a')).await;
    server.post("northeurope", &acr_push("2", "team/app", "v2", 'b')).await;
    let status = async |query: &str| server.get(&format!("/api/status?{query}")).await;
    assert_eq!(status("image=team/app:v1").await.json()["tag"], "v1");
    assert_eq!(status("image=myregistry.azurecr.io/team/app:v2").await.json()["tag"], "v2");
    assert_eq!(status(&format!("image=team/app@{digest}")).await.json()["tag"], "v2");
    assert_eq!(status(&format!("image=team/app:v2@{digest}")).await.status, 202);
    assert_eq!(status("image=team/app:v2&region=North%20Europe").await.status, 200);
    assert_eq!(status("image=team/app:v2&region=westeurope").await.status, 202);
    assert_eq!(status("image=team/app:v2&since=2026-11-20T10:00:00Z").await.status, 202);
    for absent in [
        "image=other.azurecr.io/team/app:v1",
        "image=team/app:v3",
        "image=team/app:v2&since=2026-11-21T00:00:00Z",
    ] {
        assert_eq!(status(absent).await.status, 404, "{absent}");
    }
    for bad in [
        "image=team/app",
        "image=",
        "image=a:b&since=x",
        "image=a:b&region=%2F",
        "limit=0",
        "limit=201",
        "limit=x",
        "after=x",
    ] {
        let answer = status(bad).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
    let page = status("limit=1").await.json();
    assert_eq!(page["pushes"][0]["tag"], "v2");
    let next = status(&format!("limit=1&after={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((&next["pushes"][0]["tag"], &next["next"]), (&json!("v1"), &Value::Null));
    assert_eq!(server.get("/api/status/unknown").await.status, 404);
    assert_eq!(server.get("/API/STATUS").await.status, 200, "paths are compared without case");
}

#[tokio::test]
async fn bad_input_gets_a_sentence_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        REGIONS,
        ("FANIN_WEBHOOK_SECRET", "old-secret-text,new-secret-text"),
        ("FANIN_REGISTRIES", "myregistry.azurecr.io"),
        ("FANIN_REPOSITORIES", "team/*"),
    ];
    let server = Standalone::start(folder.path(), &settings);
    let good = acr_push("1", "team/app", "v1", 'a');
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let client = reqwest::Client::new();
    let send = async |method: reqwest::Method, query: &str, secret: &str, body: String| {
        let request =
            client.request(method, server.url(&format!("/api/ImagePush{query}"))).body(body);
        Answer::of(request.header("x-fanin-secret", secret)).await
    };
    let (post, west) = (reqwest::Method::POST, "?region=westeurope");
    let new = "new-secret-text";
    let cases = [
        (405, send(reqwest::Method::PUT, west, new, good.to_string()).await),
        (413, send(post.clone(), west, "wrong", "x".repeat(256 * 1024 + 1)).await),
        (401, send(post.clone(), west, "wrong", good.to_string()).await),
        (400, send(reqwest::Method::GET, west, new, String::new()).await),
        (400, send(post.clone(), west, new, String::new()).await),
        (400, send(post.clone(), west, new, "{\"id\": nope".to_owned()).await),
        (400, send(post.clone(), west, new, "[".repeat(100_000)).await),
        (400, send(post.clone(), "", new, good.to_string()).await),
        (400, send(post.clone(), "?region=mars", new, good.to_string()).await),
        (403, send(post.clone(), west, new, with("/request/host", json!("evil.azurecr.io"))).await),
        (400, send(post.clone(), west, new, with("/target/tag", json!("<!channel>"))).await),
        (400, send(post.clone(), west, new, with("/target/digest", json!("sha256:12"))).await),
        (400, send(post.clone(), west, new, with("/target/repository", json!("../x"))).await),
        (400, send(post.clone(), west, new, with("/timestamp", json!("yesterday"))).await),
    ];
    for (number, (status, answer)) in cases.iter().enumerate() {
        assert_eq!(answer.status, *status, "case {number}: {}", answer.text);
        assert!(
            !answer.brief().1.is_empty() && !answer.text.contains("channel"),
            "case {number}: {}",
            answer.text
        );
    }
    assert!(cases[7].1.text.contains("region querystring value missing"));
    let unknown = "region querystring value is not in the configured regions";
    assert!(cases[8].1.text.contains(unknown));
    let twice = send(post.clone(), "?region=westeurope&region=northeurope", new, good.to_string());
    assert_eq!(twice.await.brief(), (400, unknown.to_owned()), "as under the Functions host");
    let ignored = [
        send(post.clone(), "", new, json!({ "action": "ping" }).to_string()).await,
        send(post.clone(), west, new, with("/action", json!("quarantine"))).await,
        send(post.clone(), west, new, with("/action", json!("invented"))).await,
        send(post.clone(), west, new, with("/target/repository", json!("other/app"))).await,
    ];
    for answer in ignored {
        assert_eq!(answer.brief(), (200, "ignored".to_owned()), "{}", answer.text);
    }
    assert_eq!(server.get("/api/status").await.json()["pushes"], json!([]), "nothing was stored");
    assert_eq!(send(post, west, "old-secret-text", good.to_string()).await.status, 202);
}

#[tokio::test]
async fn event_grid_is_a_second_channel() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[REGIONS]);
    let body = acr_push("1", "app", "v1", 'a');
    let mut data = body.clone();
    data["location"] = json!("West Europe");
    let event = |data: &Value| {
        json!({
            "id": "831e1650", "topic": "/subscriptions/s", "subject": "app:v1", "eventTime": "2026-11-20T10:00:00Z",
            "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": data, "dataVersion": "1.0",
        })
    };
    let answer = server.post("", &json!([event(&data), event(&json!({}))])).await;
    assert_eq!(answer.status, 200);
    let results = answer.json()["results"].clone();
    assert_eq!(
        (&results[0]["result"], &results[1]["result"]),
        (&json!("recorded"), &json!("ignored"))
    );
    assert_eq!(server.post("westeurope", &body).await.brief(), (200, "duplicate".to_owned()));
    assert_eq!(server.post("northeurope", &body).await.brief(), (200, "completed".to_owned()));
    let handshake = json!([{
        "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "subject": "", "topic": "t",
        "eventTime": "2026-11-20T10:00:00Z", "dataVersion": "1", "data": { "validationCode": "512d38b6" },
    }]);
    assert_eq!(
        server.post("", &handshake).await.json(),
        json!({ "validationResponse": "512d38b6" })
    );
    let options =
        reqwest::Client::new().request(reqwest::Method::OPTIONS, server.url("/api/ImagePush"));
    let answer = Answer::of(options.header("WebHook-Request-Origin", "eventgrid.azure.net")).await;
    assert_eq!(
        (answer.status, answer.headers["webhook-allowed-origin"].as_str()),
        (200, "eventgrid.azure.net")
    );
}

#[tokio::test]
async fn the_read_token_guards_the_status_and_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[REGIONS, ("FANIN_READ_TOKEN", "canary-token")]);
    server.post("westeurope", &acr_push("1", "app", "v1", 'a')).await;
    for path in ["/api/status", "/api/status/x", "/metrics"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.headers.contains_key("www-authenticate"));
        let request = reqwest::Client::new().get(server.url(path));
        assert_ne!(Answer::of(request.bearer_auth("canary-token")).await.status, 401, "{path}");
        let request = reqwest::Client::new().get(server.url(path));
        assert_ne!(
            Answer::of(request.basic_auth("me", Some("canary-token"))).await.status,
            401,
            "{path}"
        );
    }
    let metrics = reqwest::Client::new().get(server.url("/metrics")).bearer_auth("canary-token");
    let metrics = Answer::of(metrics).await.text;
    assert!(metrics.contains("fanin_arrivals_total{result=\"recorded\"} 1"), "{metrics}");
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/nothing").await.status, 404);
    assert!(!server.logs.all().concat().contains("canary"));
}

#[tokio::test]
async fn health_and_metrics_are_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Standalone::start(folder.path(), &[REGIONS]);
    let client = reqwest::Client::new();
    for path in ["/healthz", "/metrics"] {
        let ask = async |method| Answer::of(client.request(method, server.url(path))).await;
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            assert_eq!(ask(method).await.status, 200, "{path}");
        }
        for method in [reqwest::Method::POST, reqwest::Method::DELETE, reqwest::Method::OPTIONS] {
            let answer = ask(method).await;
            let allowed = answer.headers["allow"].as_str();
            assert_eq!((answer.status, allowed), (405, "GET, HEAD"), "{path}");
        }
    }
}

#[tokio::test]
async fn the_scripted_scenarios_play_against_any_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [REGIONS, ("FANIN_WEBHOOK_SECRET", "")];
    let server = Standalone::start(folder.path(), &settings);
    let url = server.url("/api/ImagePush");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/simulate");
    for scenario in ["simple", "interleaved", "timeout"] {
        let (code, out, err) =
            run(std::process::Command::new(script).args([scenario, "--url", &url]));
        assert_eq!(code, Some(0), "{scenario}: {out}{err}");
    }
    let pushes = server.get("/api/status").await.json()["pushes"].clone();
    let mut statuses: Vec<_> =
        pushes.as_array().unwrap().iter().map(|push| push["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["completed", "completed", "completed", "waiting"]);
}
