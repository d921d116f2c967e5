//! The state behind its lock: requests are answered one after another.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::arm;
use crate::arm_error::ArmError;
use crate::entra;
use crate::faults::{Fault, take};
use crate::http::{Answer, Request};
use crate::identity;
use crate::server::Reaction;
use crate::state::{Seen, State};

/// Who is spoken to; each has a port of its own, so that a client that takes one for another is found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Service {
    Arm,
    Authority,
    Identity,
}

#[derive(Debug)]
pub(crate) struct World {
    state: Mutex<State>,
    /// How many requests there were to ARM.
    requests: watch::Sender<usize>,
}

impl World {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), requests: watch::Sender::new(0) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes after each request to ARM.
    pub(crate) fn watch(&self) -> watch::Receiver<usize> {
        self.requests.subscribe()
    }

    pub(crate) fn react(&self, service: Service, request: Request) -> Reaction {
        let reaction = self.react_unseen(service, &request);
        self.requests.send_modify(|requests| *requests += usize::from(service == Service::Arm));
        reaction
    }

    fn react_unseen(&self, service: Service, request: &Request) -> Reaction {
        let state = &mut *self.lock();
        let seen = (service == Service::Arm).then(|| seen(state, request));
        let reaction = reaction(state, service, request);
        let status = match &reaction {
            Reaction::Answer(answer) => Some(answer.status),
            Reaction::Reset | Reaction::Hang => None,
        };
        state.requests.extend(seen.map(|seen| Seen { status, ..seen }));
        reaction
    }
}

fn seen(state: &State, request: &Request) -> Seen {
    Seen {
        method: request.method.clone(),
        path: request.path.clone(),
        api_version: request.query("api-version").map(str::to_owned),
        authorization: request.header("authorization").map(|text| state.tokens.redacted(text)),
        body: request.json(),
        status: None,
    }
}

fn reaction(state: &mut State, service: Service, request: &Request) -> Reaction {
    let (faults, answer): (_, fn(&mut State, &Request) -> Answer) = match service {
        Service::Arm => (&mut state.arm_faults, arm::answer),
        Service::Authority => (&mut state.sign_in_faults, entra::answer),
        Service::Identity => (&mut state.sign_in_faults, identity::answer),
    };
    match take(faults, request) {
        None => Reaction::Answer(answer(state, request)),
        Some(Fault::Reset) => Reaction::Reset,
        Some(Fault::Hang) => Reaction::Hang,
        Some(Fault::AcceptThenReset) => {
            answer(state, request);
            Reaction::Reset
        }
        Some(Fault::AcceptThenHang) => {
            answer(state, request);
            Reaction::Hang
        }
        Some(Fault::Status(status)) => Reaction::Answer(ArmError::of_status(status).into_answer()),
        Some(Fault::Throttled { retry_after_s }) => {
            let answer = ArmError::of_status(429).into_answer();
            Reaction::Answer(answer.retry_after(Some(retry_after_s)))
        }
        Some(Fault::Instead(answer)) => Reaction::Answer(answer),
    }
}
