//! Where pushes are kept: one layout of rows over any [`Rows`].
//!
//! Within a shard (a repository belongs to one, so that all about it changes in one transaction):
//!
//! | key | what |
//! |---|---|
//! | `p:{content}` | the newest push of a content, and what is compared of the earlier ones |
//! | `p:{content}:{generation}` | an earlier push |
//! | `!{due, 13 digits}{push}` | there is work for that push at that time |
//! | `t:{hash}` | the newest pushes of a tag |
//! | `i:{hash}` | the push of a digest that opened last, for each way to ask for it |
//! | `d:{9999999999999 − first seen, 13 digits}{push}` | the list, newest first |
//! | `g:{hash}` | the [`Guard`] of a deployment's target, in a shard by its own hash |
//!
//! Jobs are kept in a shard by their own id:
//!
//! | key | what |
//! |---|---|
//! | `j:{job}` | a [`Job`] |
//! | `l:{job}` | the end of what its container wrote |
//! | `!{due, 13 digits}j{job}` | there is work for that job at that time |
//! | `e:{created, 13 digits}{job}` | all jobs, the oldest first |
//! | `k:` | the key that their ids are made under, in the first shard |

pub mod azure_table;
mod guard;
pub(crate) mod job;
mod jobs;
pub(crate) mod marks;
pub mod memory;
pub(crate) mod row;
pub mod sqlite;
mod text;
mod write;

use crate::keys;
use crate::ports::{JobId, Op, Row, Rows, StoreError, Version};
use fan_in::decide::Change;
use fan_in::mutant::{self, Mutant};
use fan_in::{
    ContentId, Digest, Family, Image, Outcome, Past, Push, PushId, RegionSet, Registry, Repository,
    Shard, Tag, Timestamp,
};
use futures_util::future::try_join_all;
pub use guard::{Guard, Lease, Place};
pub use job::{Job, JobState};
pub use marks::Mark;
use std::fmt;
use std::sync::Arc;
use write::Write;

/// The last millisecond that 13 digits can write: in the year 2286.
const MILLIS_MAX: i64 = 9_999_999_999_999;

/// What was read, and the version a later write has to find.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    pub value: T,
    version: Version,
}

/// A push that was read by its id.
#[derive(Clone, Debug)]
pub struct StoredPush {
    pub push: Push,
    version: Version,
    /// Where it is the newest: the earlier ones.
    past: Option<Vec<Past>>,
}

/// What a marker says that there is work for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    Push(PushId),
    Job(JobId),
}

impl From<PushId> for Work {
    fn from(id: PushId) -> Self {
        Self::Push(id)
    }
}

impl From<JobId> for Work {
    fn from(id: JobId) -> Self {
        Self::Job(id)
    }
}

impl Work {
    fn shard(self) -> Shard {
        match self {
            Self::Push(id) => id.shard,
            Self::Job(id) => id.shard(),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push(id) => write!(f, "{id}"),
            Self::Job(id) => write!(f, "j{id}"),
        }
    }
}

/// A page of the list.
#[derive(Debug, Default)]
pub struct Page {
    /// Without ids, repeats and deliveries that went well.
    pub pushes: Vec<Push>,
    /// Where the next page begins.
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Store {
    rows: Arc<dyn Rows>,
    configured: RegionSet,
}

fn family_key(content: ContentId) -> String {
    format!("p:{}", row::content_hex(content))
}

fn earlier_key(id: PushId) -> String {
    format!("p:{}:{:011x}", row::content_hex(id.content), id.generation)
}

fn due_key(due: Timestamp, work: impl Into<Work>) -> String {
    format!("!{:013}{}", due.as_millis().clamp(0, MILLIS_MAX), work.into())
}

fn read_due_key(key: &str) -> Option<(Timestamp, Work)> {
    let (millis, work) = key.strip_prefix('!')?.split_at_checked(13)?;
    let work = match work.strip_prefix('j') {
        Some(job) => Work::Job(JobId::parse(job)?),
        None => Work::Push(PushId::parse(work)?),
    };
    Some((Timestamp::from_millis(millis.parse().ok()?), work))
}

fn list_key(first_seen: Timestamp, id: PushId) -> String {
    format!("d:{}", list_position(first_seen, id))
}

fn list_position(first_seen: Timestamp, id: PushId) -> String {
    format!("{:013}{id}", MILLIS_MAX - first_seen.as_millis().clamp(0, MILLIS_MAX))
}

/// Is this what a page's `next` said?
#[must_use]
pub fn is_list_position(text: &str) -> bool {
    let (millis, id) = text.split_at_checked(13).unwrap_or_default();
    !millis.is_empty() && millis.bytes().all(|b| b.is_ascii_digit()) && PushId::parse(id).is_some()
}

impl Store {
    /// `configured`: the regions of the settings, against which every write is checked.
    #[must_use]
    pub fn new(rows: Arc<dyn Rows>, configured: RegionSet) -> Self {
        Self { rows, configured }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.rows.now()
    }

