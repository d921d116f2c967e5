//! What must hold after every disturbance, as far as it can be seen from outside.

use crate::hook::Ack;
use crate::process::Logs;
use crate::sink::Sink;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Observed {
    /// Every push by its status.
    pub(crate) pushes: Vec<Value>,
    pub(crate) acks: Vec<Ack>,
    pub(crate) regions: Vec<String>,
    pub(crate) logs: Logs,
}

fn has(push: &Value, region: &str) -> bool {
    push["arrivals"].as_array().unwrap().iter().any(|arrival| arrival["region"] == region)
}

/// What is told of a push in the end.
pub(crate) fn notices_of(status: &str) -> &'static [&'static str] {
    match status {
        "completed" => &["completed"],
        "timed_out" => &["timed_out"],
        "recovered" => &["timed_out", "recovered"],
        _ => &[],
    }
}

impl Observed {
    /// I1: whatever was answered with 2xx is there. I2: a decision that was seen once is never another one.
    pub(crate) fn assert_nothing_is_lost(&self) {
        let by_id: BTreeMap<&str, &Value> =
            self.pushes.iter().map(|push| (push["push"].as_str().unwrap(), push)).collect();
        for ack in &self.acks {
            let found = match &ack.push {
                Some(id) => by_id.get(id.as_str()).copied(),
                None => self
                    .pushes
                    .iter()
                    .find(|p| p["digest"] == ack.hook.digest() && has(p, &ack.region)),
            };
            let push = found.unwrap_or_else(|| {
                panic!("no push of {ack:?} in {:#?}\n{}", self.pushes, self.logs.last())
            });
            assert!(has(push, &ack.region), "lost: {ack:?} in {push:#}");
            let stays = match ack.status.as_str() {
                "waiting" | "" => true,
                "timed_out" => push["status"] == "timed_out" || push["status"] == "recovered",
                decided => push["status"] == decided,
            };
            assert!(stays, "another decision: {ack:?} in {push:#}");
        }
    }

    /// I2, I3, I5: who has arrived and what is decided fit together.
    pub(crate) fn assert_status_fits(&self) {
        for push in &self.pushes {
            let expected = push["expected"].as_array().unwrap();
            let expected = expected.iter().map(|region| region.as_str().unwrap());
            let mut expected = expected.filter(|region| self.regions.iter().any(|r| r == region));
            let everywhere = expected.all(|region| has(push, region));
            let status = push["status"].as_str().unwrap();
            let fits = match status {
                "completed" | "recovered" => everywhere,
                "waiting" | "timed_out" => !everywhere,
                _ => true,
            };
            assert!(fits, "status and arrivals do not fit: {push:#}\n{}", self.logs.last());
        }
    }

    /// The same, and I6: what is decided and told fit together.
    pub(crate) fn assert_decided_well(&self) {
        self.assert_status_fits();
        for push in &self.pushes {
            let mut sinks = BTreeMap::<&str, Vec<&str>>::new();
            for delivery in push["deliveries"].as_array().unwrap() {
                let (sink, kind) = (&delivery["sink"], &delivery["notice"]);
                sinks.entry(sink.as_str().unwrap()).or_default().push(kind.as_str().unwrap());
                assert_eq!(delivery["state"], "done", "{push:#}\n{}", self.logs.last());
            }
            let told = notices_of(push["status"].as_str().unwrap());
            assert_eq!(sinks.is_empty(), told.is_empty(), "{push:#}");
            assert!(sinks.values().all(|kinds| kinds == told), "{push:#}");
        }
    }

    /// I6: every notice of every decision has reached the sink. I2: and no other.
    pub(crate) fn assert_told(&self, name: &str, sink: &Sink) {
        let mut told = BTreeMap::<&str, usize>::new();
        for push in &self.pushes {
            let deliveries = push["deliveries"].as_array().unwrap();
            for delivery in deliveries.iter().filter(|delivery| delivery["sink"] == name) {
                *told.entry(delivery["notice"].as_str().unwrap()).or_default() += 1;
            }
        }
        let mut received = BTreeMap::<&str, usize>::new();
        for (_, kind) in sink.notices().into_keys() {
            *received.entry(kind).or_default() += 1;
        }
        assert_eq!(received, told, "notices received and notices of the pushes differ");
    }
}
