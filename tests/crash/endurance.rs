//! Load for a long time, with duplicates, faults and kills, by hand: memory must not grow with what is kept, and
//! nothing may be lost.
//!
//! The first third of the time the process is killed now and then; afterwards one process lives to the end, and
//! its memory is read. `FANIN_ENDURANCE_MINUTES` and `FANIN_ENDURANCE_RATE`, webhooks a second, set another measure.

use crate::alone::Alone;
use crate::home::Home;
use crate::ledger::Ledger;
use crate::proxy::Fault;
use crate::registry::Registry;
use crate::world::World;
use crate::{progress, setting};
use futures_util::future::join_all;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Of a hundred webhooks.
const DOUBLED: u8 = 20;
/// Of a hundred requests to the sink, and to the table.
const TROUBLED: u8 = 5;
/// Refused; accepted, and no answer; accepted, and a reset.
const SINK_FAULTS: [Fault; 3] = [Fault::Unavailable, Fault::HalfOpen, Fault::ResetAfter];
const TABLE_FAULTS: [Fault; 3] = [Fault::ResetBefore, Fault::ResetAfter, Fault::Unavailable];
const SENDERS: usize = 64;
const AT_ONCE: usize = 300;
const CARRIERS: usize = 8;
const TICKS: Duration = Duration::from_secs(15);
/// A process that is to be killed lives so long, in seconds.
const LIFE: std::ops::Range<u64> = 10..30;
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// Of a hundred parts of the time without kills, so many are not looked at: 3 minutes of 20.
const WARM_UP: u32 = 15;
/// In seconds.
const PAST_DEADLINES: i64 = 70;
const GROWTH_MIB_MAX: f64 = 2.0;
const SETTINGS: [(&str, &str); 4] = [
    ("WebhookRegions", crate::registry::REGIONS),
    ("WebhookTimeout", "1m"),
    ("FANIN_SINK_TIMEOUT", "1s"),
    // What goes well says nothing, as much of it as there is.
    ("RUST_LOG", "acr_fanin=warn,acr_fanin::cli=info,acr_fanin::functions=info"),
];

struct Run<'a, H> {
    home: &'a H,
    begun: Instant,
    rate: u64,
    length: Duration,
    registry: Registry,
    slots: AtomicU64,
    done: AtomicBool,
    refused: AtomicU64,
    unheard: AtomicU64,
    answers: Mutex<Vec<Duration>>,
    ledger: Mutex<Ledger>,
}

/// Memory in MiB at a time.
type Sample = (Duration, f64);

impl<H: Home> Run<'_, H> {
    /// Sends when its turn is, or as soon as it can.
    async fn send(&self) {
        const PAUSE: Duration = Duration::from_millis(20);
        while let Some((hook, region)) = self.registry.next() {
            let slot = self.slots.fetch_add(1, Ordering::Relaxed);
            let at = self.begun + Duration::from_micros(slot * 1_000_000 / self.rate);
            tokio::time::sleep_until(at.into()).await;
            if self.begun.elapsed() >= self.length {
                self.registry.close();
            }
            let sent = Instant::now();
            match self.home.push(&hook, region).await {
                Ok(true) => self.answers.lock().unwrap().push(sent.elapsed()),
                Ok(false) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    self.registry.again((hook, region));
                }
                Err(_) => {
                    self.unheard.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                    // Half of the senders try once only.
                    if fastrand::bool() {
                        self.registry.again((hook, region));
                    }
                }
            }
        }
    }

    /// Takes what was acknowledged into the ledger.
    fn enter(&self) {
        let acks = std::mem::take(&mut *self.home.acks().lock().unwrap());
        self.ledger.lock().unwrap().enter(acks);
    }

    /// Waits so long, or until the load is over; looks at the process meanwhile.
    async fn watch(&self, until: Option<Instant>) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut next = Instant::now() + SAMPLE_EVERY;
        while !self.done.load(Ordering::Relaxed) && until.is_none_or(|u| Instant::now() < u) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if Instant::now() < next {
                continue;
            }
            next += SAMPLE_EVERY;
            self.enter();
            let kib = self.home.wire().resident_kib().expect("the process has ended by itself");
            let mib = kib as f64 / 1024.0;
            let sent = self.slots.load(Ordering::Relaxed);
            progress(&format!(
                "{:>5} s {sent:>8} sent {mib:.2} MiB",
                self.begun.elapsed().as_secs()
            ));
            samples.push((self.begun.elapsed(), mib));
        }
        samples
    }

    /// One process after the other; the memory of the last one.
    async fn lives(&self) -> Vec<Sample> {
        let killing = self.begun + self.length / 3;
        loop {
            let death = Instant::now() + Duration::from_secs(fastrand::u64(LIFE));
            let until = Some(death).filter(|death| *death < killing);
            let life = async {
                let samples = self.watch(until).await;
                self.home.wire().kill();
                samples
            };
            let ((), samples) = futures_util::join!(self.home.tend(TICKS, CARRIERS), life);
            if until.is_none() {
                return samples;
            }
            self.home.restart().await;
        }
    }
}

