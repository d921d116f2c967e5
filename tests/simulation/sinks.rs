//! Sinks that know what they were told: they accept, refuse, hang, or accept without anybody hearing of it.

use crate::coverage::Hit;
use crate::group;
use crate::letters::are_rivals;
use crate::observe;
use crate::plan::{self, DEPLOY, GROUP};
use crate::world::{Call, Sim, State};
use acr_fanin::fuzzing::read_family;
use acr_fanin::ports::{Parcel, Sink, Target};
use acr_fanin::store::memory::Memory;
use async_trait::async_trait;
use fan_in::{Attempt, Image, Push, PushId};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct SimSink {
    pub(crate) sim: Sim,
    pub(crate) name: &'static str,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Accept,
    AcceptSilently,
    AcceptAndHang,
    Refuse(u64),
    Hang,
    Hopeless,
}

pub(crate) fn fate(state: &mut State) -> Fate {
    let trouble = state.plan.weather.sink;
    if !state.faulty || !state.chance(trouble) {
        return Fate::Accept;
    }
    let (fate, hit) = match state.rng.u32(..20) {
        0..=5 => (Fate::Refuse(0), Hit::SinkRefuses),
        6..=7 => (Fate::Refuse(state.rng.u64(1..90)), Hit::SinkAsksToWait),
        8..=9 => (Fate::Hang, Hit::SinkHangs),
        10..=15 => (Fate::AcceptSilently, Hit::SinkAcceptsSilently),
        16..=18 => (Fate::AcceptAndHang, Hit::SinkAcceptsAndHangs),
        _ => (Fate::Hopeless, Hit::SinkHopeless),
    };
    state.fault(hit);
    fate
}

impl SimSink {
    /// The sink has got it: from here on it is the truth.
    fn take(&self, parcel: &Parcel<'_>, fate: Fate) {
        let mut state = self.sim.state();
        let (push, notice) = (parcel.push.id, parcel.claim.notice);
        let task = state.current;
        state.note(|| {
            let kind = parcel.notice.kind.as_str();
            let (at, attempt) = (self.sim.elapsed(), parcel.claim.attempt);
            format!("{at:>7} task {task} {} {push} {kind} attempt {attempt}: {fate:?}", self.name)
        });
        let same = |c: &&Call| c.push == push && c.notice == notice && c.sink == self.name;
        let had_it = state.truth.calls.iter().filter(same).any(|c| c.accepted);
        let frozen = state.job().is_some_and(|job| job.frozen);
        if had_it && !parcel.claim.repeat && !frozen {
            state.violated(format!(
                "{} gets {push}.{notice} again as if for the first time",
                self.name
            ));
        }
        if parcel.claim.repeat {
            state.hit(Hit::LeaseRanOut);
        }
        if had_it {
            state.hit(Hit::RepeatedDelivery);
        }
        let accepted = matches!(fate, Fate::Accept | Fate::AcceptSilently | Fate::AcceptAndHang);
        state.truth.calls.push(Call {
            push,
            notice,
            kind: parcel.notice.kind,
            sink: self.name,
            accepted,
            hopeless: fate == Fate::Hopeless,
            unknown: frozen || matches!(fate, Fate::AcceptSilently | Fate::AcceptAndHang),
        });
        let at = state.truth.calls.len() - 1;
        let deploys = self.name == DEPLOY;
        let before = state.job().map(|job| {
            job.calls.push(at);
            if deploys { job.before.clone() } else { Vec::new() }
        });
        if deploys
            && before.is_some_and(|before| is_outdated(&self.sim.memory, parcel.push, &before))
        {
            state.violated(format!("I9: {push} is deployed after a newer push was everywhere"));
        }
        if fate == Fate::Accept {
            state.hit(Hit::Accepted);
        }
    }
}

/// Was a newer push everywhere when the delivery began, and is it the newer one still?
pub(crate) fn is_outdated(memory: &Memory, push: &Push, before: &[(PushId, String)]) -> bool {
    let before: Vec<_> =
        before.iter().filter_map(|(_, doc)| Some(read_family(doc).ok()?.newest)).collect();
    let Some(older) = before.iter().find(|p| p.id == push.id) else { return false };
    before.iter().any(|newer| {
        newer.status.is_everywhere()
            && are_rivals(&newer.image, &older.image)
            && newer.order() > older.order()
            && observe::push(memory, newer.id).is_some_and(|newer| newer.order() > push.order())
    })
}

#[async_trait]
impl Sink for SimSink {
    fn name(&self) -> &str {
        self.name
    }

    fn deploys(&self) -> bool {
        plan::deploys(self.name)
    }

    fn target(&self, image: &Image) -> Option<Target> {
        (self.name == GROUP).then(|| group::target(image))
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        if self.name == GROUP {
            return self.step(parcel).await;
        }
        let (fate, travel) = {
            let mut state = self.sim.state();
            let fate = fate(&mut state);
            (fate, (state.rng.u64(..30), state.rng.u64(..30)))
        };
        self.sim.sleep(Duration::from_millis(travel.0)).await;
        self.take(&parcel, fate);
        self.sim.sleep(Duration::from_millis(travel.1)).await;
        let error = "simulated".to_owned();
        match fate {
            Fate::Accept => Attempt::Accepted { result: None, tells: None },
            Fate::AcceptSilently => Attempt::Unknown { error },
            Fate::Refuse(after) => Attempt::Refused {
                error,
                retry_after: (after > 0).then_some(Duration::from_secs(after)),
            },
            Fate::Hopeless => Attempt::Hopeless { error },
            Fate::AcceptAndHang | Fate::Hang => {
                self.sim.sleep(Duration::from_secs(3_600)).await;
                Attempt::Unknown { error }
            }
        }
    }
}
