//! A store as small as possible, driven as the product drives its own. Every write is held to the law, and
//! the history of every push is kept.

use crate::model::Told;
use crate::world::{Content, Event, Schedule, at};
use fan_in::decide::{Change, Ticked, is_overdue};
use fan_in::{
    ContentId, Family, Load, Older, Outcome, Policy, Push, PushId, Status, Timestamp, arrive, law,
    tick,
};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    pub(crate) policy: Policy,
    families: BTreeMap<ContentId, Family>,
    /// Pushes that are not the newest of their content any more.
    earlier: BTreeMap<PushId, Push>,
    /// What every push was after each of its changes of status.
    pub(crate) history: BTreeMap<PushId, Vec<Status>>,
}

impl Shelf {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            families: BTreeMap::new(),
            earlier: BTreeMap::new(),
            history: BTreeMap::new(),
        }
    }

    pub(crate) fn arrive(&mut self, event: &Event) -> Outcome {
        let report = event.report();
        let family = self.families.get(&report.content);
        let mut older = Older::new();
        let outcome = loop {
            match arrive(family, &older, &report, &self.policy, event.at) {
                Ok(outcome) => break outcome,
                Err(Load(generation)) => {
                    let id = PushId { shard: report.shard, content: report.content, generation };
                    let asked = older.insert(generation, self.earlier.get(&id).cloned());
                    assert!(asked.is_none(), "what was loaded is asked for again");
                }
            }
        };
        self.save(&outcome);
        outcome
    }

    fn save(&mut self, outcome: &Outcome) {
        let family = &outcome.family;
        let content = family.newest.id.content;
        let before = self.families.get(&content).map(|family| family.newest.clone());
        match outcome.change {
            Change::Nothing => {
                assert_eq!(self.families.get(&content), Some(family), "a change that is none");
                return;
            }
            Change::Newest => self.hold(before.as_ref(), &family.newest),
            Change::Earlier => {
                assert_eq!(before.as_ref(), Some(&family.newest), "another push changed, too");
                let after = outcome.earlier.as_ref().expect("an earlier push");
                let before = self.earlier.insert(after.id, after.clone());
                self.hold(Some(&before.expect("the row of an earlier push")), after);
            }
            Change::Opens => {
                assert_eq!(before.as_ref().map(|b| b.id), outcome.earlier.as_ref().map(|e| e.id));
                if let (Some(before), Some(moved)) = (&before, &outcome.earlier) {
                    assert!(before.id.generation < family.newest.id.generation);
                    self.hold(Some(before), moved);
                    assert!(self.earlier.insert(moved.id, moved.clone()).is_none());
                }
                self.hold(None, &family.newest);
            }
        }
        self.families.insert(content, family.clone());
    }

    /// What no write may break, in words of our own beside the core's.
    fn hold(&mut self, before: Option<&Push>, after: &Push) {
        law::check(before, after, &self.policy.regions).expect("a lawful write");
        let was = before.map_or(Status::Waiting, |push| push.status);
        if was == after.status {
            return;
        }
        self.history.entry(after.id).or_default().push(after.status);
        let mut awaited = after.expected.intersection(&self.policy.regions);
        let everywhere =
            awaited.clone().next().is_some() && awaited.all(|region| after.has(region));
        let is_global = after.expected.iter().all(|region| region.is_global());
        assert!(after.status.is_everywhere() == (everywhere || is_global), "{after:?}");
    }

    pub(crate) fn pushes(&self) -> impl Iterator<Item = &Push> {
        self.families.values().map(|family| &family.newest).chain(self.earlier.values())
    }

    pub(crate) fn family(&self, content: Content) -> &Family {
        &self.families[&content.id()]
    }

    /// The only push there is.
    pub(crate) fn only(&self) -> &Push {
        let mut pushes = self.pushes();
        let only = pushes.next().expect("a push");
        assert!(pushes.next().is_none(), "there is more than one push");
        only
    }

    /// Changes one push as the caller says.
    pub(crate) fn change<T>(&mut self, id: PushId, change: impl FnOnce(&mut Push) -> T) -> T {
        let newest = self.families.get_mut(&id.content).map(|family| &mut family.newest);
        let push = match newest.filter(|newest| newest.id == id) {
            Some(newest) => newest,
            None => self.earlier.get_mut(&id).expect("a push of this id"),
        };
        let before = push.clone();
        let result = change(push);
        let after = push.clone();
        self.hold(Some(&before), &after);
        result
    }

    /// One tick of the timer, at every push.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<(PushId, Ticked)> {
        let ids: Vec<PushId> = self.pushes().map(|push| push.id).collect();
        ids.into_iter().map(|id| (id, self.look_at(id, now, false))).collect()
    }

    pub(crate) fn look_at(&mut self, id: PushId, now: Timestamp, eager: bool) -> Ticked {
        let superseded = self.pushes().find(|push| push.id == id).is_some_and(|push| {
            let newer =
                |other: &Push| other.id.content != id.content && other.order() > push.order();
            is_overdue(push, &self.policy, now) && self.pushes().any(newer)
        });
        let policy = self.policy.clone();
        self.change(id, |push| {
            let before = push.clone();
            let ticked = tick(push, &policy, now, superseded, eager);
            assert!(ticked.changed || *push == before, "a change that is not said");
            ticked
        })
    }

    /// Forgets decided pushes first seen before that time. Their content's row still knows of earlier ones,
    /// as it does when somebody read it just before.
    pub(crate) fn purge(&mut self, before: Timestamp) {
        let stays = |push: &Push| push.status == Status::Waiting || push.first_seen >= before;
        self.earlier.retain(|_, push| stays(push));
        self.families.retain(|_, family| stays(&family.newest));
    }

    /// The next time at which time alone decides something.
    fn next_deadline(&self) -> Option<Timestamp> {
        self.pushes().filter(|p| p.status == Status::Waiting).map(|p| p.deadline).min()
    }

    /// All pushes, oldest first.
    pub(crate) fn told(&self) -> BTreeMap<Content, Vec<Told>> {
        let told = |family: &Family| {
            let past = family.past.iter().filter_map(|past| {
                let id = PushId { generation: past.generation, ..family.newest.id };
                let push = self.earlier.get(&id)?;
                // The push's own row knows the same arrivals, but not the ids they came under later.
                let in_its_row = push.arrivals.iter().map(|a| (&a.region, a.late));
                let in_the_past = past.arrivals.iter().map(|a| (&a.region, a.late));
                assert!(in_its_row.eq(in_the_past), "an earlier push and what is kept of it");
                assert!(push.repeats.is_empty() && push.first_seen == past.first_seen);
                Some(Push {
                    arrivals: past.arrivals.clone(),
                    repeats: past.repeats.clone(),
                    ..push.clone()
                })
            });
            past.chain([family.newest.clone()]).map(|push| tell(&push)).collect()
        };
        self.families.iter().map(|(c, family)| (Content::of(*c), told(family))).collect()
    }
}

