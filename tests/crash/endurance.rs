//! Load for a long time, with duplicates, faults and kills, by hand: memory must not grow with what is kept, and
//! nothing may be lost.
//!
//! The load comes in stretches. After each, everything has to be decided and told, and is held against what was
//! acknowledged; then it expires, and the product purges it, so that the store has no more to keep than it can.
//! In the first third of the load the process is killed now and then; afterwards one process lives to the end, and
//! its memory is read while load comes.
//!
//! `FANIN_ENDURANCE_MINUTES` and `FANIN_ENDURANCE_RATE`, webhooks a second, set another measure.

use crate::alone::Alone;
use crate::home::Home;
use crate::ledger::Ledger;
use crate::proxy::Fault;
use crate::registry::Registry;
use crate::world::World;
use crate::{progress, setting};
use futures_util::future::join_all;
use std::collections::BTreeMap;
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
const SETTINGS: [(&str, &str); 5] = [
    ("WebhookRegions", crate::registry::REGIONS),
    ("WebhookTimeout", "1m"),
    ("FANIN_SINK_TIMEOUT", "1s"),
    ("FANIN_RETENTION", "1d"),
    // What goes well says nothing, as much of it as there is.
    ("RUST_LOG", "acr_fanin=warn,acr_fanin::cli=info,acr_fanin::functions=info"),
];

/// What stays over all stretches.
struct Run<'a, H> {
    home: &'a H,
    rate: u64,
    /// How long load is to come, all stretches together.
    length: Duration,
    registry: Registry,
    sent: AtomicU64,
    refused: AtomicU64,
    unheard: AtomicU64,
    answers: Mutex<Vec<Duration>>,
    ledger: Mutex<Ledger>,
    /// Those of the process that lives.
    samples: Mutex<Vec<Sample>>,
    /// It has not gone through everything yet: what it holds does not count before.
    fresh: AtomicBool,
}

/// Load without a pause.
struct Stretch<'a, H> {
    run: &'a Run<'a, H>,
    begun: Instant,
    /// The load before it, and with it.
    from: Duration,
    to: Duration,
    slots: AtomicU64,
    done: AtomicBool,
}

/// Memory in MiB when load had come for that long.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    resident: f64,
    peak: f64,
}

impl<H: Home> Run<'_, H> {
    /// Takes what was acknowledged into the ledger.
    fn enter(&self) {
        let acks = std::mem::take(&mut *self.home.acks().lock().unwrap());
        self.ledger.lock().unwrap().enter(acks);
    }

    fn begin_samples(&self, fresh: bool) {
        self.samples.lock().unwrap().clear();
        self.fresh.store(fresh, Ordering::Relaxed);
    }

    /// Says how long load has come when it is over.
    async fn stretch(&self, from: Duration) -> Duration {
        let to = self.length.min(from.saturating_add(H::STRETCH));
        let (slots, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let stretch = Stretch { run: self, begun: Instant::now(), from, to, slots, done };
        self.registry.open();
        let load = async {
            join_all((0..SENDERS).map(|_| stretch.send())).await;
            stretch.done.store(true, Ordering::Relaxed);
            stretch.loaded()
        };
        let (loaded, ()) = futures_util::join!(load, stretch.lives());
        self.enter();
        loaded
    }
}