    /// # Errors
    /// As [`Rows::get`].
    pub async fn family(
        &self,
        shard: Shard,
        content: ContentId,
    ) -> Result<Option<Stored<Family>>, StoreError> {
        let row = self.rows.get(shard, &family_key(content)).await?;
        row.map(|row| Ok(Stored { value: row::read_family(&row.doc)?, version: row.version }))
            .transpose()
    }

    /// A push that is not the newest of its content any more.
    ///
    /// # Errors
    /// As [`Rows::get`].
    pub async fn earlier(&self, id: PushId) -> Result<Option<Stored<Push>>, StoreError> {
        let row = self.rows.get(id.shard, &earlier_key(id)).await?;
        row.map(|row| {
            Ok(Stored { value: row::read_family(&row.doc)?.newest, version: row.version })
        })
        .transpose()
    }

    /// # Errors
    /// As [`Rows::get`].
    pub async fn push(&self, id: PushId) -> Result<Option<StoredPush>, StoreError> {
        if let Some(Stored { value, version }) = self.family(id.shard, id.content).await?
            && value.newest.id == id
        {
            return Ok(Some(StoredPush { push: value.newest, version, past: Some(value.past) }));
        }
        let earlier = self.earlier(id).await?;
        Ok(earlier.map(|Stored { value, version }| StoredPush { push: value, version, past: None }))
    }

    /// The newest pushes of a tag over all registries, newest first.
    ///
    /// # Errors
    /// As [`Rows::get`].
    pub async fn marks(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<Stored<Vec<Mark>>>, StoreError> {
        let row = self.rows.get(keys::shard(repository), &keys::tag(repository, tag)).await?;
        row.map(|row| Ok(Stored { value: marks::read_marks(&row.doc)?, version: row.version }))
            .transpose()
    }

    /// The push of a digest that opened last: in one registry or over all, under one tag or under any.
    ///
    /// # Errors
    /// As [`Rows::get`].
    pub async fn of_digest(
        &self,
        registry: Option<&Registry>,
        repository: &Repository,
        tag: Option<&Tag>,
        digest: &Digest,
    ) -> Result<Option<PushId>, StoreError> {
        let key = keys::digest(registry, repository, tag, digest);
        let row = self.rows.get(keys::shard(repository), &key).await?;
        Ok(row.and_then(|row| PushId::parse(&row.doc)))
    }

    /// Writes what an arrival came to. `earlier` is what was read of the earlier push that it changes, `marks`
    /// the row of its tag, if its place there changes.
    ///
    /// # Errors
    /// As [`Rows::write`]; [`StoreError::Broken`] when the write would break a law.
    pub async fn save_arrival(
        &self,
        outcome: &Outcome,
        before: Option<&Stored<Family>>,
        earlier: Option<&Stored<Push>>,
        marks: Option<&Stored<Vec<Mark>>>,
    ) -> Result<(), StoreError> {
        let newest = &outcome.family.newest;
        let mut write = Write::new(self);
        if let (Change::Newest | Change::Earlier, Some(marks)) = (outcome.change, marks) {
            write.mark(outcome.push(), Some(marks))?;
        }
        match outcome.change {
            Change::Nothing => return Ok(()),
            Change::Newest => write.changed(before.map(|b| &b.value.newest), newest)?,
            Change::Earlier => {
                if let (Some(after), Some(stored)) = (&outcome.earlier, earlier) {
                    write.changed(Some(&stored.value), after)?;
                    write.replace(earlier_key(after.id), row::write_push(after)?, &stored.version);
                }
            }
            Change::Opens => {
                write.changed(None, newest)?;
                if let Some(moved) = &outcome.earlier {
                    write.insert(earlier_key(moved.id), row::write_push(moved)?);
                }
                write.names(newest, marks)?;
            }
        }
        write.family(&outcome.family, before.map(|b| &b.version))?;
        write.commit(newest.id.shard).await.map(drop)
    }

    /// Writes what became of a push otherwise than by an arrival, and returns it as it is stored now.
    ///
    /// # Errors
    /// As [`Rows::write`]; [`StoreError::Broken`] when the write would break a law.
    pub async fn save(&self, before: StoredPush, after: Push) -> Result<StoredPush, StoreError> {
        let mut write = Write::new(self);
        write.changed(Some(&before.push), &after)?;
        let final_row = mutant::is(Mutant::RowDeletedWhenFinal) && after.due().is_none();
        let stored = match before.past {
            Some(past) => {
                let family = Family { newest: after, past };
                write.family(&family, Some(&before.version))?;
                StoredPush { push: family.newest, past: Some(family.past), ..before }
            }
            None => {
                write.replace(earlier_key(after.id), row::write_push(&after)?, &before.version);
                StoredPush { push: after, ..before }
            }
        };
        if final_row && let Some(op) = write.ops.pop() {
            write.delete(op.key().to_owned(), None);
        }
        // The push's own row is the last change of the transaction.
        let versions = write.commit(stored.push.id.shard).await?;
        let version = versions.into_iter().next_back().ok_or(StoreError::Conflict)?;
        Ok(StoredPush { version, ..stored })
    }

    /// What somebody has to look at until then, the most urgent first; at most `limit` of each shard.
    ///
    /// # Errors
    /// As [`Rows::range`].
    pub async fn due(
        &self,
        until: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Work)>, StoreError> {
        let after = |t: Timestamp| format!("!{:013}", (t.as_millis() + 1).clamp(0, MILLIS_MAX));
        let below = until.map_or_else(|| "\"".to_owned(), after);
        let rows = self.everywhere("!", &below, limit).await?;
        let mut due: Vec<_> = rows.iter().filter_map(|row| read_due_key(&row.key)).collect();
        due.sort_by_key(|(at, _)| *at);
        Ok(due)
    }

    /// Removes a marker that belongs to nothing.
    ///
    /// # Errors
    /// As [`Rows::write`].
    pub async fn remove_marker(&self, at: Timestamp, work: Work) -> Result<(), StoreError> {
        let marker = Op::Delete { key: due_key(at, work), version: None };
        self.rows.write(work.shard(), vec![marker]).await.map(drop)
    }

    /// The list, newest first.
    ///
    /// # Errors
    /// As [`Rows::range`].
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let from = after.map_or_else(|| "d:".to_owned(), |position| format!("d:{position}0"));
        let mut rows = self.everywhere(&from, "d;", limit + 1).await?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).and_then(|row| row.key.get(2..)).map(str::to_owned);
        let read = |row: &Row| match row::read_family(&row.doc) {
            Ok(family) => Some(family.newest),
            Err(error) => {
                tracing::error!(%error, "a push is left out of the list");
                None
            }
        };
        let pushes = rows.iter().filter_map(read).collect();
        Ok(Page { pushes, next })
    }

