//! Settings: lines `NAME=value`, an empty line, and the text of `fanin.toml`.

use acr_fanin::config::{self, Home};
use std::collections::BTreeMap;

/// Stands in every value of the second reading; no sentence of ours has it.
const CANARY: &str = "qzCANARYzq";

pub fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (lines, toml) = text.split_once("\n\n").unwrap_or((&text, ""));
    let pairs = || lines.lines().filter_map(|line| line.split_once('='));
    let plain: BTreeMap<String, String> =
        pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let marked: BTreeMap<String, String> =
        pairs().map(|(name, value)| (name.to_owned(), format!("{value}{CANARY}"))).collect();
    for home in [None, Some(Home::Functions), Some(Home::Standalone)] {
        read(&plain, toml, home);
        read(&marked, toml, home);
    }
}

/// What is wrong is said without saying the value.
fn read(env: &BTreeMap<String, String>, toml: &str, home: Option<Home>) {
    let said = match config::load_with_file(env, toml, home, None) {
        Ok(config) => {
            assert!(!config.policy.regions.is_empty());
            return;
        }
        Err(problems) => problems,
    };
    assert!(said.lines().count() > 0);
    for line in said.lines() {
        assert!(line.contains(": "), "{line}");
        assert!(!line.contains(CANARY) || toml.contains(CANARY), "{line}");
    }
}
