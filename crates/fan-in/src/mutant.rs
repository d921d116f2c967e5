//! Deliberate faults, each in one place of the shipped path, with which the simulation proves that it would
//! find them. Without the feature `mutants` there are none, and [`is`] is a constant.

/// A fault that can be switched on, for one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Rows are written whatever version they have.
    BlindWrite,
    /// So is the row of a push that timed out.
    TimeoutWithoutCompareAndSwap,
    /// The outbox is no part of when a push is due.
    OutboxOutsideDue,
    /// Deliveries are claimed without a lease.
    NoLease,
    /// A tick tells somebody to deliver without writing it down.
    SweepWithoutHold,
    /// A tick tells nobody to deliver.
    SweepDoesNotRing,
    /// The sender gets its 2xx although nothing was written.
    AckBeforeWrite,
    /// A sink that refuses makes all sinks be called again.
    RetryOfAllSinks,
    /// A push with nothing left to do loses its row.
    RowDeletedWhenFinal,
    /// A push that has moved keeps its old marker.
    MarkerLeftBehind,
    /// An event that a waiting push has no need of is not kept.
    RepeatDropped,
    /// An unknown id never opens a push of the same content.
    UnknownIdGoesToOlderPush,
    /// What arrives after the deadline decides nothing.
    LateArrivalIgnored,
    /// A deploying sink hears of older pushes too.
    OlderPushDeploys,
    /// An attempt whose outcome is unknown is not told to the next one.
    RepeatNotSaid,
    /// A push goes whether there is work for it or not.
    PurgeOfOpenWork,
    /// The first refusal is the last.
    GivenUpTooEarly,
    /// Deployments to one target do not wait for each other.
    GuardNotClaimed,
    /// Its guard lets older pushes through.
    GuardForgetsOrder,
    /// Its guard is written whatever version it has.
    GuardWrittenBlindly,
    /// A job's container group is made without looking whether it is there.
    JobMadeWithoutLooking,
    /// A step of a job is claimed without a lease.
    JobNotLeased,
    /// Who asks for a job gets an id that nothing is kept under.
    JobNotKept,
    /// A tick tells somebody to go on with a job without writing it down.
    JobRungWithoutHold,
    /// The log of a job is not written down with its end.
    JobLogLost,
    /// A container group that is not found once is gone.
    JobGoneAtOnce,
    /// A request whose answer was lost is not waited for.
    JobTriedTooSoon,
    /// That an attempt may have begun a job is not looked at once a newer push is everywhere.
    JobForgotten,
    /// A job goes whether there is work for it or not.
    JobPurgedTooEarly,
}

impl Mutant {
    pub const ALL: [Self; 29] = [
        Self::BlindWrite,
        Self::TimeoutWithoutCompareAndSwap,
        Self::OutboxOutsideDue,
        Self::NoLease,
        Self::SweepWithoutHold,
        Self::SweepDoesNotRing,
        Self::AckBeforeWrite,
        Self::RetryOfAllSinks,
        Self::RowDeletedWhenFinal,
        Self::MarkerLeftBehind,
        Self::RepeatDropped,
        Self::UnknownIdGoesToOlderPush,
        Self::LateArrivalIgnored,
        Self::OlderPushDeploys,
        Self::RepeatNotSaid,
        Self::PurgeOfOpenWork,
        Self::GivenUpTooEarly,
        Self::GuardNotClaimed,
        Self::GuardForgetsOrder,
        Self::GuardWrittenBlindly,
        Self::JobMadeWithoutLooking,
        Self::JobNotLeased,
        Self::JobNotKept,
        Self::JobRungWithoutHold,
        Self::JobLogLost,
        Self::JobGoneAtOnce,
        Self::JobTriedTooSoon,
        Self::JobForgotten,
        Self::JobPurgedTooEarly,
    ];
}

#[cfg(feature = "mutants")]
mod switch {
    extern crate std;
    use super::Mutant;
    use core::cell::Cell;
    std::thread_local! {
        static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Switches a fault on for this thread, or all of them off.
    pub fn choose(mutant: Option<Mutant>) {
        CHOSEN.set(mutant);
    }

    /// Is this fault switched on?
    #[must_use]
    pub fn is(mutant: Mutant) -> bool {
        CHOSEN.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use switch::{choose, is};

/// Is this fault switched on?
#[cfg(not(feature = "mutants"))]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}