    /// Pushes first seen before `cutoff`, newest first, each with its place in the list; they go on `after` one.
    ///
    /// # Errors
    /// As [`Rows::range`].
    pub async fn expired(
        &self,
        cutoff: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, PushId)>, StoreError> {
        let begin = format!("d:{:013}", MILLIS_MAX - cutoff.as_millis().clamp(0, MILLIS_MAX));
        let from = after.map_or(begin, |position| format!("d:{position}0"));
        let mut rows = self.everywhere(&from, "d;", limit).await?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows.truncate(limit);
        let place =
            |row: &Row| Some((row.key.get(2..)?.to_owned(), PushId::parse(row.key.get(15..)?)?));
        Ok(rows.iter().filter_map(place).collect())
    }

    async fn everywhere(
        &self,
        from: &str,
        below: &str,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let shards = Shard::all().map(|shard| self.rows.range(shard, from, below, limit));
        Ok(try_join_all(shards).await?.into_iter().flatten().collect())
    }

    /// Deletes a push and what names it, unless there is still work for it or an earlier push of its content
    /// is kept. Says whether it is gone.
    ///
    /// # Errors
    /// As [`Rows::write`].
    pub async fn purge(&self, id: PushId) -> Result<bool, StoreError> {
        let family = self.family(id.shard, id.content).await?;
        let mut write = Write::new(self);
        let push = match family {
            Some(Stored { value: family, version }) if family.newest.id == id => {
                if !family.past.is_empty() {
                    return Ok(false);
                }
                write.delete(family_key(id.content), Some(version));
                family.newest
            }
            family => {
                let Some(Stored { value: push, version }) = self.earlier(id).await? else {
                    return Ok(true);
                };
                write.delete(earlier_key(id), Some(version));
                if let Some(Stored { value: mut family, version }) = family {
                    family.past.retain(|past| past.generation != id.generation);
                    write.family(&family, Some(&version))?;
                }
                push
            }
        };
        if push.due().is_some() && !mutant::is(Mutant::PurgeOfOpenWork) {
            return Ok(false);
        }
        write.delete(list_key(push.first_seen, id), None);
        let Image { repository, tag, .. } = &push.image;
        if let Some(tag) = tag
            && let Some(marks) = self.marks(repository, tag).await?
        {
            write.forget_mark(id, keys::tag(repository, tag), marks)?;
        }
        let names = keys::digests(&push.image);
        let rows = try_join_all(names.iter().map(|key| self.rows.get(id.shard, key))).await?;
        for Row { key, version, doc } in rows.into_iter().flatten() {
            if PushId::parse(&doc) == Some(id) {
                write.delete(key, Some(version));
            }
        }
        write.commit(id.shard).await?;
        Ok(true)
    }
}
