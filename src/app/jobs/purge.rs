//! Jobs that are too old go.

use super::Jobs;
use crate::limits::PURGE_MAX;
use crate::ports::StoreError;
use std::time::Duration;
use tokio::time::Instant;

impl Jobs {
    /// Deletes jobs that ended longer ago than `retention` and have nothing left to do, for as long as
    /// `within`, and says how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Broken`] when what has expired cannot be read.
    pub async fn purge(&self, retention: Duration, within: Duration) -> Result<usize, StoreError> {
        let begun = Instant::now();
        let store = &self.parts.store;
        let cutoff = store.now() - retention;
        let (mut purged, mut after) = (0, None);
        while purged == 0 {
            let expired = store.expired_jobs(cutoff, after, PURGE_MAX).await?;
            let Some(last) = expired.last() else { break };
            after = Some(*last);
            for (created, id) in expired {
                if begun.elapsed() > within {
                    return Ok(purged);
                }
                match store.purge_job(created, id, cutoff).await {
                    Ok(gone) => purged += usize::from(gone),
                    // Somebody wrote it in the meantime: it comes again with the next purge.
                    Err(StoreError::Conflict) => {}
                    Err(error) => tracing::error!(job = %id, %error, "a job could not be purged"),
                }
            }
        }
        Ok(purged)
    }
}
