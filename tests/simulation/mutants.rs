//! Faults that are put into the shipped path on purpose: a simulation that does not find them proves nothing.

use crate::{run, runtime};
use fan_in::mutant::{Mutant, choose};
use std::sync::Mutex;

/// A fault has to be found within so many seeds.
const SEEDS: u64 = 20_000;

/// The first seed that breaks an invariant, and which.
fn caught(mutant: Mutant) -> Option<(u64, String)> {
    let runtime = runtime();
    choose(Some(mutant));
    let found = (0..SEEDS).find_map(|seed| {
        let outcome = run(&runtime, seed, false);
        Some((seed, outcome.violations.first()?.clone()))
    });
    choose(None);
    found
}

#[test]
fn every_mutant_is_caught_within_twenty_thousand_seeds() {
    let left = Mutex::new(Mutant::ALL.to_vec());
    let escaped = Mutex::new(Vec::new());
    let work = || {
        while let Some(mutant) = { left.lock().unwrap().pop() } {
            match caught(mutant) {
                Some((seed, what)) => println!("{mutant:?}: caught by seed {seed}: {what}"),
                None => escaped.lock().unwrap().push(mutant),
            }
        }
    };
    std::thread::scope(|scope| {
        (0..crate::THREADS).for_each(|_| drop(scope.spawn(work)));
    });
    assert!(escaped.lock().unwrap().is_empty(), "not caught: {escaped:?}");
}
