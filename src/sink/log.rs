//! The log as a sink: one structured line.

use super::text::{listed, sentence, took};
use crate::ports::{Parcel, Sink};
use async_trait::async_trait;
use fan_in::Attempt;

#[derive(Clone, Debug)]
pub struct Log {
    name: String,
}

impl Log {
    #[must_use]
    pub const fn new(name: String) -> Self {
        Self { name }
    }
}

#[async_trait]
impl Sink for Log {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, parcel: Parcel<'_>) -> Attempt {
        let Parcel { push, notice, claim, .. } = parcel;
        tracing::info!(
            target: "notice",
            sink = %self.name,
            id = %parcel.id(),
            push = %push.id,
            kind = notice.kind.as_str(),
            action = push.image.action.as_str(),
            image = %push.image,
            digest = push.image.digest.as_ref().map(|digest| digest.as_str()),
            region = notice.region.as_ref().map(|region| region.as_str()),
            regions = notice.regions,
            missing = %listed(&notice.missing),
            after_ms = u64::try_from(took(parcel).as_millis()).unwrap_or(u64::MAX),
            repeat = claim.repeat,
            "{}",
            sentence(parcel)
        );
        Attempt::Accepted { result: None, tells: None }
    }
}
