//! Everything around the instances: registries that report, the queue, the timer.

use crate::coverage::Hit;
use crate::letters::request;
use crate::plan::{GROUP, Home, Letter, Plan, Report};
use crate::world::{Ack, Group, Sim};
use acr_fanin::answer::{Answer, Body};
use acr_fanin::api::notify::Heard;
use serde_json::Value;
use std::time::Duration;

/// A registry waits no longer for an answer.
pub(crate) const REGISTRY_WAITS: Duration = Duration::from_secs(5);
/// What a host that died had taken from the queue stays invisible so long.
const INVISIBLE: Duration = Duration::from_secs(600);
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Sim {
    fn millis_below(&self, below: u64) -> Duration {
        millis(self.state().rng.u64(..below))
    }

    pub(crate) fn spawn_sender(&self, letter: usize) {
        self.state().senders += 1;
        let sim = self.clone();
        let work = async move {
            sim.send(letter).await;
            sim.state().senders -= 1;
        };
        self.spawn(Group::World, Box::pin(work));
    }

    /// Sends a letter until it is acknowledged, or just once.
    async fn send(&self, at: usize) {
        let plan = self.plan();
        let letter = &plan.letters[at];
        self.state().hit(if letter.persistent { Hit::Retrying } else { Hit::SingleTry });
        self.until(letter.at).await;
        let mut pause = millis(1_000);
        loop {
            if self.report(at, letter).await {
                return;
            }
            self.state().hit(Hit::NotAcknowledged);
            if !letter.persistent {
                self.state().hit(Hit::GaveUp);
                return;
            }
            self.sleep(pause).await;
            pause = (pause * 2).min(millis(30_000));
        }
    }

    /// One request; is there nothing left to do?
    async fn report(&self, at: usize, letter: &Letter) -> bool {
        let Some(instance) = self.any_instance() else {
            self.state().hit(Hit::Unreachable);
            return false;
        };
        let plan = self.plan();
        let reports: Vec<&Report> = letter.reports.iter().map(|r| &plan.reports[*r]).collect();
        let Some(answered) = self.push_request(instance, at, request(&reports)) else {
            return false;
        };
        letter.reports.iter().for_each(|report| self.sent(*report, &plan));
        let answer = self.within(REGISTRY_WAITS, answered).await;
        let mut state = self.state();
        state.in_flight.retain(|report| !letter.reports.contains(report));
        match answer {
            Some(Ok(answer)) => {
                drop(state);
                self.answered(letter, &reports, &answer)
            }
            None => {
                drop(state);
                self.unanswered(instance);
                false
            }
            Some(Err(_)) => false,
        }
    }

    /// A request had no answer in time: only a process that sleeps may be so late.
    pub(crate) fn unanswered(&self, instance: usize) {
        let mut state = self.state();
        let slot = &state.instances[instance];
        let slept = slot.frozen || self.now() < slot.thawed_at + 6_000;
        if !slept {
            state.violated("no answer within 4 s".to_owned());
        }
    }

    fn sent(&self, at: usize, plan: &Plan) {
        let report = &plan.reports[at];
        let mut state = self.state();
        let others: Vec<&Report> = state.in_flight.iter().map(|r| &plan.reports[*r]).collect();
        let same = others.iter().any(|o| o.region == report.region && o.real == report.real);
        let burst = others.iter().any(|o| o.real == report.real);
        if same {
            state.hit(Hit::R2SameRegionTwice);
        }
        if burst {
            state.hit(Hit::Burst);
        }
        if report.is_copy {
            let other = report.id.starts_with("other");
            state.hit(if other { Hit::OtherChannel } else { Hit::Repeated });
        }
        state.in_flight.push(at);
        let now = self.elapsed();
        state.note(|| {
            format!("{now:>7} {} reports {} as {}", report.region, report.real, report.id)
        });
    }

    fn answered(&self, letter: &Letter, reports: &[&Report], answer: &Answer) -> bool {
        let Body::Json(body) = &answer.body else { return false };
        let (since, first) = (self.elapsed(), reports[0]);
        let line = || format!("{since:>7} {} {}: {} {body}", first.region, first.id, answer.status);
        self.state().note(line);
        if !(200..300).contains(&answer.status) {
            // A region that is not configured any more is refused for good.
            return answer.status == 400;
        }
        // Event Grid's answer is a list.
        let results = body.get("results").and_then(Value::as_array);
        let results = results.map_or_else(|| std::slice::from_ref(body), Vec::as_slice);
        for (report, result) in letter.reports.iter().zip(results) {
            self.recorded(*report, answer.status, result);
        }
        if results.len() != reports.len() {
            self.state().violated("an answer has not a result for each event".to_owned());
        }
        true
    }

    /// What the sender of one event is told.
    fn recorded(&self, at: usize, answer_status: u16, body: &Value) {
        let now = self.now();
        let mut state = self.state();
        let word = body.get("result").and_then(Value::as_str).unwrap_or_default();
        let status = body.get("status").and_then(Value::as_str).unwrap_or_default();
        let missing = body.get("missing").and_then(Value::as_array).map(Vec::len);
        let queued = word == "queued";
        match word {
            "ignored" => return,
            "queued" => state.hit(Hit::ByQueue),
            "recorded" => state.hit(Hit::Recorded),
            "completed" => state.hit(Hit::CompletedVerdict),
            "late" => state.hit(Hit::Late),
            "recovered" => state.hit(Hit::RecoveredVerdict),
            "duplicate" => state.hit(Hit::Duplicate),
            other => state.violated(format!("an answer of {answer_status} says {other}")),
        }
        if word == "duplicate" && status != "waiting" {
            state.hit(Hit::R16DuplicateAfterDecision);
        }
        // A region that was removed is no longer waited for from the first tick of the new process on. Until then
        // what comes of a region that is there already decides nothing, be it a copy or in another one's place.
        let plan = &state.plan;
        let same = |ack: &Ack| {
            let (this, other) = (&plan.reports[at], &plan.reports[ack.report]);
            this.digest == other.digest && this.region == other.region
        };
        let again = word == "duplicate" || state.truth.acks.iter().any(same);
        let removed = again && plan.change.is_some();
        if !queued && status == "waiting" && missing == Some(0) && !removed {
            state.violated("I5: nothing is missing and nothing decided".to_owned());
        }
        state.truth.acks.push(Ack { report: at, at: now, queued });
    }

    /// Puts a message into the queue; says whether the queue took it.
    pub(crate) fn enqueue(&self, message: String) -> bool {
        let of_job = message.starts_with("{\"job\"");
        let is_bell = of_job || message.starts_with("{\"push\"");
        let (doubled, away) = {
            let mut state = self.state();
            let odds = state.plan.weather.queue;
            let away = state.strikes(odds / 4, Hit::QueueAway);
            let doubled = state.strikes(odds, Hit::DoubledBell);
            if is_bell && !of_job && state.messages > 0 {
                state.hit(Hit::R6TwoBells);
            }
            (doubled, away)
        };
        if away {
            return false;
        }
        for _ in 0..=u8::from(doubled) {
            self.state().messages += 1;
            let (sim, message) = (self.clone(), message.clone());
            let work = async move {
                sim.carry(&message, is_bell).await;
                sim.state().messages -= 1;
            };
            self.spawn(Group::World, Box::pin(work));
        }
        true
    }

    /// A message comes until it has done its work, and sometimes again after that.
    async fn carry(&self, message: &str, is_bell: bool) {
        let odds = self.plan().weather.queue;
        loop {
            // Often another message is fetched together with this one; then two may meet at a target.
            let often = if self.plan().sinks.contains(&GROUP) { 80 } else { 30 };
            let at_once = self.state().chance(often);
            self.sleep(self.millis_below(if at_once { 10 } else { 1_000 })).await;
            if is_bell && self.state().strikes(odds / 3, Hit::Poison) {
                self.state().hit(Hit::R14PoisonedBell);
                self.state().fault(Hit::BellLost);
                return;
            }
            let heard = match self.any_instance().and_then(|i| self.hear(i, message)) {
                Some(answer) => answer.await,
                None => Ok(Heard::Again),
            };
            let host_died = heard.is_err() && self.state().rng.bool();
            match heard {
                Ok(Heard::Done) => {
                    if !self.state().strikes(odds, Hit::Redelivery) {
                        return;
                    }
                    self.state().hit(Hit::R13RedeliveredAfterSuccess);
                    self.sleep(self.millis_below(40_000)).await;
                }
                Err(_) if host_died => {
                    self.state().fault(Hit::Invisible);
                    self.sleep(INVISIBLE).await;
                }
                Ok(Heard::Again) | Err(_) => self.sleep(VISIBILITY_TIMEOUT).await,
            }
        }
    }

    /// The timer, which is late at times and comes twice at times. A tick with nothing to do is often left out:
    /// it would do nothing.
    pub(crate) async fn timer(self) {
        let every = if self.plan().home == Home::Standalone { 5_000 } else { 15_000 };
        loop {
            let (pause, doubled) = {
                let mut state = self.state();
                let late = state.strikes(8, Hit::LateTick);
                let pause = if late { state.rng.u64(every..6 * every) } else { every };
                (pause, state.strikes(8, Hit::DoubledTick))
            };
            self.sleep(millis(pause)).await;
            let idle = !self.state().is_due(self.now());
            if idle && !self.state().chance(6) && self.state().instances.iter().all(|i| i.swept) {
                continue;
            }
            for _ in 0..=u8::from(doubled) {
                if let Some(instance) = self.any_instance() {
                    self.tick(instance);
                }
            }
            let retention = self.plan().retention;
            if retention < 3_600_000
                && self.state().chance(40)
                && let Some(instance) = self.any_instance()
            {
                self.purge(instance);
            }
        }
    }
}