impl<H: Home> Stretch<'_, H> {
    fn loaded(&self) -> Duration {
        self.from + self.begun.elapsed()
    }

    /// Sends when its turn is, or as soon as it can.
    async fn send(&self) {
        const PAUSE: Duration = Duration::from_millis(20);
        let run = self.run;
        while let Some((hook, region)) = run.registry.next() {
            let slot = self.slots.fetch_add(1, Ordering::Relaxed);
            let at = self.begun + Duration::from_micros(slot * 1_000_000 / run.rate);
            tokio::time::sleep_until(at.into()).await;
            if self.loaded() >= self.to {
                run.registry.close();
            }
            run.sent.fetch_add(1, Ordering::Relaxed);
            let sent = Instant::now();
            match run.home.push(&hook, region).await {
                Ok(true) => run.answers.lock().unwrap().push(sent.elapsed()),
                Ok(false) => {
                    run.refused.fetch_add(1, Ordering::Relaxed);
                    run.registry.again((hook, region));
                }
                Err(_) => {
                    run.unheard.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(PAUSE).await;
                    // Half of the senders try once only.
                    if fastrand::bool() {
                        run.registry.again((hook, region));
                    }
                }
            }
        }
    }

    /// Waits so long, or until the load is over; looks at the process meanwhile.
    async fn watch(&self, until: Option<Instant>) {
        let run = self.run;
        let mut next = Instant::now() + SAMPLE_EVERY;
        while !self.done.load(Ordering::Relaxed) && until.is_none_or(|u| Instant::now() < u) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if Instant::now() < next {
                continue;
            }
            next += SAMPLE_EVERY;
            run.enter();
            let kib = run.home.wire().memory_kib().expect("the process has ended by itself");
            let [resident, peak] = [kib.0, kib.1].map(|kib| kib as f64 / 1024.0);
            let (at, sent) = (self.loaded(), run.sent.load(Ordering::Relaxed));
            progress(&format!(
                "{:>5} s {sent:>8} sent {resident:.2} MiB, at most {peak:.2} MiB",
                at.as_secs()
            ));
            run.samples.lock().unwrap().push(Sample { at, resident, peak });
        }
    }

    /// One process after the other in the first third of the load, then the last of them.
    async fn lives(&self) {
        let home = self.run.home;
        loop {
            let life = Duration::from_secs(fastrand::u64(LIFE));
            let dies = self.loaded() + life < self.run.length / 3;
            let life = async {
                self.watch(dies.then(|| Instant::now() + life)).await;
                if !self.done.load(Ordering::Relaxed) {
                    home.wire().kill();
                }
            };
            futures_util::join!(home.tend(TICKS, CARRIERS, &self.done), life);
            if self.done.load(Ordering::Relaxed) && !home.wire().has_ended() {
                return;
            }
            self.run.begin_samples(true);
            home.restart().await;
        }
    }
}

/// How much it has grown from the first of them to the last, in MiB, by least squares.
fn growth(samples: &[Sample], mib: fn(&Sample) -> f64) -> f64 {
    let count = samples.len() as f64;
    let points = || samples.iter().map(|sample| (sample.at.as_secs_f64(), mib(sample)));
    let mean = |sum: f64| sum / count;
    let (x_mean, y_mean) = (mean(points().map(|p| p.0).sum()), mean(points().map(|p| p.1).sum()));
    let both: f64 = points().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let slope = both / points().map(|(x, _)| (x - x_mean).powi(2)).sum::<f64>();
    slope * (samples[samples.len() - 1].at - samples[0].at).as_secs_f64()
}

fn quantile(answers: &[Duration], of_thousand: usize) -> f64 {
    answers[(answers.len() - 1) * of_thousand / 1_000].as_secs_f64() * 1e3
}

/// What was found in the stretches that are over.
#[derive(Debug, Default)]
struct Found {
    statuses: BTreeMap<String, usize>,
    notices: usize,
    repeats: usize,
    same_life: usize,
}

impl Found {
    /// Lets all work come to its end without faults, and holds everything that is kept against what was
    /// acknowledged and told. What is told later of one of these pushes is found the next time.
    async fn look<H: Home>(&mut self, run: &Run<'_, H>) {
        let home = run.home;
        home.wire().heal();
        home.pass(PAST_DEADLINES);
        home.settle().await;
        assert_eq!(home.markers().await, 0, "work is left");
        let mut ledger = std::mem::take(&mut *run.ledger.lock().unwrap());
        for (status, pushes) in ledger.check(home).await {
            *self.statuses.entry(status).or_default() += pushes;
        }
        self.notices += home.slack().notices().len();
        self.repeats += home.slack().repeats();
        self.same_life += home.slack().repeats_in_one_life();
        home.slack().forget();
        progress(&format!("{self:?}; 0 lost, 0 missing, 0 second decisions"));
    }
}

