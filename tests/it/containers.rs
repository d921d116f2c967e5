//! Containers as tests want them: made and looked at in memory, with every kind of trouble.

use acr_fanin::ports::{Containers, Group, Order, Seen, Trouble, Window};
use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What happens to a call.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It fails, and nothing else happens.
    Fails(Trouble),
    /// It is done, and nobody hears of it.
    Unheard,
    /// It is done, and the caller is gone before he hears of it.
    NeverEnds,
    /// It is done, and he hears of it when he is told to go on.
    Waits(Arc<Notify>),
}

#[derive(Clone, Debug)]
struct Running {
    seen: Seen,
    log: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    groups: BTreeMap<String, Running>,
    fates: BTreeMap<&'static str, VecDeque<Fate>>,
    calls: Vec<String>,
}

/// Clones share their groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet(Arc<Mutex<State>>);

impl Fleet {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The next such call (`create`, `look`, `log`, `delete`) meets this.
    pub(crate) fn will(&self, call: &'static str, fate: Fate) {
        self.state().fates.entry(call).or_default().push_back(fate);
    }

    pub(crate) fn refuses(&self, call: &'static str, error: &str) {
        self.will(call, Fate::Fails(Trouble::Later { error: error.to_owned(), after: None }));
    }

    /// The only group.
    pub(crate) fn name(&self) -> String {
        let state = self.state();
        assert_eq!(state.groups.len(), 1);
        state.groups.keys().next().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.state().groups.len()
    }

    /// The only container has written this.
    pub(crate) fn writes(&self, log: &str) {
        let name = self.name();
        self.state().groups.get_mut(&name).unwrap().log = Some(log.to_owned());
    }

    /// The only container ends.
    pub(crate) fn ends(&self, exit_code: i64) {
        let name = self.name();
        let seen = Seen::Ended { exit_code: Some(exit_code), error: None };
        self.state().groups.get_mut(&name).unwrap().seen = seen;
    }

    pub(crate) fn vanishes(&self) {
        self.state().groups.clear();
    }

    /// The calls so far, without looks and logs; what is to be made is told whole.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Does what is asked unless something else is to happen.
    async fn call<T>(
        &self,
        call: &'static str,
        act: impl FnOnce(&mut State) -> T + Send,
    ) -> Result<T, Trouble> {
        // Others may come in between.
        tokio::task::yield_now().await;
        let (fate, done) = {
            let mut state = self.state();
            let fate = state.fates.get_mut(call).and_then(VecDeque::pop_front);
            if let Some(Fate::Fails(trouble)) = fate {
                return Err(trouble);
            }
            (fate, act(&mut state))
        };
        match fate {
            None | Some(Fate::Fails(_)) => Ok(done),
            Some(Fate::Unheard) => Err(Trouble::Unknown { error: "no answer".to_owned() }),
            Some(Fate::NeverEnds) => std::future::pending().await,
            Some(Fate::Waits(go_on)) => {
                go_on.notified().await;
                Ok(done)
            }
        }
    }
}

#[async_trait]
impl Containers for Fleet {
    async fn create(&self, group: &Group, order: Order<'_>, window: Window) -> Result<(), Trouble> {
        assert!(window.send < window.answer);
        if Instant::now() >= window.send {
            let error = "there was no time left to ask Azure".to_owned();
            return Err(Trouble::Later { error, after: None });
        }
        self.call("create", |state| {
            let line = [order.definition, order.image].into_iter().map(str::to_owned);
            let line: Vec<String> = line.chain(order.args.iter().cloned()).collect();
            state.calls.push(format!("create {}", line.join(" ")));
            let running = Running { seen: Seen::Going, log: None };
            // Azure starts what is there anew, which is what must never happen.
            assert!(state.groups.insert(group.name.clone(), running).is_none(), "a second start");
        })
        .await
    }

    async fn look(&self, group: &Group, _: Window) -> Result<Seen, Trouble> {
        let look = |state: &mut State| state.groups.get(&group.name).map(|g| g.seen.clone());
        Ok(self.call("look", look).await?.unwrap_or(Seen::Absent))
    }

    async fn log(&self, group: &Group, _: Window) -> Result<Option<String>, Trouble> {
        self.call("log", |state| state.groups.get(&group.name).and_then(|g| g.log.clone())).await
    }

    async fn delete(&self, group: &Group, _: Window) -> Result<(), Trouble> {
        self.call("delete", |state| {
            state.calls.push("delete".to_owned());
            state.groups.remove(&group.name);
        })
        .await
    }
}
