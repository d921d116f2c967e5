//! What the use cases need of the world. Each port has several implementations: the store three, the
//! sinks one for each kind, and the tests put faults into all of them.

use async_trait::async_trait;
use fan_in::{Attempt, Claim, Image, Notice, Push, PushId, Shard, Timestamp};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// A row's version: what a conditional write compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: String,
    pub version: Version,
    /// Text, mostly JSON.
    pub doc: String,
}

/// One change of one row. Keys hold nothing but `[a-z0-9:!]`; no key appears twice in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The row must not be there.
    Insert { key: String, doc: String },
    /// The row must be there with this version.
    Replace { key: String, doc: String, version: Version },
    /// Written whether it is there or not.
    Put { key: String, doc: String },
    /// The row must be there, with this version if one is given.
    Delete { key: String, version: Option<Version> },
}

impl Op {
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Insert { key, .. }
            | Self::Replace { key, .. }
            | Self::Put { key, .. }
            | Self::Delete { key, .. } => key,
        }
    }

    #[must_use]
    pub fn doc(&self) -> Option<&str> {
        match self {
            Self::Insert { doc, .. } | Self::Replace { doc, .. } | Self::Put { doc, .. } => {
                Some(doc)
            }
            Self::Delete { .. } => None,
        }
    }
}

/// Why the store did not do it, by what the caller must do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A condition did not hold and nothing was written: read again, decide again.
    #[error("another writer was faster")]
    Conflict,
    /// Try again later. A write may have happened or not: read to find out.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// No later try can succeed: a row cannot be read, or the store refuses us.
    #[error("the store is in trouble: {0}")]
    Broken(String),
}

/// Rows in sixteen shards, ordered by key within a shard; a shard's rows change together or not at all.
#[async_trait]
pub trait Rows: Send + Sync + fmt::Debug {
    /// The time by the clock that all users of the store share.
    fn now(&self) -> Timestamp;

    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`].
    async fn get(&self, shard: Shard, key: &str) -> Result<Option<Row>, StoreError>;

    /// The first rows, in the order of their keys, with `from <= key < below`; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`].
    async fn range(
        &self,
        shard: Shard,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// All of it or nothing; the rows' new versions, in the order of the changes (of a deleted row: any).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a condition does not hold, else [`StoreError::Unavailable`] or
    /// [`StoreError::Broken`].
    async fn write(&self, shard: Shard, ops: Vec<Op>) -> Result<Vec<Version>, StoreError>;
}

/// What a sink is given to deliver.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    pub push: &'a Push,
    pub notice: &'a Notice,
    pub claim: &'a Claim,
    pub now: Timestamp,
    /// A newer push of its tag is everywhere: nothing begins any more. Only a sink that follows gets such a parcel.
    pub outdated: bool,
}

impl Parcel<'_> {
    /// The same on every attempt, and no other notice's.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}.{}", self.push.id, self.claim.notice)
    }
}

/// What a sink deploys to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The same for all sinks that deploy to it.
    pub id: String,
    /// The part of it that one push replaces, such as the containers of one repository; empty for all of it.
    /// Older and newer are told apart within a part.
    pub part: String,
}

/// Somebody to tell. No sink tries again by itself: what it returns decides how the delivery goes on.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Unique among the sinks.
    fn name(&self) -> &str;

    /// What it changes, when it deploys this image: nothing else may change that at the same time, and no older
    /// push may after a newer one.
    fn target(&self, _image: &Image) -> Option<Target> {
        None
    }

    /// Does it act on the image, so that it must not hear of a push once a newer one of its tag is everywhere?
    fn deploys(&self) -> bool {
        false
    }

    /// Can it say whether it has begun, when nobody has heard how an attempt ended? Then it is asked, and what has
    /// begun goes on although a newer push is everywhere.
    fn follows(&self) -> bool {
        false
    }

    /// One attempt, or one step of something that takes long: then the attempt is [`Attempt::Ongoing`], and the
    /// next step finds in its claim what this one left. A step may be lost, and its place is taken by another
    /// that begins where it began.
    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt;
}

/// Names one job for ever: where it is kept, and where its caller asks for it. It is made under a key that stands
/// in the store alone, so that nobody can derive it. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub [u8; 16]);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl JobId {
    pub const DIGITS: usize = 32;

    /// None when the text is not one that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != Self::DIGITS || !text.bytes().all(hex) {
            return None;
        }
        Some(Self(u128::from_str_radix(text, 16).ok()?.to_be_bytes()))
    }

    /// Its first digit.
    #[must_use]
    pub const fn shard(self) -> Shard {
        Shard::of(self.0[0] >> 4)
    }
}

/// The container group of one job. It is kept with the job, so that it is found after the settings have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub subscription: String,
    pub resource_group: String,
    pub name: String,
}

/// What is to run in it. All else is in the settings, under the definition's name.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    pub definition: &'a str,
    pub image: &'a str,
    /// They follow the definition's command.
    pub args: &'a [String],
}

/// How long a call may take. A change is not sent any more after a time that is earlier than the one by which its
/// answer has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub send: Instant,
    pub answer: Instant,
}

/// How a job's container group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Absent,
    /// It is being made, or its container has not ended.
    Going,
    /// With the exit code where it is known, and with what went wrong where it is not.
    Ended {
        exit_code: Option<i64>,
        error: Option<String>,
    },
}

/// Why it was not done, by what the caller must do. The sentences are for operators and hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was done: another time it may be.
    Later { error: String, after: Option<Duration> },
    /// No answer came: it may be done or not. Look before doing it again.
    Unknown { error: String },
    /// No later try can succeed before somebody changes something.
    GiveUp { error: String },
}

/// Where jobs run. Nothing tries again by itself.
#[async_trait]
pub trait Containers: Send + Sync + fmt::Debug {
    /// Makes the group. It must not be there: one that is would be started anew.
    ///
    /// # Errors
    /// Every [`Trouble`].
    async fn create(&self, group: &Group, order: Order<'_>, window: Window) -> Result<(), Trouble>;

    /// # Errors
    /// Every [`Trouble`] but `Unknown`.
    async fn look(&self, group: &Group, window: Window) -> Result<Seen, Trouble>;

    /// The end of what the container has written, or None while there is nothing to read.
    ///
    /// # Errors
    /// Every [`Trouble`] but `Unknown`.
    async fn log(&self, group: &Group, window: Window) -> Result<Option<String>, Trouble>;

    /// Begins to delete the group; one that is not there is as good as deleted.
    ///
    /// # Errors
    /// Every [`Trouble`].
    async fn delete(&self, group: &Group, window: Window) -> Result<(), Trouble>;
}

/// A job that is to run because of a push: one for each push, definition and place, however often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PushJob<'a> {
    pub push: PushId,
    pub definition: &'a str,
    pub subscription: &'a str,
    pub resource_group: &'a str,
    pub image: &'a str,
    /// The job has been asked for before, so that it is never begun again.
    pub begun: bool,
}

/// How it goes with the job of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobProgress {
    /// Ask again after that time.
    Going {
        after: Duration,
        state: String,
    },
    Ended {
        succeeded: bool,
        result: String,
    },
    /// It was there, and is not kept any more.
    Gone,
}

/// Who runs jobs, as a sink sees it.
#[async_trait]
pub trait RunsJobs: Send + Sync + fmt::Debug {
    /// Sees to it that the job is started, once, and goes on.
    ///
    /// # Errors
    /// [`StoreError`]: whether the job is started is not known, and asking again does no harm.
    async fn run(&self, job: PushJob<'_>) -> Result<JobProgress, StoreError>;
}
