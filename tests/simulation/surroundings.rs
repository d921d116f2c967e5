//! Everything around the instances: registries that report, the queue, the timer.

use crate::coverage::Hit;
use crate::observe;
use crate::plan::{EPOCH, Home, Report};
use crate::world::{Ack, Group, Sim};
use acr_fanin::answer::{Answer, Body, Request};
use acr_fanin::api::notify::Heard;
use acr_fanin::clock::rfc3339;
use serde_json::Value;
use std::time::Duration;

/// A registry waits no longer for an answer.
const REGISTRY_WAITS: Duration = Duration::from_secs(5);
/// What a host that died had taken from the queue stays invisible so long.
const INVISIBLE: Duration = Duration::from_secs(600);
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Sim {
    fn millis_below(&self, below: u64) -> Duration {
        millis(self.state().rng.u64(..below))
    }

    pub(crate) fn spawn_sender(&self, at: usize) {
        self.state().senders += 1;
        let sim = self.clone();
        let work = async move {
            sim.send(at).await;
            sim.state().senders -= 1;
        };
        self.spawn(Group::World, Box::pin(work));
    }

    /// Reports until it is acknowledged, or just once.
    async fn send(&self, at: usize) {
        let report = self.plan().reports[at].clone();
        self.state().hit(if report.persistent { Hit::Retrying } else { Hit::SingleTry });
        self.until(report.at).await;
        let mut pause = millis(1_000);
        loop {
            if self.report(at, &report).await {
                return;
            }
            self.state().hit(Hit::NotAcknowledged);
            if !report.persistent {
                self.state().hit(Hit::GaveUp);
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(millis(30_000));
        }
    }

    /// One request; is there nothing left to do?
    async fn report(&self, at: usize, report: &Report) -> bool {
        let Some(instance) = self.any_instance() else {
            self.state().hit(Hit::Unreachable);
            return false;
        };
        let Some(answered) = self.push_request(instance, at, request(report)) else {
            return false;
        };
        self.sent(at, report);
        let answer = tokio::time::timeout(REGISTRY_WAITS, answered).await;
        let mut state = self.state();
        let mine = state.in_flight.iter().position(|r| *r == at);
        mine.map(|mine| state.in_flight.swap_remove(mine));
        drop(state);
        match answer {
            Ok(Ok(answer)) => self.answered(at, report, &answer),
            Err(_) => {
                self.state().violated("no answer within 4 s".to_owned());
                false
            }
            Ok(Err(_)) => false,
        }
    }

    fn sent(&self, at: usize, report: &Report) {
        let mut state = self.state();
        let plan = self.plan_of(&state);
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

    fn plan_of(&self, state: &crate::world::State) -> std::sync::Arc<crate::plan::Plan> {
        std::sync::Arc::clone(&state.plan)
    }

    fn answered(&self, at: usize, report: &Report, answer: &Answer) -> bool {
        let (now, since) = (self.now(), self.elapsed());
        let mut state = self.state();
        let Body::Json(body) = &answer.body else { return false };
        // Event Grid's answer is a list of one.
        let body = body.pointer("/results/0").unwrap_or(body);
        state.note(|| {
            format!("{since:>7} {} {}: {} {body}", report.region, report.id, answer.status)
        });
        if !(200..300).contains(&answer.status) {
            // A region that is not configured any more is refused for good.
            return answer.status == 400;
        }
        let word = body.get("result").and_then(Value::as_str).unwrap_or_default();
        let status = body.get("status").and_then(Value::as_str).unwrap_or_default();
        let missing = body.get("missing").and_then(Value::as_array).map(Vec::len);
        let queued = word == "queued";
        match word {
            "ignored" => return true,
            "queued" => state.hit(Hit::ByQueue),
            "recorded" => state.hit(Hit::Recorded),
            "completed" => state.hit(Hit::CompletedVerdict),
            "late" => state.hit(Hit::Late),
            "recovered" => state.hit(Hit::RecoveredVerdict),
            "duplicate" => state.hit(Hit::Duplicate),
            other => state.violated(format!("an answer of {} says {other}", answer.status)),
        }
        if word == "duplicate" && status != "waiting" {
            state.hit(Hit::R16DuplicateAfterDecision);
        }
        // A region that was removed is no longer waited for from the first tick of the new process on.
        let removed = word == "duplicate" && state.plan.change.is_some();
        if !queued && status == "waiting" && missing == Some(0) && !removed {
            state.violated("I5: nothing is missing and nothing decided".to_owned());
        }
        state.truth.acks.push(Ack { report: at, at: now, queued });
        true
    }

    /// Puts a message into the queue; says whether the queue took it.
    pub(crate) fn enqueue(&self, message: String) -> bool {
        let is_bell = message.starts_with("{\"push\"");
        let (doubled, away) = {
            let mut state = self.state();
            let odds = state.plan.weather.queue;
            let away = state.strikes(odds / 4, Hit::QueueAway);
            let doubled = state.strikes(odds, Hit::DoubledBell);
            if is_bell && state.messages > 0 {
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
            tokio::time::sleep(self.millis_below(1_000)).await;
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
                    tokio::time::sleep(self.millis_below(40_000)).await;
                }
                Err(_) if host_died => {
                    self.state().fault(Hit::Invisible);
                    tokio::time::sleep(INVISIBLE).await;
                }
                Ok(Heard::Again) | Err(_) => tokio::time::sleep(VISIBILITY_TIMEOUT).await,
            }
        }
    }

    /// The timer, which is late at times and comes twice at times. A tick with nothing to do is often left out:
    /// it would do nothing.
    pub(crate) async fn timer(self) {
        let every = if self.plan().home == Home::Standalone { 3_000 } else { 15_000 };
        loop {
            let (pause, doubled) = {
                let mut state = self.state();
                let late = state.strikes(8, Hit::LateTick);
                let pause = if late { state.rng.u64(every..6 * every) } else { every };
                (pause, state.strikes(8, Hit::DoubledTick))
            };
            tokio::time::sleep(millis(pause)).await;
            let idle = !self.state().is_due(self.now());
            if idle && !self.state().chance(15) && self.state().instances.iter().all(|i| i.swept) {
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

/// As a registry writes it: a webhook, or an event of Event Grid in its array.
fn request(report: &Report) -> Request {
    let digest = report.digest.to_string().repeat(64);
    let time = rfc3339(observe::at(report.event_time));
    let (id, region) = (&report.id, report.region.as_str());
    let core = format!(
        r#""id":"{id}","timestamp":"{time}","action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":524,"digest":"sha256:{digest}","length":524,"repository":"team/app","tag":"v1"}},"request":{{"id":"{EPOCH}","host":"r.azurecr.io","method":"PUT","useragent":"sim"}}"#
    );
    let body = if report.event_grid {
        format!(
            r#"[{{"id":"{id}","subject":"team/app:v1","topic":"/registries/r","eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"{time}","data":{{"location":"{region}",{core}}},"dataVersion":"2.0","metadataVersion":"1"}}]"#
        )
    } else {
        format!("{{{core}}}")
    };
    Request {
        method: "POST".to_owned(),
        query: vec![("region".to_owned(), region.to_owned())],
        headers: Vec::new(),
        body_bytes: body.len(),
        body: Some(body.into_bytes()),
    }
}
