//! A container group, to which every push deploys in several steps: it is told to change, is busy with that for
//! a while, and refuses everything else in the meantime. It remembers who came when.

use crate::coverage::Hit;
use crate::observe;
use crate::plan::GROUP;
use crate::sinks::{Fate, SimSink, fate};
use crate::world::{Call, State};
use acr_fanin::ports::{Parcel, Target};
use fan_in::{Attempt, Image, NoticeKind, Order, PushId, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// What clocks differ by, and what the store may take to answer.
const SLACK: i64 = 5_000;
/// Whoever has a turn keeps it at least for so long from the beginning of a step: three times the limit of a
/// call, less [`SLACK`].
const TURN: i64 = 10_000;

/// What happened to the group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    turn: Option<Turn>,
    /// The push that was deployed last, for each part, and its place when it was.
    newest: BTreeMap<String, (Order, PushId)>,
    /// It is changing until then.
    busy_until: i64,
}

#[derive(Debug)]
struct Turn {
    delivery: (PushId, usize),
    until: i64,
}

pub(crate) fn target(image: &Image) -> Target {
    Target { id: GROUP.to_owned(), part: image.repository.as_str().to_owned() }
}

impl SimSink {
    /// One step: the first tells the group to change, the others ask how far it is.
    pub(crate) async fn step(&self, parcel: Parcel<'_>) -> Attempt {
        let (fate, travel) = {
            let mut state = self.sim.state();
            let fate = fate(&mut state);
            self.begin_step(&mut state, &parcel);
            (fate, (state.rng.u64(..30), state.rng.u64(..30)))
        };
        self.sim.sleep(Duration::from_millis(travel.0)).await;
        let attempt = match &parcel.claim.progress {
            None => self.change(&parcel, fate),
            Some(progress) => self.ask(&parcel, progress, fate),
        };
        self.sim.sleep(Duration::from_millis(travel.1)).await;
        if matches!(fate, Fate::Hang | Fate::AcceptAndHang) {
            self.sim.sleep(Duration::from_secs(3_600)).await;
        }
        self.end_step(&parcel, &attempt);
        attempt
    }

    /// Is it this delivery's turn?
    fn begin_step(&self, state: &mut State, parcel: &Parcel<'_>) {
        let (delivery, now) = ((parcel.push.id, parcel.claim.notice), self.sim.now());
        let (task, at) = (state.current, self.sim.elapsed());
        let progress = parcel.claim.progress.clone().unwrap_or_default();
        let attempt = parcel.claim.attempt;
        state.note(|| {
            format!("{at:>7} task {task} {GROUP} {} attempt {attempt} [{progress}]", delivery.0)
        });
        if let Some(job) = state.job() {
            job.deploys = true;
            // Nobody can know when a process that was frozen makes its call.
            if job.frozen {
                return;
            }
        }
        let rival = state.group.turn.as_ref().filter(|turn| turn.delivery != delivery);
        if let Some(Turn { delivery: (other, _), until }) = rival
            && now < *until
        {
            let what = format!("I9: {} and {other} are deployed at the same time", delivery.0);
            state.violated(what);
        }
        state.group.turn = Some(Turn { delivery, until: now + TURN });
    }

    fn end_step(&self, parcel: &Parcel<'_>, attempt: &Attempt) {
        let mut state = self.sim.state();
        let mine = (parcel.push.id, parcel.claim.notice);
        let task = state.current;
        state.note(|| format!("{:>7} task {task} {GROUP} {attempt:?}", self.sim.elapsed()));
        match attempt {
            Attempt::Ongoing { .. } => state.hit(Hit::Step),
            // Nobody else may come until the lease has run out.
            Attempt::Unknown { .. } => return,
            Attempt::Accepted { .. } => state.hit(Hit::Deployed),
            Attempt::Refused { .. } | Attempt::Hopeless { .. } => {}
        }
        let resting = matches!(attempt, Attempt::Ongoing { .. });
        if !resting && state.group.turn.as_ref().is_some_and(|turn| turn.delivery == mine) {
            state.group.turn = None;
        }
    }

