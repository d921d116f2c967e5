//! How much the standalone home takes on: `cargo bench --bench standalone`.
//!
//! Starts the real binary on a fresh database, plays a registry with four regions on 64 connections, listens as
//! the sink, and prints one table. `PUSHES` sets another number of pushes, `RATE` webhooks a second instead of as
//! many as it takes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed"
)]

use actix_web::{HttpResponse, HttpServer, web};
use serde_json::json;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const REGIONS: [&str; 4] = ["northeurope", "westeurope", "eastus", "southeastasia"];
const CONNECTIONS: usize = 64;
/// A push's webhooks are spread over so many pushes.
const WINDOW: usize = 200;
/// One webhook of so many is delivered twice.
const DUPLICATE_EVERY: usize = 20;

type Heard = Arc<Mutex<HashMap<String, Vec<Instant>>>>;

#[derive(Clone, Copy)]
struct Webhook {
    push: usize,
    region: usize,
}

struct Sent {
    webhook: Webhook,
    begun: Instant,
    took: Duration,
    accepted: bool,
}

fn number(name: &str) -> Option<usize> {
    #[expect(clippy::disallowed_methods, reason = "a benchmark's own parameters")]
    std::env::var(name).ok()?.parse().ok()
}

/// The sink: notes when it heard of which push.
fn listen(heard: Heard) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(web::Data::new(Arc::clone(&heard)))
                .default_service(web::to(hear))
        });
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        actix_web::rt::System::new().block_on(server)
    });
    format!("http://{address}/")
}

async fn hear(heard: web::Data<Heard>, body: web::Json<serde_json::Value>) -> HttpResponse {
    let tag = body["target"]["tag"].as_str().unwrap_or_default().to_owned();
    heard.lock().unwrap().entry(tag).or_default().push(Instant::now());
    HttpResponse::Ok().finish()
}

fn serve(folder: &std::path::Path, sink: &str) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acr-fanin"));
    command.env_clear().env("WebhookRegions", REGIONS.join(",")).env("NOTIFY_WEBHOOK_URL", sink);
    command.env("RUST_LOG", "acr_fanin=warn,acr_fanin::cli=info");
    command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    (child, format!("http://{address}/api/ImagePush"))
}

fn plan(pushes: usize) -> Vec<Webhook> {
    fastrand::seed(1);
    let mut placed = Vec::new();
    for push in 0..pushes {
        for region in 0..REGIONS.len() {
            let at = push + fastrand::usize(..WINDOW);
            placed.push((at, Webhook { push, region }));
            if fastrand::usize(..DUPLICATE_EVERY) == 0 {
                placed.push((at + fastrand::usize(..WINDOW), Webhook { push, region }));
            }
        }
    }
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, webhook)| webhook).collect()
}

async fn post(client: &reqwest::Client, url: &str, webhook: Webhook) -> Sent {
    let Webhook { push, region } = webhook;
    let body = json!({
        "id": format!("{push}-{region}"), "timestamp": "2026-11-20T10:00:00Z", "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 524, "length": 524,
            "digest": format!("sha256:{push:064x}"), "repository": format!("team/app-{}", push % 50),
            "tag": format!("1.0.{push}"),
        },
        "request": { "id": "bench", "host": "bench.azurecr.io", "method": "PUT", "useragent": "docker" },
    });
    let begun = Instant::now();
    let answer = client.post(format!("{url}?region={}", REGIONS[region])).json(&body).send().await;
    let accepted = answer.is_ok_and(|answer| answer.status().is_success());
    Sent { webhook, begun, took: begun.elapsed(), accepted }
}

async fn drive(url: &str, plan: Vec<Webhook>, rate: Option<usize>) -> Vec<Sent> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (plan, next, begun) =
        (Arc::new(plan), Arc::new(AtomicUsize::new(0)), tokio::time::Instant::now());
    let connections = (0..CONNECTIONS).map(|_| {
        let (client, url, plan, next) =
            (client.clone(), url.to_owned(), Arc::clone(&plan), Arc::clone(&next));
        tokio::spawn(async move {
            let mut sent = Vec::new();
            while let Some((i, webhook)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, *plan.get(i)?)))
            {
                if let Some(rate) = rate {
                    tokio::time::sleep_until(
                        begun + Duration::from_secs_f64(i as f64 / rate as f64),
                    )
                    .await;
                }
                sent.push(post(&client, &url, webhook).await);
            }
            sent
        })
    });
    let mut all = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        all.extend(connection.await.unwrap());
    }
    all
}

/// Waits until every push was heard of, or nothing has come for a while.
async fn drain(heard: &Heard, pushes: usize) {
    let (mut seen, mut idle) = (0, 0);
    while seen < pushes && idle < 100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = heard.lock().unwrap().len();
        (seen, idle) = (now, if now == seen { idle + 1 } else { 0 });
    }
}

fn quantiles(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let at = |q: f64| all.get(((all.len() as f64 * q) as usize).min(all.len().saturating_sub(1)));
    let millis = |q| at(q).map_or(0.0, |d: &Duration| d.as_secs_f64() * 1e3);
    format!("p50 {:.2} ms, p99 {:.2} ms", millis(0.50), millis(0.99))
}

fn peak_rss_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

#[tokio::main]
async fn main() {
    let pushes = number("PUSHES").unwrap_or(5_000);
    let (folder, heard) = (tempfile::tempdir().unwrap(), Heard::default());
    let sink = listen(Arc::clone(&heard));
    let begun = Instant::now();
    let (mut child, url) = serve(folder.path(), &sink);
    let first = post(&reqwest::Client::new(), &url, Webhook { push: pushes, region: 0 }).await;
    let ready = begun.elapsed();
    assert!(first.accepted, "the first webhook was not accepted");
    let begun = Instant::now();
    let sent = drive(&url, plan(pushes), number("RATE")).await;
    let acks = begun.elapsed();
    drain(&heard, pushes).await;
    let rss = peak_rss_mib(child.id());
    child.kill().unwrap();
    child.wait().unwrap();

    let heard = heard.lock().unwrap();
    // What completes a push is the last region's first webhook.
    let mut first: HashMap<(usize, usize), Instant> = HashMap::new();
    for Sent { webhook: Webhook { push, region }, begun, .. } in &sent {
        let of = first.entry((*push, *region)).or_insert(*begun);
        *of = (*of).min(*begun);
    }
    let completing =
        |push| (0..REGIONS.len()).filter_map(|region| first.get(&(push, region))).max();
    let of = |push: usize| heard.get(&format!("1.0.{push}"));
    let told = |push| Some(of(push)?.first()?.saturating_duration_since(*completing(push)?));
    let accepted = sent.iter().filter(|s| s.accepted).count();
    println!("pushes {pushes}, webhooks {}, accepted {accepted}", sent.len());
    println!("webhooks/s       {:.0}", accepted as f64 / acks.as_secs_f64());
    println!("answer           {}", quantiles(sent.iter().map(|s| s.took).collect()));
    println!("last arrival to sink  {}", quantiles((0..pushes).filter_map(told).collect()));
    println!("start to first answer {:.1} ms", ready.as_secs_f64() * 1e3);
    println!("peak RSS         {rss:.1} MiB");
    println!(
        "not told {}, told twice {}",
        (0..pushes).filter(|p| of(*p).is_none()).count(),
        heard.values().filter(|all| all.len() > 1).count()
    );
}
