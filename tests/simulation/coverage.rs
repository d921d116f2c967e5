//! What the seeds have met, counted: a simulation that meets nothing proves nothing.

macro_rules! hits {
    ($($group:literal: $($name:ident)+;)+) => {
        /// One thing that a schedule may meet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Hit { $($($name,)+)+ }

        impl Hit {
            pub(crate) const ALL: &[(&'static str, &'static str, Self)] =
                &[$($(($group, stringify!($name), Self::$name),)+)+];
        }
    };
}

hits! {
    "fault": ErrorBeforeEffect ErrorAfterEffect SlowRequest Outage Crash CrashAtStart BellLost QueueAway
        Redelivery Invisible DoubledBell Poison Garbage LateTick DoubledTick SkewedClock SinkRefuses
        SinkAsksToWait SinkHangs SinkHopeless SinkAcceptsSilently SinkAcceptsAndHangs Frozen TargetIsBusy
        ContainersRefuse ContainersAskToWait ContainersGiveUp ContainersDoNothing ContainersDoSilently
        ContainersDoItLater ContainersHang ContainersLoseGroup;
    "sender": Batch SingleTry Retrying Repeated OtherChannel Burst ByQueue Unreachable GaveUp NotAcknowledged;
    "schedule": OneRegion Overlapping RepushWaiting RepushLater Rollback IdsAgree IdsDiffer CorrelationId
        RegionRemoved RegionAdded Standalone Delete ChartPush ChartDelete DockerHub TwoTags;
    "decision": Completed TimedOut Recovered Superseded;
    "verdict": Recorded CompletedVerdict Late RecoveredVerdict Duplicate;
    "correlation": Rule1Known Rule2Joins Rule2TakesPlace Rule2Opens Rule3Joins Rule4Repeats Rule5Late Rule6Opens;
    "delivery": Step Deployed Accepted Dead SupersededDelivery RepeatedDelivery LeaseRanOut;
    "race": R1TwoFirstArrivals R2SameRegionTwice R3LastTwoAtOnce R4LastAgainstTimeout R5TwoTimers
        R6TwoBells R7CrashBeforeBell R8CrashBeforeAnswer R9LostAnswer R10CrashAfterClaim
        R11CrashAfterAcceptance R12TwoNotifies R13RedeliveredAfterSuccess R14PoisonedBell
        R15OneSinkOfTwo R16DuplicateAfterDecision R17PurgeAgainstArrival R18RegionsWhilePending
        R19DeployOutOfOrder R19GuardRace R19CrashBetweenSteps R20Skew;
    "job": JobAccepted JobAgain JobKeyOfAnother JobOfPush JobKept JobShown JobMade JobNotFoundYet JobSucceeded JobFailed
        JobNeverRan JobGone JobDeleted JobPurged JobRung JobAskedForTwice JobRace JobLeaseRanOut JobLookedForAgain
        JobCrashAfterClaim JobCrashBeforeAnswer;
    "volume": StoreReads StoreWrites StoreScans Faults Seeds Purged Twins Jobs JobExcused;
}

#[derive(Clone, Debug)]
pub(crate) struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; Hit::ALL.len()])
    }
}

impl Coverage {
    pub(crate) fn hit(&mut self, hit: Hit) {
        self.0[hit as usize] += 1;
    }

    pub(crate) fn count(&self, hit: Hit) -> u64 {
        self.0[hit as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// That it was no toy: `seeds / 1000` hits of everything, and enough work in each seed. In a short run the rare
    /// ones may be missing by chance.
    pub(crate) fn assert_no_toy(&self, seeds: u64) {
        const LONG: u64 = 20_000;
        let wanted = if seeds < LONG { 0 } else { seeds / 1_000 };
        let rare: Vec<_> = Hit::ALL
            .iter()
            .filter(|(group, _, hit)| *group != "volume" && self.count(*hit) < wanted)
            .map(|(_, name, hit)| format!("{name}: {}", self.count(*hit)))
            .collect();
        assert!(rare.is_empty(), "hardly ever met in {seeds} seeds: {}", rare.join(", "));
        let operations = self.count(Hit::StoreReads) + self.count(Hit::StoreWrites);
        assert!(operations >= 40 * seeds, "{operations} reads and writes in {seeds} seeds");
        assert!(self.count(Hit::Faults) >= 3 * seeds, "too few faults");
        assert!(self.count(Hit::Twins) >= seeds / 10, "too few compared with a run without faults");
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for (group, name, hit) in Hit::ALL {
            if *group != last {
                text += &format!("\n{group:>12} ");
                last = group;
            }
            text += &format!(" {name} {}", self.count(*hit));
        }
        text
    }
}
