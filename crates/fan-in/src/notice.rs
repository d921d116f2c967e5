//! Things worth telling.

use crate::delivery::Delivery;
use crate::region::{Region, RegionSet};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// One region has it.
    RegionReady,
    Completed,
    TimedOut,
    Recovered,
    Deployed,
    DeployFailed,
    JobSucceeded,
    JobFailed,
}

impl NoticeKind {
    pub const ALL: [Self; 8] = [
        Self::RegionReady,
        Self::Completed,
        Self::TimedOut,
        Self::Recovered,
        Self::Deployed,
        Self::DeployFailed,
        Self::JobSucceeded,
        Self::JobFailed,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegionReady => "region_ready",
            Self::Completed => "completed",
            Self::TimedOut => "timed_out",
            Self::Recovered => "recovered",
            Self::Deployed => "deployed",
            Self::DeployFailed => "deploy_failed",
            Self::JobSucceeded => "job_succeeded",
            Self::JobFailed => "job_failed",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing to tell about a push, and to whom: the notices of a push are its outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    /// The region it is about, where it is about one.
    pub region: Option<Region>,
    pub at: Timestamp,
    /// How many regions were waited for at that time.
    pub regions: usize,
    /// Missing at that time; for `recovered`, what had been missing.
    pub missing: RegionSet,
    /// The sink that gave cause for it, and what that said; none where the push itself did.
    pub cause: Option<String>,
    pub detail: Option<String>,
    /// One for each sink that subscribes.
    pub deliveries: Vec<Delivery>,
}
