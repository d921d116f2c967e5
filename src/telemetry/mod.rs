//! Logs: one JSON object on each line of standard output, which the Functions host takes as information.
//!
//! A thread of its own writes them: whoever reads them may stop to, and webhooks are to be answered all the same.

mod lines;

pub use lines::Logs;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::panic;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What we log ourselves: the crates, and the sink `log`.
const OWN: [&str; 3] = ["acr_fanin", "azure_data_tables", "notice"];

/// Begins to log. `RUST_LOG` in `env` chooses what, else `default` does. The last lines are written when what is
/// returned is dropped.
///
/// # Errors
/// When there is no standard output, or no thread can be started.
pub fn start(env: &BTreeMap<String, String>, default: &str) -> std::io::Result<Logs> {
    let asked = env.get("RUST_LOG").filter(|asked| !asked.is_empty());
    let asked = asked.map(|asked| directives(asked));
    let asked = asked.and_then(|asked| EnvFilter::try_new(asked).ok());
    let filter = asked.unwrap_or_else(|| EnvFilter::new(default));
    // A handle of its own: the library's is locked while somebody waits to write.
    let (out, logs) = lines::start(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))?;
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(out)
        .with_env_filter(filter)
        .with_ansi(false);
    // Somebody, a test, may have begun already; then his choice stands.
    drop(lines.try_init());
    // A panic is logged like everything else, with its place and without its payload, which may hold anything.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of ours: please report it");
    }));
    Ok(logs)
}

/// A level that names no target is for what we log ourselves. Below `info` libraries log what they are given,
/// addresses and headers among it, so that each of them has to be asked for by name.
fn directives(asked: &str) -> String {
    let ours = |directive: &str| match directive.trim().parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::INFO => {
            OWN.map(|own| format!("{own}={level}")).join(",") + ",info"
        }
        _ => directive.to_owned(),
    };
    asked.split(',').map(ours).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_for_what_we_log_ourselves() {
        let own = "acr_fanin=trace,azure_data_tables=trace,notice=trace,info";
        assert_eq!(directives("trace"), own);
        assert_eq!(directives(" TRACE ,h2=off"), format!("{own},h2=off"));
        assert_eq!(directives("5"), own);
        for asked in ["", "off", "warn", "info", "hyper=trace", "acr_fanin=debug,info", "nonsense!"]
        {
            assert_eq!(directives(asked), asked);
        }
        EnvFilter::try_new(directives("debug")).unwrap();
    }
}
