//! What was acknowledged over a long time, kept small, and whether all of it is there in the end.

use crate::check::{Observed, notices_of};
use crate::home::Home;
use crate::hook::{Ack, Hook};
use crate::registry::REGIONS;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every status that an answer may name; none where the arrival travels by queue.
const STATUSES: [&str; 6] = ["", "waiting", "completed", "timed_out", "superseded", "recovered"];

/// By a push's number the webhooks that were acknowledged: region and status, each by its place.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<u64, Vec<(u8, u8)>>);

fn place(name: &str, mut names: impl Iterator<Item = &'static str>) -> u8 {
    u8::try_from(names.position(|one| one == name).unwrap()).unwrap()
}

fn name(place: u8, mut names: impl Iterator<Item = &'static str>) -> String {
    names.nth(place.into()).unwrap().to_owned()
}

impl Ledger {
    pub(crate) fn enter(&mut self, acks: Vec<Ack>) {
        for ack in acks {
            let region = place(&ack.region, REGIONS.split(','));
            let entry = (region, place(&ack.status, STATUSES.into_iter()));
            let entries = self.0.entry(ack.hook.content).or_default();
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }

    /// The acknowledgements of the push of this number, which is kept under this id.
    fn acks(&mut self, number: u64, id: &str) -> Vec<Ack> {
        let entries = self.0.remove(&number).unwrap_or_default().into_iter();
        let ack = |(region, status)| Ack {
            hook: Hook::of_many(number),
            region: name(region, REGIONS.split(',')),
            result: String::new(),
            push: Some(id.to_owned()),
            status: name(status, STATUSES.into_iter()),
        };
        entries.map(ack).collect()
    }

    /// Holds every push that is kept against what was acknowledged and told, and forgets that; says how many there
    /// are of each status.
    pub(crate) async fn check(&mut self, home: &impl Home) -> BTreeMap<String, usize> {
        let (mut seen, mut after) = (BTreeMap::new(), None::<String>);
        let mut notices = BTreeMap::<u64, Vec<&str>>::new();
        for (key, kind) in home.slack().notices().into_keys() {
            notices.entry(number_in(&key)).or_default().push(kind);
        }
        loop {
            let mut page = home.page(after.as_deref()).await;
            let Value::Array(pushes) = page["pushes"].take() else { panic!("no list: {page}") };
            let mut acks = Vec::new();
            for push in &pushes {
                let number = number_of(push);
                acks.extend(self.acks(number, push["push"].as_str().unwrap()));
                let status = push["status"].as_str().unwrap();
                *seen.entry(status.to_owned()).or_default() += 1;
                assert!(status != "waiting", "not decided: {push:#}");
                // The list shows deliveries that are in trouble.
                assert_eq!(push["deliveries"].as_array().unwrap().len(), 0, "{push:#}");
                // Each push has a tag of its own, and no push is there twice.
                let told = notices.remove(&number).unwrap_or_default();
                let due = notices_of(status);
                let same = told.len() == due.len() && due.iter().all(|kind| told.contains(kind));
                assert!(same, "told {told:?}: {push:#}\n{}", home.logs().last());
            }
            let regions = REGIONS.split(',').map(str::to_owned).collect();
            let observed = Observed { pushes, acks, regions, logs: home.logs().clone() };
            observed.assert_nothing_is_lost();
            observed.assert_status_fits();
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        assert!(self.0.is_empty(), "acknowledged, and no push of it: {:?}", self.0);
        assert!(notices.is_empty(), "told of what is no push: {notices:?}");
        seen
    }
}

/// The number of the push that a notice's text begins with: `Pushed image team/app7:v71 (…`.
fn number_in(text: &str) -> u64 {
    let (_, rest) = text.split_once(":v").unwrap();
    rest.split(' ').next().unwrap().parse().unwrap()
}

fn number_of(push: &Value) -> u64 {
    push["tag"].as_str().unwrap()[1..].parse().unwrap()
}
