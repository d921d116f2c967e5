//! Logs: one JSON object on each line of standard output, which the Functions host takes as information.

use std::panic;
use tracing_subscriber::EnvFilter;

/// Begins to log. `RUST_LOG` chooses what, else `default` does.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_ansi(false);
    // Somebody, a test, may have begun already; then his choice stands.
    drop(lines.try_init());
    // A panic is logged like everything else, with its place and without its payload, which may hold anything.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a fault of ours: please report it");
    }));
}
