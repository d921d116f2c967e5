//! Where jobs are kept.

use super::job::{self, Job};
use super::write::Write;
use super::{MILLIS_MAX, Store, Stored, due_key};
use crate::keys::Key;
use crate::ports::{JobId, Op, StoreError};
use fan_in::mutant::{self, Mutant};
use fan_in::{Shard, Timestamp};

const KEY: &str = "k:";

fn job_key(id: JobId) -> String {
    format!("j:{id}")
}

fn log_key(id: JobId) -> String {
    format!("l:{id}")
}

fn age_key(created: Timestamp, id: JobId) -> String {
    format!("e:{:013}{id}", created.as_millis().clamp(0, MILLIS_MAX))
}

fn read_age_key(key: &str) -> Option<(Timestamp, JobId)> {
    let (millis, id) = key.strip_prefix("e:")?.split_at_checked(13)?;
    Some((Timestamp::from_millis(millis.parse().ok()?), JobId::parse(id)?))
}

impl Store {
    /// The key that names of jobs are made under; `fresh` becomes it when there is none yet.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else's has come in between, which the next try finds; else as
    /// [`Rows::write`](crate::ports::Rows::write).
    pub async fn key_of_names(&self, fresh: &Key) -> Result<Key, StoreError> {
        let shard = Shard::of(0);
        if let Some(row) = self.rows.get(shard, KEY).await? {
            let broken = || StoreError::Broken("the key of the jobs' names is damaged".to_owned());
            return Key::read(&row.doc).ok_or_else(broken);
        }
        let insert = Op::Insert { key: KEY.to_owned(), doc: fresh.write() };
        self.rows.write(shard, vec![insert]).await?;
        Ok(fresh.clone())
    }

    /// # Errors
    /// As [`Rows::get`](crate::ports::Rows::get).
    pub async fn job(&self, id: JobId) -> Result<Option<Stored<Job>>, StoreError> {
        let row = self.rows.get(id.shard(), &job_key(id)).await?;
        row.map(|row| Ok(Stored { value: job::read(id, &row.doc)?, version: row.version }))
            .transpose()
    }

    /// The end of what its container wrote, as far as it is known.
    ///
    /// # Errors
    /// As [`Rows::get`](crate::ports::Rows::get).
    pub async fn job_log(&self, id: JobId) -> Result<Option<String>, StoreError> {
        let row = self.rows.get(id.shard(), &log_key(id)).await?;
        row.map(|row| job::read_log(&row.doc)).transpose()
    }

    /// Keeps a new job.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one with its id; else as
    /// [`Rows::write`](crate::ports::Rows::write).
    pub async fn insert_job(&self, job: &Job) -> Result<(), StoreError> {
        let mut write = Write::new(self);
        write.insert(job_key(job.id), job::write(job)?);
        write.put(age_key(job.created, job.id), "{}".to_owned());
        if let Some(due) = job.due() {
            write.put(due_key(due, job.id), "{}".to_owned());
        }
        write.commit(job.id.shard()).await.map(drop)
    }

    /// Writes what became of a job under the version that was read of it, with its log if there is a new one, and
    /// returns it as it is stored now.
    ///
    /// # Errors
    /// As [`Rows::write`](crate::ports::Rows::write).
    pub async fn save_job(
        &self,
        before: &Stored<Job>,
        mut after: Job,
        log: Option<&str>,
    ) -> Result<Stored<Job>, StoreError> {
        let id = after.id;
        let mut write = Write::new(self);
        let forgets = after.state.has_ended() && mutant::is(Mutant::JobLogLost);
        if let Some(log) = log.filter(|_| !forgets) {
            write.put(log_key(id), job::write_log(log)?);
            after.has_log = true;
        }
        let (old, new) = (before.value.due(), after.due());
        if old != new {
            if let Some(old) = old {
                write.delete(due_key(old, id), None);
            }
            if let Some(new) = new {
                write.put(due_key(new, id), "{}".to_owned());
            }
        }
        // The job's own row is the last change of the transaction.
        write.replace(job_key(id), job::write(&after)?, &before.version);
        let version = write.commit(id.shard()).await?.pop().ok_or(StoreError::Conflict)?;
        Ok(Stored { value: after, version })
    }