async fn endure<H: Home>(home: &H, name: &str, usual_rate: usize) {
    let minutes = setting("FANIN_ENDURANCE_MINUTES", 30);
    let rate = setting("FANIN_ENDURANCE_RATE", usual_rate);
    home.restart().await;
    let run = Run {
        home,
        rate: rate.try_into().unwrap(),
        length: Duration::from_secs(60 * u64::try_from(minutes).unwrap()),
        registry: Registry::new(AT_ONCE, DOUBLED),
        sent: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        unheard: AtomicU64::new(0),
        answers: Mutex::default(),
        ledger: Mutex::default(),
        samples: Mutex::default(),
        fresh: true.into(),
    };
    let (mut loaded, mut found) = (Duration::ZERO, Found::default());
    let mut more = 0.0;
    while loaded < run.length {
        home.wire().troubles("slack", &SINK_FAULTS, TROUBLED);
        home.wire().troubles("table", &TABLE_FAULTS, TROUBLED);
        home.forget().await;
        loaded = run.stretch(loaded).await;
        if loaded >= run.length {
            more = report(&run, name, loaded);
        }
        found.look(&run).await;
        if run.fresh.load(Ordering::Relaxed) {
            run.begin_samples(false);
        }
    }
    home.logs().assert_clean();
    let unknown = home.logs().unknown_outcomes("slack");
    let Found { repeats, same_life, .. } = found;
    progress(&format!(
        "{repeats} told again, {same_life} of them by the same process; {unknown} calls of unknown outcome"
    ));
    assert!(same_life <= unknown, "repeats without a kill between: {same_life} > {unknown}");
    assert!(more <= GROWTH_MIB_MAX, "memory grows: {more:.2} MiB");
}

/// Prints what is known before the last look; says how much the memory has grown after the warm-up, in MiB. The most
/// that the process has held is shown beside it: a pause is a peak, and what the allocator keeps of one is chance.
fn report<H: Home>(run: &Run<'_, H>, name: &str, took: Duration) -> f64 {
    let (mut answers, samples) =
        (run.answers.lock().unwrap().clone(), run.samples.lock().unwrap().clone());
    answers.sort_unstable();
    let sent = run.sent.load(Ordering::Relaxed);
    let begun = samples[0].at;
    let counts = |sample: &Sample| sample.at > begun + (took - begun) * WARM_UP / 100;
    let warm: Vec<Sample> = samples.iter().copied().filter(counts).collect();
    let (first, last) = (warm[0], warm[warm.len() - 1]);
    let [resident, peak] = [growth(&warm, |s| s.resident), growth(&warm, |s| s.peak)];
    let [p50, p99, longest] = [500, 990, 1_000].map(|of_thousand| quantile(&answers, of_thousand));
    progress(&format!(
        "{name}: {sent} webhooks of {} pushes in {:.1} min, {:.0}/s of {}/s wanted; {} answered with 2xx, {} with 503, \
         {} met a dead process; {} kills, {} faults of the sink, {} of the table\n\
         answers: p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.0} ms\n\
         memory: {:.2} MiB after the warm-up, at most {:.2} MiB before; {:.1} min later {:.2} MiB, at most {:.2} MiB; \
         by the slopes {resident:.2} MiB more, and at most {peak:.2} MiB more",
        run.registry.pushed(),
        took.as_secs_f64() / 60.0,
        sent as f64 / took.as_secs_f64(),
        run.rate,
        answers.len(),
        run.refused.load(Ordering::Relaxed),
        run.unheard.load(Ordering::Relaxed),
        run.home.wire().lives() - 1,
        run.home.wire().faults_met("slack"),
        run.home.wire().faults_met("table"),
        first.resident,
        first.peak,
        (last.at - first.at).as_secs_f64() / 60.0,
        last.resident,
        last.peak,
    ));
    resident
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
