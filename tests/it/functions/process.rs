//! The handler as a process, and what it says.

use super::{KEY, SECRET, Stage};
use crate::support::{Answer, Happenings, acr_push, parse};
use functions_host::LogSource;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

#[tokio::test]
async fn the_logs_are_lines_of_json_without_keys_and_addresses() {
    let stage = Stage::new("northeurope,westeurope").with("FANIN_WEBHOOK_SECRET", SECRET);
    stage.slack.will(500, "canary-answer");
    let running = stage.start().await;
    let body = acr_push("1", "app", "v1", 'a');
    let send = async |path: &str, secret: &str| {
        let request = running.request("POST", &format!("{path}&code={KEY}"));
        Answer::of(request.header("x-fanin-secret", secret).json(&body)).await
    };
    let mut answers = vec![
        send("/api/ImagePush?region=northeurope", SECRET).await,
        send("/api/ImagePush?region=westeurope", SECRET).await,
        send("/api/ImagePush?region=mars", SECRET).await,
        send("/api/ImagePush?region=westeurope", "canary-wrong").await,
    ];
    running.drain().await;
    running.tick().await;
    answers.push(running.get(&format!("/api/status?image=app:v1&code={KEY}")).await);
    answers.push(running.get("/api/status").await);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [202, 200, 400, 401, 200, 200]);
    let logs = running.handler_logs();
    assert!(logs.iter().any(|line| line["message"] == "push decided"), "{logs:?}");
    assert!(logs.iter().any(|line| line["message"] == "not delivered"), "{logs:?}");
    let all = running.host.logs();
    let errors: Vec<_> = all.iter().filter(|line| line.source == LogSource::Stderr).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let account_key = azurite::shared().key();
    for text in answers
        .iter()
        .map(|a| format!("{}{:?}", a.text, a.headers))
        .chain(all.iter().map(|l| l.text.clone()))
    {
        let shown =
            ["canary-function", "canary-webhook", "canary-slack", "canary-wrong", account_key];
        assert!(!shown.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn wrong_settings_are_named_and_not_shown() {
    let stage = Stage::new("northeurope,mars,Mars");
    let wrong =
        [("WebhookTimeout", "canary1"), ("FANIN_TYPO", "canary2"), ("FANIN_RETRY", "canary3")];
    let said = stage.start_with(&wrong).await.unwrap_err().to_string();
    for name in ["WebhookRegions", "WebhookTimeout", "FANIN_TYPO", "FANIN_RETRY", "exit status: 78"]
    {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}

/// A shell plays the host, since only the death of the process that started the handler makes an orphan of it.
#[test]
fn a_handler_ends_with_the_host_that_was_killed() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let mut host = Command::new("/bin/sh")
        .args(["-c", "\"$0\" & wait", env!("CARGO_BIN_EXE_acr-fanin")])
        .env_clear()
        .envs(watched::settings([
            ("FUNCTIONS_CUSTOMHANDLER_PORT", port.as_str()),
            ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
            ("WebhookRegions", "westeurope"),
            ("FANIN_QUEUE", "fanin-notify"),
            ("FANIN_SCHEDULE", "0 * * * * *"),
        ]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let logs: Happenings<Option<String>> = Happenings::default();
    let (lines, out) = (logs.clone(), host.stdout.take().unwrap());
    std::thread::spawn(move || {
        BufReader::new(out).lines().map_while(Result::ok).for_each(|line| lines.add(Some(line)));
        lines.add(None);
    });
    let said = |lines: &[Option<String>], text: &str| {
        lines.iter().flatten().any(|line| parse(line)["message"] == text)
    };
    logs.wait("the handler's start", |lines| said(lines, "ready for the Functions host"));
    host.kill().unwrap();
    host.wait().unwrap();
    // The output of the handler has an end when the handler has one.
    let all = logs.wait("the handler's end", |lines| lines.contains(&None));
    assert!(said(&all, "the Functions host is gone; ending with it"), "{all:?}");
}
