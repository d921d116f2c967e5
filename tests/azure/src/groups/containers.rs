//! Containers as tests want them to fare, looked at once for each GET of their group.

use serde_json::{Value, json};

use crate::clock::Clock;

/// The exit code of a container that was stopped and did not listen.
const STOPPED: i32 = 137;

/// How a container fares from its start on. Time is counted in looks: GETs of its group after the update is through.
#[derive(Clone, Debug)]
pub struct Behaviour {
    waits: u32,
    fate: Fate,
    logs: String,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Runs,
    Exits { code: i32, looks: u32 },
    RestartsUnseen { code: i32, looks: u32 },
}

impl Behaviour {
    /// Runs for ever.
    #[must_use]
    pub fn runs() -> Self {
        Self { waits: 0, fate: Fate::Runs, logs: String::new() }
    }

    /// Is seen running so many times and then ends. Where the restart policy starts it again, it ends each time:
    /// a crash loop, in which it is sometimes seen running.
    #[must_use]
    pub fn exits(code: i32, looks: u32) -> Self {
        Self { fate: Fate::Exits { code, looks }, ..Self::runs() }
    }

    /// Is running whenever somebody looks, but after so many looks was started anew each time.
    #[must_use]
    pub fn restarts_unseen(code: i32, looks: u32) -> Self {
        Self { fate: Fate::RestartsUnseen { code, looks }, ..Self::runs() }
    }

    /// Is seen waiting so many times before that; [`u32::MAX`] is for ever.
    #[must_use]
    pub fn after_waiting(self, looks: u32) -> Self {
        Self { waits: looks, ..self }
    }

    /// What its log says.
    #[must_use]
    pub fn logs(self, text: impl Into<String>) -> Self {
        Self { logs: text.into(), ..self }
    }
}

/// `restartPolicy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Policy {
    Always,
    OnFailure,
    Never,
}

impl Policy {
    pub(crate) fn of(document: &Value) -> Self {
        match document["properties"]["restartPolicy"].as_str() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn starts_again(self, code: i32) -> bool {
        self == Self::Always || (self == Self::OnFailure && code != 0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    Waiting,
    Running,
    Ended { code: i32 },
}

/// A container that was started.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    behaviour: Behaviour,
    looks: u32,
    /// When it was started, last of all and at the start of its group.
    started: String,
    restarts: u32,
    /// When and how it ended last.
    ended: Option<(String, i32)>,
    pub(crate) phase: Phase,
}

impl Container {
    pub(crate) fn start(
        name: &str,
        behaviour: Behaviour,
        policy: Policy,
        clock: &mut Clock,
    ) -> Self {
        let mut container = Self {
            name: name.to_owned(),
            behaviour,
            looks: 0,
            started: clock.tick(),
            restarts: 0,
            ended: None,
            phase: Phase::Waiting,
        };
        container.settle(policy, clock);
        container
    }

    /// Is stopped with its group.
    pub(crate) fn stop(&mut self, clock: &mut Clock) {
        if !matches!(self.phase, Phase::Ended { .. }) {
            self.phase = Phase::Ended { code: STOPPED };
            self.ended = Some((clock.tick(), STOPPED));
        }
    }

    /// Somebody looked: things have moved on when he looks again.
    pub(crate) fn advance(&mut self, policy: Policy, clock: &mut Clock) {
        self.looks = self.looks.saturating_add(1);
        self.settle(policy, clock);
    }

    fn settle(&mut self, policy: Policy, clock: &mut Clock) {
        let (phase, restarts, code) = self.now(policy);
        if restarts > self.restarts {
            self.ended = code.map(|code| (clock.tick(), code));
            self.started = clock.tick();
        } else if matches!(phase, Phase::Ended { .. }) && phase != self.phase {
            self.ended = code.map(|code| (clock.tick(), code));
        }
        (self.phase, self.restarts) = (phase, restarts);
    }

    /// Phase, restarts so far, and the last exit code.
    fn now(&self, policy: Policy) -> (Phase, u32, Option<i32>) {
        let waits = self.behaviour.waits;
        if waits == u32::MAX || self.looks < waits {
            return (Phase::Waiting, 0, None);
        }
        let looked = self.looks - waits;
        match self.behaviour.fate {
            Fate::Exits { code, looks } if looked >= looks => {
                if !policy.starts_again(code) {
                    return (Phase::Ended { code }, 0, Some(code));
                }
                let since = looked - looks;
                let phase = if since.is_multiple_of(2) { Phase::Waiting } else { Phase::Running };
                (phase, since / 2 + 1, Some(code))
            }
            Fate::RestartsUnseen { code, looks } if looked >= looks => {
                (Phase::Running, looked - looks + 1, Some(code))
            }
            _ => (Phase::Running, 0, None),
        }
    }

    /// Whether it has not run yet.
    pub(crate) fn is_waiting_first(&self) -> bool {
        self.phase == Phase::Waiting && self.restarts == 0
    }

    pub(crate) fn log(&self) -> &str {
        &self.behaviour.logs
    }

    /// `instanceView` of a container.
    pub(crate) fn instance_view(&self, image: &str) -> Value {
        let current = match self.phase {
            Phase::Waiting if self.restarts > 0 => {
                json!({ "state": "Waiting", "detailStatus": "CrashLoopBackOff: Back-off restarting failed" })
            }
            Phase::Waiting => json!({ "state": "Waiting", "detailStatus": "" }),
            Phase::Running => {
                json!({ "state": "Running", "startTime": self.started, "detailStatus": "" })
            }
            Phase::Ended { .. } => self.end(),
        };
        let mut view = json!({
            "restartCount": self.restarts,
            "currentState": current,
            "events": self.events(image),
        });
        if self.restarts > 0 {
            view["previousState"] = self.end();
        }
        view
    }

    fn end(&self) -> Value {
        let Some((at, code)) = &self.ended else { return Value::Null };
        let detail = if *code == 0 { "Completed" } else { "Error" };
        json!({
            "state": "Terminated",
            "startTime": self.started,
            "exitCode": code,
            "finishTime": at,
            "detailStatus": detail,
        })
    }

    fn events(&self, image: &str) -> Value {
        if self.is_waiting_first() {
            return json!([]);
        }
        let event = |kind: &str, name: &str, message: String| {
            json!({
                "count": 1,
                "firstTimestamp": self.started,
                "lastTimestamp": self.started,
                "name": name,
                "message": message,
                "type": kind,
            })
        };
        let mut events = vec![
            event("Normal", "Pulling", format!("pulling image \"{image}\"")),
            event("Normal", "Pulled", format!("Successfully pulled image \"{image}\"")),
            event("Normal", "Started", "Started container".to_owned()),
        ];
        if self.restarts > 0 {
            let text = "Back-off restarting failed container".to_owned();
            events.push(event("Warning", "BackOff", text));
        }
        Value::Array(events)
    }
}