    /// Jobs that were created before `cutoff`, the oldest first, each with its place among all; they go on `after`
    /// one.
    ///
    /// # Errors
    /// As [`Rows::range`](crate::ports::Rows::range).
    pub async fn expired_jobs(
        &self,
        cutoff: Timestamp,
        after: Option<(Timestamp, JobId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let from =
            after.map_or_else(|| "e:".to_owned(), |(at, id)| format!("{}0", age_key(at, id)));
        let below = format!("e:{:013}", cutoff.as_millis().clamp(0, MILLIS_MAX));
        let rows = self.everywhere(&from, &below, limit).await?;
        let mut jobs: Vec<_> = rows.iter().filter_map(|row| read_age_key(&row.key)).collect();
        jobs.sort_unstable();
        jobs.truncate(limit);
        Ok(jobs)
    }

    /// Deletes a job and its log, unless there is still work for it or it ended after `cutoff`. Says whether it is
    /// gone.
    ///
    /// # Errors
    /// As [`Rows::write`](crate::ports::Rows::write).
    pub async fn purge_job(
        &self,
        created: Timestamp,
        id: JobId,
        cutoff: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut write = Write::new(self);
        if let Some(Stored { value: job, version }) = self.job(id).await? {
            let has_work = job.due().is_some() && !mutant::is(Mutant::JobPurgedTooEarly);
            if has_work || job.ended.is_some_and(|ended| ended >= cutoff) {
                return Ok(false);
            }
            write.delete(job_key(id), Some(version));
            if job.has_log {
                write.delete(log_key(id), None);
            }
        }
        write.delete(age_key(created, id), None);
        write.commit(id.shard()).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::job;
    use super::super::memory::Memory;
    use super::super::{JobState, Work};
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn store() -> (Memory, Store) {
        let memory = Memory::new(|| Timestamp::from_millis(0));
        (memory.clone(), Store::new(Arc::new(memory), Default::default()))
    }

    #[tokio::test]
    async fn there_is_one_key_whoever_comes_first() {
        let (_, store) = store();
        let first = store.key_of_names(&Key::new([1; 32])).await.unwrap();
        let second = store.key_of_names(&Key::new([2; 32])).await.unwrap();
        assert_eq!((first.write(), second.write()), ("01".repeat(32), "01".repeat(32)));
    }

    #[tokio::test]
    async fn a_job_has_a_marker_while_there_is_work_for_it_and_is_purged_only_then() {
        let (memory, store) = store();
        let job = job(0xab);
        let far = Timestamp::from_millis(i64::MAX);
        store.insert_job(&job).await.unwrap();
        assert_eq!(store.insert_job(&job).await, Err(StoreError::Conflict));
        let due = job.due().unwrap();
        assert_eq!(store.due(None, 10).await.unwrap(), [(due, Work::Job(job.id))]);
        assert!(!store.purge_job(job.created, job.id, far).await.unwrap());

        let stored = store.job(job.id).await.unwrap().unwrap();
        let ended = Timestamp::from_millis(9_000);
        let done =
            Job { state: JobState::Succeeded, next_at: None, ended: Some(ended), ..job.clone() };
        let saved = store.save_job(&stored, done, Some("done\n")).await.unwrap();
        assert_eq!(saved.value, store.job(job.id).await.unwrap().unwrap().value);
        assert!(saved.value.has_log);
        assert_eq!(store.job_log(job.id).await.unwrap().as_deref(), Some("done\n"));
        assert_eq!(store.due(None, 10).await.unwrap(), []);
        assert!(store.save_job(&stored, job.clone(), None).await.is_err(), "a stale version");

        assert_eq!(store.expired_jobs(job.created, None, 10).await.unwrap(), []);
        let expired = store.expired_jobs(far, None, 10).await.unwrap();
        assert_eq!(expired, [(job.created, job.id)]);
        assert_eq!(store.expired_jobs(far, Some(expired[0]), 10).await.unwrap(), []);
        let kept = store.purge_job(job.created, job.id, ended).await;
        assert!(!kept.unwrap(), "it is kept from its end on, however long it ran");
        assert!(store.purge_job(job.created, job.id, far).await.unwrap());
        assert!(memory.dump().is_empty(), "{:?}", memory.dump());
    }

    #[tokio::test]
    async fn jobs_expire_the_oldest_first() {
        let (_, store) = store();
        for (id, seconds) in [(3, 1), (1, 3), (2, 2)] {
            let created = Timestamp::ZERO + Duration::from_secs(seconds);
            store.insert_job(&Job { created, ..job(id * 16) }).await.unwrap();
        }
        let expired = store.expired_jobs(Timestamp::from_millis(3_001), None, 2).await.unwrap();
        let ids: Vec<_> = expired.iter().map(|(_, id)| id.0[0] / 16).collect();
        assert_eq!(ids, [3, 2]);
        let rest = store.expired_jobs(Timestamp::from_millis(3_001), Some(expired[1]), 2).await;
        assert_eq!(rest.unwrap().len(), 1);
    }
}
