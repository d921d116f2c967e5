//! A job is wanted: it is written down, once.

use super::{Definition, HOLD, Jobs};
use crate::app::Tries;
use crate::keys;
use crate::ports::{Group, JobId, PushJob, StoreError};
use crate::store::{Job, JobState, Stored};
use fan_in::Timestamp;
use fan_in::mutant::{self, Mutant};

/// Digits of its hash in a container group's name, which may have 63 characters.
const GROUP_DIGITS: usize = 24;

/// What somebody asks to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// None: the first definition.
    pub definition: Option<String>,
    pub args: Vec<String>,
    /// The same key names the same job.
    pub idempotency_key: Option<String>,
}

/// Why a wish was not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no jobs are defined; define one as [[job]] in fanin.toml")]
    NoDefinitions,
    #[error("no job of this name is defined in fanin.toml")]
    Unknown,
    #[error("the image of this job is that of a push, so it is started by a sink of type aci-job")]
    NeedsPush,
    #[error(
        "args: this job takes none; it does with a command and allow_args = true in fanin.toml"
    )]
    TakesNoArgs,
    #[error("Idempotency-Key: it was used for another request; use a new one")]
    KeyOfAnother,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job to be kept, but for what the store's clock says.
struct Draft<'a> {
    id: JobId,
    definition: &'a Definition,
    image: &'a str,
    args: Vec<String>,
    fingerprint: String,
    subscription: &'a str,
    resource_group: &'a str,
}

impl Jobs {
    /// Keeps a job that somebody asks for, unless it is kept already.
    ///
    /// # Errors
    /// A [`Refusal`]; of the store's, asking again under the same key does no harm.
    pub async fn begin(&self, wish: Wish) -> Result<JobId, Refusal> {
        let definitions = &self.parts.definitions;
        let first = definitions.first().ok_or(Refusal::NoDefinitions)?;
        let definition = match &wish.definition {
            None => first,
            Some(name) => definitions.iter().find(|d| d.name == *name).ok_or(Refusal::Unknown)?,
        };
        let image = definition.image.as_deref().ok_or(Refusal::NeedsPush)?;
        if !wish.args.is_empty() && !definition.takes_args {
            return Err(Refusal::TakesNoArgs);
        }
        let key = self.key().await?;
        let id = JobId(match &wish.idempotency_key {
            Some(given) => key.name("request", &[given.as_bytes()]),
            None => key.name("chance", &[&keys::random().map_err(no_chance)?]),
        });
        let fingerprint = keys::request(&definition.name, &wish.args);
        let draft = Draft {
            id,
            definition,
            image,
            args: wish.args,
            fingerprint: fingerprint.clone(),
            subscription: &definition.subscription,
            resource_group: &definition.resource_group,
        };
        let kept = self.keep(&draft).await?;
        if kept.is_some_and(|kept| kept.fingerprint != fingerprint) {
            return Err(Refusal::KeyOfAnother);
        }
        Ok(id)
    }

    /// Keeps the job of a push, unless it is kept already or is said to have been.
    pub(super) async fn begin_for_push(&self, wanted: PushJob<'_>) -> Result<JobId, StoreError> {
        let PushJob { push, definition, subscription, resource_group, image, begun } = wanted;
        let (push, place) = (
            push.to_string(),
            [subscription.to_ascii_lowercase(), resource_group.to_ascii_lowercase()],
        );
        let parts =
            [push.as_bytes(), definition.as_bytes(), place[0].as_bytes(), place[1].as_bytes()];
        let id = JobId(self.key().await?.name("push", &parts));
        if begun {
            return Ok(id);
        }
        let definition = self.parts.definitions.iter().find(|d| d.name == definition);
        let definition = definition
            .ok_or_else(|| StoreError::Broken("no job of this name is defined".to_owned()))?;
        let draft = Draft {
            id,
            definition,
            image,
            args: Vec::new(),
            fingerprint: String::new(),
            subscription,
            resource_group,
        };
        if self.keep(&draft).await?.is_none() {
            tracing::info!(job = %id, definition = definition.name, image, push, "job begun");
        }
        Ok(id)
    }

    /// Writes the job down, or returns the one that is kept under its id.
    async fn keep(&self, draft: &Draft<'_>) -> Result<Option<Job>, StoreError> {
        let store = &self.parts.store;
        let group = self.key().await?.name("group", &[&draft.id.0]);
        let mut tries = Tries::default();
        loop {
            let job = draft.job(group, store.now());
            if mutant::is(Mutant::JobNotKept) {
                return Ok(None);
            }
            let kept = match store.insert_job(&job).await {
                Ok(()) => Ok(None),
                Err(StoreError::Conflict) => match store.job(draft.id).await {
                    Ok(Some(Stored { value: job, .. })) => Ok(Some(job)),
                    Ok(None) => Err(StoreError::Conflict),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            if tries.are_over(&kept) {
                return kept;
            }
            tries.pause().await;
        }
    }
}

impl Draft<'_> {
    fn job(&self, group: [u8; 16], now: Timestamp) -> Job {
        let name: String = keys::hex(group).chars().take(GROUP_DIGITS).collect();
        Job {
            id: self.id,
            definition: self.definition.name.clone(),
            image: self.image.to_owned(),
            args: self.args.clone(),
            group: Group {
                subscription: self.subscription.to_owned(),
                resource_group: self.resource_group.to_owned(),
                name: format!("fanin-{name}"),
            },
            fingerprint: self.fingerprint.clone(),
            state: JobState::Queued,
            exit_code: None,
            error: None,
            created: now,
            ended: None,
            ttl: self.definition.ttl,
            next_at: Some(now),
            hold_until: now + HOLD,
            lease: None,
            failures: 0,
            failing_since: None,
            has_log: false,
        }
    }
}

fn no_chance(error: getrandom::Error) -> StoreError {
    StoreError::Unavailable(format!("the machine has no random numbers: {error}"))
}
