//! The fuzz targets without a fuzzer: every file of their corpora, and spoilt copies of them.

use crate::mutate::mutate;
use crate::targets;
use fastrand::Rng;
use std::path::Path;

/// Spoilt copies for each target in every run; fewer where one takes longer.
const COPIES: u64 = 10_000;
const FEWER: u64 = 1_500;

fn samples(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 4, "{target} has samples");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn replay(name: &str, copies: u64, target: fn(&[u8])) {
    let samples = samples(name);
    samples.iter().for_each(|sample| target(sample));
    for seed in 0..copies {
        let copy = mutate(&samples, &mut Rng::with_seed(seed));
        if std::panic::catch_unwind(|| target(&copy)).is_err() {
            panic!("{name}, seed {seed}: {}", String::from_utf8_lossy(&copy));
        }
    }
}

#[test]
fn no_body_of_a_registry_breaks_the_intake() {
    replay("acr_body", COPIES, targets::acr_body);
}

#[test]
fn no_body_of_docker_hub_breaks_the_intake() {
    replay("docker_hub_body", COPIES, targets::docker_hub_body);
}

#[test]
fn no_body_of_event_grid_breaks_the_intake() {
    replay("event_grid_body", COPIES, targets::event_grid_body);
}

#[test]
fn no_invocation_breaks_the_handler() {
    replay("functions_envelope", COPIES, targets::functions_envelope);
}

#[test]
fn no_row_breaks_the_store() {
    replay("row_decode", COPIES, targets::row_decode);
}

#[test]
fn no_answer_of_table_storage_breaks_its_client() {
    replay("table_answer", FEWER, targets::table_answer);
}

#[test]
fn no_setting_breaks_the_start_and_none_is_said_back() {
    replay("settings", FEWER, targets::settings);
}

#[test]
fn no_text_breaks_a_message_or_becomes_markup_in_it() {
    replay("slack_render", FEWER, targets::slack_render);
}
