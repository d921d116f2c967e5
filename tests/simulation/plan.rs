//! What a seed stands for: settings, pushes, who reports them and how, and the weather.

use crate::coverage::Hit;
use crate::jobs::JobPlan;
use crate::letters::{content, hub_id};
use fan_in::{Action, Correlation, NoticeKind, Policy, Region, RegionSet, Retry, Subscription};
use fastrand::Rng;
use std::time::Duration;

const REGIONS: [&str; 4] = ["eastus", "northeurope", "southindia", "westeurope"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Functions,
    Standalone,
}

/// One push as it really happened.
#[derive(Clone, Debug)]
pub(crate) struct RealPush {
    pub(crate) digest: char,
    pub(crate) start: u64,
}

/// One request of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) real: usize,
    pub(crate) digest: char,
    pub(crate) region: Region,
    pub(crate) id: String,
    pub(crate) at: u64,
    /// The event's own time.
    pub(crate) event_time: i64,
    pub(crate) event_grid: bool,
    /// Comes again until it is acknowledged.
    pub(crate) persistent: bool,
    /// The same event, or a copy of it, is reported by another request too.
    pub(crate) is_copy: bool,
    /// As Docker Hub writes it.
    pub(crate) pushed_at: String,
}

/// What goes in one request: one report, or several of Event Grid.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Places in the plan's reports.
    pub(crate) reports: Vec<usize>,
    pub(crate) at: u64,
    pub(crate) persistent: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    /// Of a thousand requests to the store.
    pub(crate) error_before: u32,
    pub(crate) error_after: u32,
    pub(crate) slow: u32,
    /// Of ten thousand awaits.
    pub(crate) crash: u32,
    /// Of a hundred.
    pub(crate) sink: u32,
    pub(crate) queue: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) home: Home,
    pub(crate) instances: usize,
    pub(crate) regions: RegionSet,
    /// The regions configured from a time on.
    pub(crate) change: Option<(u64, RegionSet)>,
    pub(crate) timeout: u64,
    pub(crate) retention: u64,
    pub(crate) correlation: Correlation,
    pub(crate) ids_agree: bool,
    pub(crate) sinks: Vec<&'static str>,
    pub(crate) pushes: Vec<RealPush>,
    pub(crate) reports: Vec<Report>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) weather: Weather,
    /// Which instance is frozen, from when until when.
    pub(crate) freezes: Vec<(usize, u64, u64)>,
    pub(crate) outages: Vec<(u64, u64)>,
    pub(crate) faults_until: u64,
    /// Milliseconds that each instance's clock is off.
    pub(crate) skew: Vec<i64>,
    /// Most schedules have none.
    pub(crate) jobs: Option<JobPlan>,
    pub(crate) hits: Vec<Hit>,
}

