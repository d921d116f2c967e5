//! What the use cases need of the world. Each port has several implementations: the store three, the
//! sinks one for each kind, and the tests put faults into all of them.

use async_trait::async_trait;
use fan_in::{Attempt, Claim, Image, Notice, Push, Shard, Timestamp};
use std::fmt;

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

    /// One attempt, or one step of something that takes long: then the attempt is [`Attempt::Ongoing`], and the
    /// next step finds in its claim what this one left. A step may be lost, and its place is taken by another
    /// that begins where it began.
    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt;
}