fn tell(push: &Push) -> Told {
    let ids = |ids: &[fan_in::EventId]| ids.iter().copied().collect();
    Told {
        status: push.status,
        first_seen: push.first_seen,
        arrivals: push.arrivals.iter().map(|a| (a.region.clone(), (ids(&a.ids), a.late))).collect(),
        repeats: push.repeats.iter().map(|r| (r.region.clone(), ids(&r.ids))).collect(),
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Arrival(&'a Event),
    Tick(Timestamp),
}

/// Plays a schedule: what arrives, and between it the ticks of a timer that may be late. In the end every
/// push is decided.
pub(crate) fn play(
    schedule: &Schedule,
    shelf: &mut Shelf,
    mut step: impl FnMut(&mut Shelf, Step<'_>),
) {
    let lags = &schedule.timer_lags;
    let tick_at = |deadline: Timestamp| {
        let lag = lags[usize::try_from(deadline.as_millis()).unwrap_or(0) % lags.len()];
        deadline + Duration::from_millis(lag)
    };
    let never = at(1_000_000_000);
    let events = schedule.events.iter().map(|event| (event.at, Some(event)));
    for (until, event) in events.chain([(never, None)]) {
        while let Some(deadline) = shelf.next_deadline()
            && tick_at(deadline) <= until
        {
            step(shelf, Step::Tick(tick_at(deadline)));
            assert!(shelf.next_deadline() > Some(deadline) || shelf.next_deadline().is_none());
        }
        event.into_iter().for_each(|event| step(shelf, Step::Arrival(event)));
    }
}