    fn change(&self, parcel: &Parcel<'_>, fate: Fate) -> Attempt {
        let now = self.sim.now();
        let mut state = self.sim.state();
        let error = "simulated".to_owned();
        if now < state.group.busy_until || state.chance(10) {
            state.hit(Hit::TargetIsBusy);
            let retry_after = Some(Duration::from_secs(state.rng.u64(1..6)));
            return Attempt::Refused { error, retry_after };
        }
        match fate {
            Fate::Accept | Fate::AcceptSilently | Fate::AcceptAndHang => {}
            Fate::Refuse(after) => {
                let retry_after = (after > 0).then(|| Duration::from_secs(after));
                return Attempt::Refused { error, retry_after };
            }
            Fate::Hang => return Attempt::Unknown { error },
            Fate::Hopeless => {
                self.called(&mut state, parcel, fate);
                return Attempt::Hopeless { error };
            }
        }
        self.called(&mut state, parcel, fate);
        self.applied(&mut state, parcel);
        state.group.busy_until = now + state.rng.i64(500..15_000);
        if fate != Fate::Accept {
            return Attempt::Unknown { error };
        }
        let after = Duration::from_secs(state.rng.u64(1..8));
        Attempt::Ongoing { after, progress: Some("1".to_owned()), result: None }
    }

    /// No older push after a newer one.
    fn applied(&self, state: &mut State, parcel: &Parcel<'_>) {
        let place = (parcel.push.order(), parcel.push.id);
        let part = target(&parcel.push.image).part;
        let frozen = state.job().is_some_and(|job| job.frozen);
        if let Some(newest) = state.group.newest.get(&part).copied()
            && place < newest
            && !frozen
        {
            let what = format!("I9: {} is deployed after {}, which is newer", place.1, newest.1);
            state.violated(what);
        }
        state.group.newest.insert(part, place);
    }

    fn called(&self, state: &mut State, parcel: &Parcel<'_>, fate: Fate) {
        let (push, notice) = (parcel.push.id, parcel.claim.notice);
        let same = |c: &&mut Call| c.push == push && c.notice == notice && c.sink == self.name;
        let frozen = state.job().is_some_and(|job| job.frozen);
        let mut before = state.truth.calls.iter_mut().filter(same).filter(|c| c.accepted);
        // A lease ran out, or an answer was lost: what the other one did was not known.
        let said = parcel.claim.repeat || frozen;
        let again = before.next().is_some();
        for call in state.truth.calls.iter_mut().filter(same).filter(|_| said) {
            call.unknown = true;
        }
        if again && !said {
            state.violated(format!("{GROUP} gets {push}.{notice} again as if for the first time"));
        }
        state.truth.calls.push(Call {
            push,
            notice,
            kind: parcel.notice.kind,
            sink: self.name,
            accepted: fate != Fate::Hopeless,
            hopeless: fate == Fate::Hopeless,
            unknown: frozen || fate != Fate::Accept,
        });
        let at = state.truth.calls.len() - 1;
        if let Some(job) = state.job() {
            job.calls.push(at);
        }
    }

    fn ask(&self, parcel: &Parcel<'_>, progress: &str, fate: Fate) -> Attempt {
        let now = self.sim.now();
        let mut state = self.sim.state();
        let error = "simulated".to_owned();
        let mine = |c: &&mut Call| {
            c.push == parcel.push.id && c.notice == parcel.claim.notice && c.sink == self.name
        };
        match fate {
            // What was begun has failed, so that it has to begin anew. What is written down as done has not: a process
            // that was frozen may ask once more.
            Fate::Refuse(_) => {
                let row = observe::push(&self.sim.memory, parcel.push.id);
                let open = |call: &&mut Call| row.as_ref().is_some_and(|row| !call.is_done(row));
                let calls = state.truth.calls.iter_mut().filter(mine).filter(open);
                calls.for_each(|call| call.accepted = false);
                return Attempt::Refused { error, retry_after: None };
            }
            Fate::Hang | Fate::AcceptSilently | Fate::AcceptAndHang => {
                return Attempt::Unknown { error };
            }
            Fate::Accept | Fate::Hopeless => {}
        }
        if now < state.group.busy_until {
            let next = progress.parse::<u32>().unwrap_or(0) + 1;
            let after = Duration::from_secs(state.rng.u64(1..8));
            return Attempt::Ongoing { after, progress: Some(next.to_string()), result: None };
        }
        if let Some(last) = state.truth.calls.iter_mut().rfind(mine) {
            last.accepted = true;
        }
        Attempt::Accepted { result: None, tells: Some(NoticeKind::Deployed) }
    }
}

impl State {
    /// A guard was written: until then nobody else is to come.
    pub(crate) fn guarded(&mut self, doc: &str) {
        let Ok(guard) = serde_json::from_str::<serde_json::Value>(doc) else { return };
        let Some(lease) = guard.get("lease").filter(|lease| lease["resting"] == true) else {
            return;
        };
        let until = lease["until"].as_i64().map_or(Timestamp::ZERO, Timestamp::from_millis);
        let clean = self.job().is_some_and(|job| !job.frozen);
        if let Some(turn) = self.group.turn.as_mut().filter(|_| clean) {
            turn.until = turn.until.max(until.as_millis() - SLACK);
        }
    }
}