/// How much it would grow in an hour, in MiB, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let points = || samples.iter().map(|(at, mib)| (at.as_secs_f64() / 3_600.0, *mib));
    let mean = |sum: f64| sum / count;
    let (x_mean, y_mean) = (mean(points().map(|p| p.0).sum()), mean(points().map(|p| p.1).sum()));
    let over: f64 = points().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    over / points().map(|(x, _)| (x - x_mean).powi(2)).sum::<f64>()
}

fn quantile(answers: &[Duration], of_thousand: usize) -> f64 {
    answers[(answers.len() - 1) * of_thousand / 1_000].as_secs_f64() * 1e3
}

async fn endure<H: Home>(home: &H, name: &str, usual_rate: usize) {
    let minutes = setting("FANIN_ENDURANCE_MINUTES", 30);
    let rate = setting("FANIN_ENDURANCE_RATE", usual_rate);
    home.restart().await;
    home.wire().troubles("slack", &SINK_FAULTS, TROUBLED);
    home.wire().troubles("table", &TABLE_FAULTS, TROUBLED);
    let run = Run {
        home,
        begun: Instant::now(),
        rate: rate.try_into().unwrap(),
        length: Duration::from_secs(60 * u64::try_from(minutes).unwrap()),
        registry: Registry::new(AT_ONCE, DOUBLED),
        slots: AtomicU64::new(0),
        done: AtomicBool::new(false),
        refused: AtomicU64::new(0),
        unheard: AtomicU64::new(0),
        answers: Mutex::default(),
        ledger: Mutex::default(),
    };
    let load = async {
        join_all((0..SENDERS).map(|_| run.send())).await;
        run.done.store(true, Ordering::Relaxed);
        run.begun.elapsed()
    };
    let (took, samples) = futures_util::join!(load, run.lives());
    home.wire().heal();
    run.enter();
    let growth = report(&run, name, took, &samples);
    let kills = home.wire().lives();
    home.pass(PAST_DEADLINES);
    home.settle().await;
    assert_eq!(home.markers().await, 0, "work is left");
    let statuses = run.ledger.into_inner().unwrap().check(home).await;
    let repeats = home.slack().repeats();
    let (unknown, same_life) =
        (home.logs().unknown_outcomes("slack"), home.slack().repeats_in_one_life());
    progress(&format!(
        "{statuses:?}, {} notices, {repeats} told again, {same_life} of them by the same process, {unknown} calls of \
         unknown outcome, {kills} kills; 0 lost, 0 missing, 0 second decisions",
        home.slack().notices().len()
    ));
    home.logs().assert_clean();
    assert!(same_life <= unknown, "repeats without a kill between: {same_life} > {unknown}");
    assert!(growth <= GROWTH_MIB_MAX, "memory grows: {growth:.2} MiB");
}

/// Prints what is known before anything is checked; says how much the memory has grown after the warm-up, in MiB.
fn report<H: Home>(run: &Run<'_, H>, name: &str, took: Duration, samples: &[Sample]) -> f64 {
    let mut answers = run.answers.lock().unwrap().clone();
    answers.sort_unstable();
    let sent = run.slots.load(Ordering::Relaxed);
    let whole = took - samples[0].0;
    let warm: Vec<Sample> = samples
        .iter()
        .copied()
        .filter(|(at, _)| *at > samples[0].0 + whole * WARM_UP / 100)
        .collect();
    let (first, last) = (warm[0], warm[warm.len() - 1]);
    let (over, per_hour) = (last.0 - first.0, slope(&warm));
    let growth = per_hour * over.as_secs_f64() / 3_600.0;
    let [p50, p99, longest] = [500, 990, 1_000].map(|of_thousand| quantile(&answers, of_thousand));
    progress(&format!(
        "{name}: {sent} webhooks of {} pushes in {:.1} min, {:.0}/s of {}/s wanted; {} answered with 2xx, {} with 503, \
         {} met a dead process; {} faults of the sink, {} of the table\n\
         answers: p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.0} ms\n\
         memory: {:.2} MiB after the warm-up, {:.2} MiB {:.1} min later; slope {per_hour:.2} MiB/h, {growth:.2} MiB in \
         that time",
        run.registry.pushed(),
        took.as_secs_f64() / 60.0,
        sent as f64 / took.as_secs_f64(),
        run.rate,
        answers.len(),
        run.refused.load(Ordering::Relaxed),
        run.unheard.load(Ordering::Relaxed),
        run.home.wire().faults_met("slack"),
        run.home.wire().faults_met("table"),
        first.1,
        last.1,
        over.as_secs_f64() / 60.0,
    ));
    growth
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half an hour, by hand"]
async fn a_handler_under_load_for_long_keeps_its_memory() {
    let home = World::new(&SETTINGS).await;
    home.table.create().await;
    endure(&home, "Azurite", 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half an hour, by hand"]
async fn a_standalone_server_under_load_for_long_keeps_its_memory() {
    let home = Alone::new(&SETTINGS).await;
    endure(&home, "SQLite", 1_000).await;
}
