//! Somebody asks how a push stands.

use super::App;
use crate::ports::StoreError;
use crate::store::Page;
use fan_in::{
    ContentId, Digest, Invalid, Push, PushId, Registry, Repository, Shard, Tag, Timestamp,
};

/// The image somebody asks for: `repo:tag`, `registry/repo:tag`, `repo@sha256:…` or `repo:tag@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub registry: Option<Registry>,
    pub repository: Repository,
    pub tag: Option<Tag>,
    pub digest: Option<Digest>,
    /// Pushes whose first event is older do not count.
    pub since: Option<Timestamp>,
}

impl Wanted {
    /// # Errors
    /// A sentence on what is wrong with the text.
    pub fn parse(image: &str) -> Result<Self, Invalid> {
        let (name, digest) = match image.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (image, None),
        };
        // The first part is a registry if it looks like a host, as everywhere with images.
        let (registry, name) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => {
                (Some(Registry::parse(host)?), rest)
            }
            _ => (None, name),
        };
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(Tag::parse(tag)?)),
            None => (name, None),
        };
        if tag.is_none() && digest.is_none() {
            return Err(Invalid("image needs a tag or a digest, such as team/app:v1"));
        }
        Ok(Self { registry, repository: Repository::parse(repository)?, tag, digest, since: None })
    }

    fn fits(&self, push: &Push) -> bool {
        let image = &push.image;
        image.action.is_push()
            && image.repository == self.repository
            && (self.registry.is_none() || image.registry == self.registry)
            && (self.tag.is_none() || image.tag == self.tag)
            && (self.digest.is_none() || image.digest == self.digest)
            && self.since.is_none_or(|since| push.order().first_event >= since)
    }
}

impl App {
    /// Does the store answer?
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn answers(&self) -> Result<(), StoreError> {
        let nobody = PushId { shard: Shard::of(0), content: ContentId([0; 16]), generation: 0 };
        self.parts.store.push(nobody).await.map(drop)
    }

    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn push(&self, id: PushId) -> Result<Option<Push>, StoreError> {
        Ok(self.parts.store.push(id).await?.map(|stored| stored.push))
    }

    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.parts.store.list(after, limit).await
    }

    /// The newest push of an image. Of a digest without a tag, the tag counts whose push opened last.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn newest(&self, wanted: &Wanted) -> Result<Option<Push>, StoreError> {
        let named = self.of_digest(wanted).await?;
        let of_named = || named.as_ref().and_then(|push| push.image.tag.as_ref());
        let tag = wanted.tag.as_ref().or_else(of_named);
        let of_tag = match tag {
            Some(tag) => self.newest_of_tag(wanted, tag).await?,
            None => None,
        };
        let named = named.filter(|push| wanted.fits(push));
        Ok(named.into_iter().chain(of_tag).max_by_key(Push::order))
    }

    async fn of_digest(&self, wanted: &Wanted) -> Result<Option<Push>, StoreError> {
        let Wanted { registry, repository, tag, digest: Some(digest), .. } = wanted else {
            return Ok(None);
        };
        let store = &self.parts.store;
        let id = store.of_digest(registry.as_ref(), repository, tag.as_ref(), digest).await?;
        match id {
            Some(id) => self.push(id).await,
            None => Ok(None),
        }
    }

    async fn newest_of_tag(&self, wanted: &Wanted, tag: &Tag) -> Result<Option<Push>, StoreError> {
        let marks = self
            .parts
            .store
            .marks(&wanted.repository, tag)
            .await?
            .map(|m| m.value)
            .unwrap_or_default();
        let registry = wanted.registry.as_ref().map(Registry::as_str);
        let digest = wanted.digest.as_ref().map(Digest::as_str);
        let mut newest: Option<Push> = None;
        for mark in marks {
            let other_registry = registry.is_some() && mark.registry.as_deref() != registry;
            let other_digest = digest.is_some() && mark.digest.as_deref() != digest;
            // Marks stand newest first, and none is newer than it says.
            let beaten = newest.as_ref().map(Push::order).is_some_and(|o| {
                (o.first_event, o.first_seen) >= (mark.first_event, mark.first_seen)
            });
            if other_registry || other_digest || beaten {
                continue;
            }
            let found = self.push(mark.push).await?.filter(|push| wanted.fits(push));
            newest = found.into_iter().chain(newest).max_by_key(Push::order);
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_an_image_is_read() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let read = |text: &str| {
            let w = Wanted::parse(text).unwrap();
            let text = |t: Option<&str>| t.unwrap_or("-").to_owned();
            [
                text(w.registry.as_ref().map(Registry::as_str)),
                w.repository.as_str().to_owned(),
                text(w.tag.as_ref().map(Tag::as_str)),
                text(w.digest.as_ref().map(Digest::as_str)),
            ]
        };
        assert_eq!(read("team/app:v1"), ["-", "team/app", "v1", "-"]);
        assert_eq!(read("r.azurecr.io/team/app:v1"), ["r.azurecr.io", "team/app", "v1", "-"]);
        assert_eq!(read(&format!("app@{digest}")), ["-", "app", "-", &digest]);
        assert_eq!(
            read(&format!("r.azurecr.io/app:v1@{digest}")),
            ["r.azurecr.io", "app", "v1", &digest]
        );
        assert_eq!(read("localhost:5000/app:v1"), ["localhost", "app", "v1", "-"]);
        for bad in ["", "app", "app:", "app@", "app@sha256:12", ":v1", "a b:v1", "r.azurecr.io/:v1"]
        {
            assert!(Wanted::parse(bad).is_err(), "{bad}");
        }
    }
}
