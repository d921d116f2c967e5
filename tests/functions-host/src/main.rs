//! Runs an app by hand: `functions-host --app-root DIR --port N --settings FILE`, where the file
//! looks like `local.settings.json`. A key may be given with `--key VALUE`.

use std::env;
use std::error::Error;
use std::fs;

use functions_host::json::Json;
use functions_host::{Host, LogLine, LogSource};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, sleep};

const USAGE: &str = "functions-host --app-root DIR [--port N] [--settings FILE] [--key VALUE]";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = start().await?;
    say(&host.url("/"));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut shown = 0;
    loop {
        let lines = host.logs();
        lines[shown..].iter().for_each(show);
        shown = lines.len();
        tokio::select! {
            () = host.stopped() => break,
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
            () = sleep(Duration::from_millis(100)) => {}
        }
    }
    host.stop().await;
    host.logs()[shown..].iter().for_each(show);
    Ok(())
}

async fn start() -> Result<Host, Box<dyn Error>> {
    let mut root = None;
    let mut port = 7071;
    let mut settings = Json::Null;
    let mut keys = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--app-root" => root = Some(value),
            "--port" => port = value.parse()?,
            "--settings" => settings = Json::parse(&fs::read_to_string(value)?)?,
            "--key" => keys.push(value),
            _ => return Err(USAGE.into()),
        }
    }
    let values = settings.get("Values").map_or(&[][..], Json::members);
    let values = values.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let builder = Host::builder(root.ok_or(USAGE)?).port(port).settings(values).real_time();
    let builder = keys.into_iter().fold(builder, |builder, key| builder.key("default", key));
    Ok(builder.start().await?)
}

fn show(line: &LogLine) {
    match &line.source {
        LogSource::Stdout => say(&line.text),
        LogSource::Stderr => say(&format!("! {}", line.text)),
        LogSource::Function(name) => say(&format!("{name}: {}", line.text)),
        LogSource::Host => say(&format!("host: {}", line.text)),
    }
}

#[expect(clippy::print_stdout, reason = "a tool for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
