//! Timer functions.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::app::{Function, TimerTrigger, Trigger};
use crate::clock;
use crate::core::{Call, Core};
use crate::json::Json;
use crate::metadata::Metadata;
use crate::result::Failure;

/// What the host remembers of a timer that it monitors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monitor {
    last: OffsetDateTime,
    next: OffsetDateTime,
}

impl Monitor {
    fn to_json(self) -> Json {
        let text = |time| Json::from(clock::iso(time) + "+00:00");
        Json::object([
            ("Last", text(self.last)),
            ("Next", text(self.next)),
            ("LastUpdated", text(self.last)),
        ])
    }
}

fn call(
    function: &Function,
    trigger: &TimerTrigger,
    monitor: Option<Monitor>,
    mut metadata: Metadata,
) -> Call {
    metadata.set_sys(&function.name);
    let schedule = Json::object([("AdjustForDST", true.into())]);
    Call {
        binding: trigger.binding.clone(),
        data: Json::object([
            ("Schedule", schedule),
            ("ScheduleStatus", monitor.map_or(Json::Null, Monitor::to_json)),
            ("IsPastDue", false.into()),
        ]),
        metadata: metadata.into_json(),
    }
}

/// A run that somebody started by hand; `input` only shows up in the metadata.
pub(crate) fn manual_call(
    core: &Core,
    function: &Function,
    trigger: &TimerTrigger,
    input: &str,
) -> Call {
    let mut metadata = Metadata::default();
    metadata.set(&trigger.binding, Json::encoded(input));
    call(function, trigger, core.monitor(&function.name), metadata)
}

/// Runs the timer now, as if it were due.
pub(crate) async fn tick(
    core: &Core,
    function: &Function,
    trigger: &TimerTrigger,
) -> Result<(), Failure> {
    let _work = core.in_flight.enter();
    let now = clock::now();
    let never = || Monitor { last: clock::never(), next: now };
    let known = core.monitor(&function.name);
    let shown = trigger.is_monitored.then(|| known.unwrap_or_else(never));
    let result = core.invoke(function, call(function, trigger, shown, Metadata::default())).await;
    if trigger.is_monitored {
        let monitor = Monitor { last: now, next: trigger.schedule.next(now) };
        let mut monitors = core.monitors.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.insert(function.name.clone(), monitor);
    }
    result.map(drop)
}

/// Runs a timer on schedule until the host stops. Its runs do not overlap.
pub(crate) async fn run(core: Arc<Core>, name: String) {
    let Some(function) = core.app.function(&name) else { return };
    let Trigger::Timer(trigger) = &function.trigger else { return };
    let mut stopping = core.stopping.subscribe();
    loop {
        let next = trigger.schedule.next(clock::now());
        let pause = Duration::try_from(next - clock::now()).unwrap_or_default();
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(pause) => {}
        }
        // Its failure has been logged; the next tick comes as scheduled.
        let _result = tick(&core, function, trigger).await;
    }
}

impl Core {
    fn monitor(&self, function: &str) -> Option<Monitor> {
        let monitors = self.monitors.lock().unwrap_or_else(PoisonError::into_inner);
        monitors.get(function).copied()
    }
}
