//! The scenarios that are swept.

/// An event: its number, tag and content.
pub(crate) type Event = (u64, &'static str, u64);

#[derive(Debug)]
pub(crate) enum Step {
    Push(Event, &'static str),
    /// An arrival that travels by queue, since the table was away when it came.
    Queued(Event, &'static str),
    Tick,
    /// `Notify` gets what is in the queue.
    Deliver,
    /// So many seconds pass.
    Advance(i64),
    /// The sink answers its next call like this.
    Sink(&'static str, u16),
    /// Somebody else is at the container group, or not any more.
    Busy(bool),
    /// A restart with these regions.
    Regions(&'static str),
}

use Step::{Advance, Busy, Deliver, Push, Queued, Regions, Sink, Tick};

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [(&'static str, &'static str)],
    pub(crate) table_exists: bool,
    /// At the end nothing is kept.
    pub(crate) purges: bool,
    pub(crate) steps: &'static [Step],
    /// What Slack hears when nothing goes wrong.
    pub(crate) told: &'static [&'static str],
    /// The contents that the container group was brought to when nothing goes wrong.
    pub(crate) applied: &'static [u64],
}

const NORTH: &str = "northeurope";
const WEST: &str = "westeurope";
const ASIA: &str = "southeastasia";

const PLAIN: Scenario = Scenario {
    name: "",
    settings: &[],
    table_exists: true,
    purges: false,
    steps: &[],
    told: &[],
    applied: &[],
};

/// With a container group in an Azure of the tests' own.
const DEPLOYS: &[(&str, &str)] = &[("FANIN_CONFIG", "here")];

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "simple, into a table that is not there yet",
        table_exists: false,
        steps: &[Push((1, "v1", 1), NORTH), Push((1, "v1", 1), WEST), Deliver],
        told: &["completed"],
        ..PLAIN
    },
    Scenario {
        name: "timeout",
        steps: &[Push((1, "v1", 1), NORTH), Advance(601), Tick, Deliver],
        told: &["timed_out"],
        ..PLAIN
    },
    Scenario {
        name: "recovered",
        steps: &[
            Push((1, "v1", 1), NORTH),
            Advance(601),
            Tick,
            Deliver,
            Push((1, "v1", 1), WEST),
            Deliver,
        ],
        told: &["timed_out", "recovered"],
        ..PLAIN
    },
    Scenario {
        name: "a re-push while the first waits",
        steps: &[
            Push((1, "v1", 1), NORTH),
            Push((2, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Deliver,
            Push((2, "v1", 1), WEST),
            Deliver,
        ],
        told: &["completed", "completed"],
        ..PLAIN
    },
    Scenario {
        name: "a rollback onto a superseded push",
        steps: &[
            Push((1, "v1", 1), NORTH),
            Push((2, "v1", 2), NORTH),
            Push((2, "v1", 2), WEST),
            Deliver,
            Advance(601),
            Tick,
            Push((3, "v1", 1), NORTH),
            Push((3, "v1", 1), WEST),
            Deliver,
        ],
        told: &["completed", "completed"],
        ..PLAIN
    },
    Scenario {
        name: "a sink that fails once",
        steps: &[
            Sink("slack", 500),
            Push((1, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Deliver,
            Advance(7),
            Tick,
            Deliver,
        ],
        told: &["completed"],
        ..PLAIN
    },
    Scenario {
        name: "two sinks of which one fails twice",
        settings: &[("NOTIFY_WEBHOOK_URL", "here"), ("NOTIFY_WEBHOOK_FORMAT", "cloudevents")],
        steps: &[
            Sink("webhook", 500),
            Sink("webhook", 503),
            Push((1, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Deliver,
            Advance(7),
            Tick,
            Deliver,
            Advance(7),
            Tick,
            Deliver,
        ],
        told: &["completed"],
        ..PLAIN
    },
    Scenario {
        name: "an arrival by queue",
        steps: &[
            Queued((1, "v1", 1), NORTH),
            Deliver,
            Push((2, "v2", 2), NORTH),
            Queued((2, "v2", 2), WEST),
            Deliver,
        ],
        told: &["completed"],
        ..PLAIN
    },
    Scenario {
        name: "a region is removed",
        settings: &[("WebhookRegions", "northeurope,westeurope,southeastasia")],
        steps: &[
            Push((1, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Push((2, "v2", 2), ASIA),
            Regions("northeurope,westeurope"),
            Tick,
            Deliver,
        ],
        told: &["completed"],
        ..PLAIN
    },
    Scenario {
        name: "purge",
        purges: true,
        steps: &[
            Push((1, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Push((2, "v1", 1), NORTH),
            Push((2, "v1", 1), WEST),
            Push((3, "v2", 2), NORTH),
            Advance(601),
            Tick,
            Deliver,
            Advance(40 * 86_400),
            Tick,
        ],
        told: &["completed", "completed", "timed_out"],
        ..PLAIN
    },
    Scenario {
        name: "a deployment",
        settings: DEPLOYS,
        steps: &[Push((1, "v1", 1), NORTH), Push((1, "v1", 1), WEST), Deliver],
        told: &["completed"],
        applied: &[1],
        ..PLAIN
    },
    Scenario {
        name: "a deployment that Azure refused for a while, after that of a newer push of another tag",
        settings: DEPLOYS,
        steps: &[
            Busy(true),
            Push((1, "v1", 1), NORTH),
            Push((1, "v1", 1), WEST),
            Deliver,
            Busy(false),
            Push((2, "v2", 2), NORTH),
            Push((2, "v2", 2), WEST),
            Deliver,
            Advance(12),
            Tick,
            Deliver,
        ],
        told: &["completed", "completed"],
        applied: &[2],
        ..PLAIN
    },
];