/// A sink that deploys with one call.
pub(crate) const DEPLOY: &str = "deploy";
/// One that deploys step by step, to a target that pushes of all tags share.
pub(crate) const GROUP: &str = "group";
/// One that runs a job for each push.
pub(crate) const JOB: &str = "job";
pub(crate) const EPOCH: i64 = 1_795_000_000_000;
pub(crate) const SINK_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let home = if chance(rng, 20) { Home::Standalone } else { Home::Functions };
        let instances = if home == Home::Standalone { 1 } else { rng.usize(1..=3) };
        let count = if chance(rng, 15) { 1 } else { [2, 2, 2, 3, 4][rng.usize(..5)] };
        let regions: RegionSet =
            REGIONS[..count].iter().map(|name| Region::parse(name).unwrap()).collect();
        let timeout = [20_000, 60_000, 120_000][rng.usize(..3)];
        let correlation = if chance(rng, 10) { Correlation::Id } else { Correlation::Auto };
        let ids_agree = correlation == Correlation::Id || rng.bool();
        let sinks = match rng.u32(..16) {
            0..=4 => vec!["slack"],
            5..=8 => vec![DEPLOY],
            9..=14 => vec!["slack", DEPLOY],
            _ => vec!["slack", "webhook"],
        };
        let mut plan = Self {
            home,
            instances,
            regions,
            change: None,
            timeout,
            retention: 86_400_000,
            correlation,
            ids_agree,
            sinks,
            pushes: Vec::new(),
            reports: Vec::new(),
            letters: Vec::new(),
            weather: Weather::default(),
            freezes: Vec::new(),
            outages: Vec::new(),
            faults_until: 0,
            skew: vec![0; instances],
            jobs: None,
            hits: Vec::new(),
        };
        plan.draw_pushes(rng);
        plan.draw_reports(rng);
        plan.draw_letters(rng);
        plan.draw_change(rng);
        plan.draw_weather(rng);
        plan.draw_jobs(rng);
        plan.note();
        plan
    }

    fn draw_pushes(&mut self, rng: &mut Rng) {
        let digests = match rng.u32(..32) {
            0..=15 => "a",
            16..=17 => "ab",
            18..=22 => "aa",
            23 => ["aba", "abc"][rng.usize(..2)],
            24 => ["aaa", "abb"][rng.usize(..2)],
            25..=26 => ["a1", "1a", "a1", "1a", "ab1", "a12"][rng.usize(..6)],
            27 => ["9", "99", "9a", "a9"][rng.usize(..4)],
            28 => ["99", "999", "9a9", "a99"][rng.usize(..4)],
            29 => ["d", "ad", "dd"][rng.usize(..3)],
            30 => ["e", "ee", "ae", "ea"][rng.usize(..4)],
            _ => ["f", "ef", "df", "e1"][rng.usize(..4)],
        };
        // Deployments meet where several pushes go to one target.
        if digests.len() > 1 && chance(rng, 35) || digests.contains(['1', '9']) && rng.bool() {
            self.sinks = [vec![GROUP], vec!["slack", GROUP]][rng.usize(..2)].clone();
        }
        let mut start = rng.u64(..5_000);
        for digest in digests.chars() {
            self.pushes.push(RealPush { digest, start });
            start += match rng.u32(..4) {
                0 => rng.u64(1..3_000),
                3 if self.sinks.contains(&GROUP) => rng.u64(1..100),
                1 => rng.u64(1..self.timeout / 2),
                _ => self.timeout + rng.u64(20_000..60_000),
            };
        }
    }

    fn draw_reports(&mut self, rng: &mut Rng) {
        let registry_skew = [0, 0, 0, -600_000, 200_000, 600_000][rng.usize(..6)];
        for real in 0..self.pushes.len() {
            let start = self.pushes[real].start;
            // Those that are to meet at a target are everywhere at the same time.
            let most = if self.sinks.contains(&GROUP) { 1 } else { self.timeout / 3 };
            let spread = [1, 2_000, most][rng.usize(..3)];
            if content(self.pushes[real].digest).hub {
                self.draw_hub_report(rng, real, spread);
                continue;
            }
            let whole = chance(rng, 60);
            for region in self.regions.clone() {
                let late = !whole && chance(rng, 25);
                if !whole && !late && chance(rng, 20) {
                    continue;
                }
                let delay = rng.u64(..spread);
                let after = match rng.u32(..5) {
                    _ if !late => 0,
                    // Together with the tick that finds the push overdue.
                    0 => {
                        let sent = start + delay;
                        let tick = (sent + self.timeout).next_multiple_of(15_000);
                        tick + rng.u64(..40) - sent
                    }
                    1 | 2 => self.timeout + rng.u64(40_000..180_000),
                    _ => self.timeout + rng.u64(3_000..40_000),
                };
                let event_time = EPOCH + start.cast_signed() + delay.cast_signed();
                let id = if self.ids_agree {
                    format!("push-{real}")
                } else {
                    format!("push-{real}-{region}")
                };
                let report = Report {
                    real,
                    digest: self.pushes[real].digest,
                    region,
                    id,
                    at: start + delay + after,
                    event_time: event_time + registry_skew,
                    event_grid: chance(rng, 30),
                    persistent: chance(rng, 50),
                    is_copy: false,
                    pushed_at: String::new(),
                };
                // A time far ahead is not believed, so copies are not recognised by it.
                self.draw_copies(rng, &report, registry_skew <= 300_000);
                self.reports.push(report);
            }
        }
    }

    /// Docker Hub reports a push once, and has no other channel.
    fn draw_hub_report(&mut self, rng: &mut Rng, real: usize, spread: u64) {
        let RealPush { digest, start } = self.pushes[real].clone();
        let pushed_at = hub_id(start);
        let id = match self.correlation {
            Correlation::Auto => pushed_at.clone(),
            Correlation::Id => format!("{pushed_at} v1"),
        };
        let report = Report {
            real,
            digest,
            region: Region::global(),
            id,
            at: start + rng.u64(..spread),
            event_time: EPOCH + start.cast_signed(),
            event_grid: false,
            persistent: chance(rng, 50),
            is_copy: false,
            pushed_at,
        };
        self.draw_copies(rng, &report, false);
        self.reports.push(report);
    }

    /// Event Grid may put several events into one request.
    fn draw_letters(&mut self, rng: &mut Rng) {
        let batches = chance(rng, 40);
        let mut order: Vec<usize> = (0..self.reports.len()).collect();
        order.sort_by_key(|at| self.reports[*at].at);
        for at in order {
            let Report { at: time, event_grid, persistent, .. } = self.reports[at];
            let joins = |letter: &&mut Letter| {
                letter.reports.iter().all(|r| self.reports[*r].event_grid)
                    && letter.at + 3_000 > time
                    && letter.reports.len() < 4
            };
            let last = self.letters.last_mut().filter(joins);
            if let Some(letter) = last.filter(|_| batches && event_grid) {
                letter.reports.push(at);
                letter.at = time;
                letter.persistent |= persistent;
            } else {
                self.letters.push(Letter { reports: vec![at], at: time, persistent });
            }
        }
        for letter in &self.letters {
            letter.reports.iter().for_each(|at| self.reports[*at].at = letter.at);
        }
    }

    fn draw_copies(&mut self, rng: &mut Rng, report: &Report, other_channel: bool) {
        let copy = |rng: &mut Rng| Report {
            at: report.at + if rng.bool() { 0 } else { rng.u64(..8_000) },
            persistent: chance(rng, 30),
            is_copy: true,
            ..report.clone()
        };
        if chance(rng, 10) {
            let repeated = copy(rng);
            self.reports.push(repeated);
        }
        if chance(rng, 5) {
            let after_all = Report { at: report.at + 2 * self.timeout, ..copy(rng) };
            self.reports.push(after_all);
        }
        if chance(rng, 7) && other_channel && self.correlation == Correlation::Auto {
            let other = Report {
                id: format!("other-{}", report.id),
                event_grid: !report.event_grid,
                event_time: report.event_time + rng.i64(0..900),
                ..copy(rng)
            };
            self.reports.push(other);
        }
    }

    fn draw_change(&mut self, rng: &mut Rng) {
        let end = self.pushes.last().map_or(0, |p| p.start) + self.timeout;
        if chance(rng, 12) {
            let mut changed = self.regions.clone();
            if changed.len() > 1 && rng.bool() {
                changed.pop_first();
            } else {
                changed.insert(Region::parse("uksouth").unwrap());
            }
            self.change = Some((rng.u64(..end), changed));
        }
        if chance(rng, 10) {
            self.retention = 2 * self.timeout + rng.u64(..60_000);
        }
    }

    fn draw_weather(&mut self, rng: &mut Rng) {
        let rough = rng.u32(..10);
        let up_to = |rng: &mut Rng, most: u32| if rough == 0 { 0 } else { rng.u32(..=most) };
        self.weather = Weather {
            error_before: up_to(rng, 60),
            error_after: up_to(rng, 60),
            slow: up_to(rng, 150),
            crash: up_to(rng, 90),
            sink: up_to(rng, 60),
            queue: up_to(rng, 14),
        };
        let last = self.reports.iter().map(|r| r.at).max().unwrap_or(0);
        if chance(rng, 15) && rough > 0 {
            let begin = rng.u64(..last + 5_000);
            self.outages.push((begin, begin + rng.u64(4_000..15_000)));
        }
        self.faults_until = last.max(self.timeout) + rng.u64(10_000..60_000);
        // Longer than a lease, most of the time.
        if chance(rng, 10) && rough > 0 {
            let at = rng.u64(..last + 10_000);
            let until = (at + rng.u64(5_000..70_000)).min(self.faults_until);
            self.freezes.push((rng.usize(..self.instances), at, until));
        }
        for skew in &mut self.skew {
            *skew = if rough > 0 && chance(rng, 50) { rng.i64(-1_500..1_500) } else { 0 };
        }
    }

    fn note(&mut self) {
        let digests: String = self.pushes.iter().map(|p| p.digest).collect();
        let overlapping =
            self.pushes.windows(2).any(|two| two[1].start < two[0].start + self.timeout);
        let removed = self.change.as_ref().map(|(_, changed)| changed.len() < self.regions.len());
        let again = digests.starts_with("aa") || digests.ends_with("bb");
        let facts = [
            (self.regions.len() == 1, Hit::OneRegion),
            (overlapping, Hit::Overlapping),
            (again && overlapping, Hit::RepushWaiting),
            (again && !overlapping, Hit::RepushLater),
            (digests == "aba", Hit::Rollback),
            (self.ids_agree, Hit::IdsAgree),
            (!self.ids_agree, Hit::IdsDiffer),
            (self.correlation == Correlation::Id, Hit::CorrelationId),
            (removed == Some(true), Hit::RegionRemoved),
            (removed == Some(false), Hit::RegionAdded),
            (removed.is_some(), Hit::R18RegionsWhilePending),
            (self.home == Home::Standalone, Hit::Standalone),
            (self.letters.iter().any(|letter| letter.reports.len() > 1), Hit::Batch),
            (digests.contains('d'), Hit::Delete),
            (digests.contains('e'), Hit::ChartPush),
            (digests.contains('f'), Hit::ChartDelete),
            (digests.contains('9'), Hit::DockerHub),
            (digests.contains(['1', '2']), Hit::TwoTags),
            (self.skew.iter().any(|skew| *skew != 0), Hit::SkewedClock),
            (self.skew.iter().any(|skew| skew.abs() > 500), Hit::R20Skew),
        ];
        self.hits.extend(facts.iter().filter(|(is, _)| *is).map(|(_, hit)| *hit));
    }

    /// The same without any fault or job, and with those reports only.
    pub(crate) fn calm(&self, reports: Vec<Report>) -> Self {
        let alone = |(at, report): (usize, &Report)| Letter {
            reports: vec![at],
            at: report.at,
            persistent: report.persistent,
        };
        Self {
            letters: reports.iter().enumerate().map(alone).collect(),
            reports,
            weather: Weather::default(),
            freezes: Vec::new(),
            outages: Vec::new(),
            skew: vec![0; self.instances],
            jobs: None,
            hits: Vec::new(),
            // How a push ends does not depend on who hears of it.
            sinks: Vec::new(),
            ..self.clone()
        }
    }

    pub(crate) fn policy(&self, regions: &RegionSet) -> Policy {
        let subscriptions = self.sinks.iter().map(|sink| Subscription {
            sink: (*sink).to_owned(),
            kinds: kinds(sink).to_vec(),
            region: None,
            actions: actions(sink).to_vec(),
            repositories: Vec::new(),
            tags: Vec::new(),
            failure: match *sink {
                GROUP => Some(NoticeKind::DeployFailed),
                JOB => Some(NoticeKind::JobFailed),
                _ => None,
            },
        });
        Policy {
            regions: regions.clone(),
            timeout: Duration::from_millis(self.timeout),
            correlation: self.correlation,
            subscriptions: subscriptions.collect(),
        }
    }

    pub(crate) fn retry() -> Retry {
        Retry([5, 20, 60].map(Duration::from_secs).into())
    }
}

/// What a sink subscribes to.
pub(crate) fn kinds(sink: &str) -> &'static [NoticeKind] {
    match sink {
        DEPLOY | GROUP | JOB => &[NoticeKind::Completed, NoticeKind::Recovered],
        "webhook" => &[
            NoticeKind::RegionReady,
            NoticeKind::Completed,
            NoticeKind::TimedOut,
            NoticeKind::Recovered,
        ],
        _ => &[
            NoticeKind::Completed,
            NoticeKind::TimedOut,
            NoticeKind::Recovered,
            NoticeKind::Deployed,
            NoticeKind::DeployFailed,
            NoticeKind::JobSucceeded,
            NoticeKind::JobFailed,
        ],
    }
}

/// What it wants to hear about.
pub(crate) fn actions(sink: &str) -> &'static [Action] {
    if deploys(sink) { &[Action::Push] } else { &Action::ALL }
}

pub(crate) fn deploys(sink: &str) -> bool {
    matches!(sink, DEPLOY | GROUP | JOB)
}
