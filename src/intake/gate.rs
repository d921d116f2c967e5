//! What is let in: regions, registries, repositories.

use super::refusal::Refusal;
use super::{Event, Rules};
use crate::answer::Request;
use crate::{limits, secret};
use fan_in::{
    Action, Channel, Digest, Glob, Image, Origin, Region, Registry, Repository, Tag, Timestamp,
};
use std::borrow::Cow;
use std::cell::OnceCell;

const NO_BODY: Refusal = Refusal::Malformed(
    "there is no body: a webhook is a POST with JSON, and under Azure Functions a request loses its body \
     when it is chunked, so send Content-Length",
);
const NO_REGION: Refusal = Refusal::Malformed(
    "region querystring value missing: the webhook's address ends with ?region=<the region it is for>",
);
const UNKNOWN_REGION: Refusal =
    Refusal::Malformed("region querystring value is not in the configured regions");
const NO_REGISTRY: Refusal = Refusal::Forbidden(
    "the event does not name its registry, and several are allowed: add ?registry=<login server>",
);

/// A request that has come as far as its body.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) rules: &'a Rules,
    pub(super) body: &'a str,
    body_hash: OnceCell<String>,
}

impl<'a> Call<'a> {
    pub(super) const fn new(request: &'a Request, rules: &'a Rules, body: &'a str) -> Self {
        Self { request, rules, body, body_hash: OnceCell::new() }
    }

    /// Computed once, however many events ask for it.
    pub(super) fn body_hash(&self) -> String {
        self.body_hash.get_or_init(|| super::text::hash(self.body)).clone()
    }
}

/// An event that has all its kind needs. Whether it is let in is not said yet.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) action: Action,
    /// None where the event names no host.
    pub(super) host: Option<Registry>,
    pub(super) repository: Repository,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Option<Digest>,
    pub(super) origin: Origin,
    pub(super) event_time: Option<Timestamp>,
    pub(super) id: String,
}

impl Candidate {
    pub(super) fn admit(
        self,
        region: Region,
        channel: Channel,
        call: &Call<'_>,
    ) -> Result<Event, Refusal> {
        let registry = call.rules.registry(self.host, call.request)?;
        let Self { action, repository, tag, digest, origin, event_time, id, .. } = self;
        let image = Image { action, registry, repository, tag, digest };
        call.rules.wants(&image)?;
        Ok(Event { image, origin, region, event_time, id, channel })
    }
}

impl Rules {
    pub(super) fn secret(&self, request: &Request) -> Result<(), Refusal> {
        let given = request.header("x-fanin-secret").unwrap_or_default();
        if self.secrets.is_empty() || secret::is_one_of(given, &self.secrets) {
            Ok(())
        } else {
            Err(Refusal::Secret)
        }
    }

    /// The configured region that a webhook's address or header names.
    pub(super) fn region(&self, request: &Request) -> Result<Region, Refusal> {
        let query = request.query("region").filter(|text| !text.trim().is_empty());
        let header = || request.header("x-fanin-region").filter(|text| !text.trim().is_empty());
        let text = query.or_else(|| header().map(Cow::Borrowed)).ok_or(NO_REGION)?;
        self.configured(&text).ok_or(UNKNOWN_REGION)
    }

    pub(super) fn configured(&self, text: &str) -> Option<Region> {
        Region::parse(text).ok().filter(|region| self.regions.contains(region))
    }

    /// The registry of an event, for which `host` is what the event itself says.
    pub(super) fn registry(
        &self,
        host: Option<Registry>,
        request: &Request,
    ) -> Result<Option<Registry>, Refusal> {
        let registry = match host {
            Some(host) => Some(host),
            None => self.default_registry(request)?,
        };
        match registry {
            _ if self.registries.is_empty() => Ok(registry),
            Some(registry) if self.registries.contains(&registry) => Ok(Some(registry)),
            Some(_) => Err(Refusal::Forbidden("the registry is not one of FANIN_REGISTRIES")),
            None => Err(NO_REGISTRY),
        }
    }

    fn default_registry(&self, request: &Request) -> Result<Option<Registry>, Refusal> {
        if let Some(text) = request.query("registry").filter(|text| !text.trim().is_empty()) {
            let wrong = |_| Refusal::Malformed("registry querystring value is not a host name");
            return Registry::parse(&text).map(Some).map_err(wrong);
        }
        Ok(if let [only] = &self.registries[..] { Some(only.clone()) } else { None })
    }

    fn wants(&self, image: &Image) -> Result<(), Refusal> {
        if !Glob::any(&self.repositories, Some(image.repository.as_str())) {
            return Err(Refusal::Ignored("the repository is not one of FANIN_REPOSITORIES"));
        }
        if image.action == Action::Push && image.tag.is_none() && !self.untagged {
            return Err(Refusal::Ignored("the push has no tag, and FANIN_UNTAGGED is not true"));
        }
        Ok(())
    }
}

/// The body of a request, if it may come any further.
pub(super) fn body(request: &Request) -> Result<&[u8], Refusal> {
    let body = request.body.as_deref().filter(|body| !body.is_empty() && request.method == "POST");
    body.ok_or(NO_BODY)
}

pub(super) fn method_and_size(request: &Request) -> Result<(), Refusal> {
    if !["GET", "POST", "OPTIONS"].contains(&request.method.as_str()) {
        return Err(Refusal::Method);
    }
    if request.body_bytes > limits::BODY_MAX {
        return Err(Refusal::TooLarge("the body is over 256 KiB"));
    }
    Ok(())
}
