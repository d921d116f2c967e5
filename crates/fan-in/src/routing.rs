//! Which sinks hear which notice.

use crate::correlate::Correlation;
use crate::delivery::{Delivery, State};
use crate::image::{Action, Image};
use crate::notice::NoticeKind;
use crate::region::{Region, RegionSet};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What decisions are made by: the settings, as far as the core knows them.
#[derive(Clone, Debug)]
pub struct Policy {
    pub regions: RegionSet,
    pub timeout: Duration,
    pub correlation: Correlation,
    pub subscriptions: Vec<Subscription>,
}

impl Policy {
    pub(crate) fn failure_of(&self, sink: &str) -> Option<NoticeKind> {
        self.subscriptions.iter().find(|s| s.sink == sink)?.failure
    }
}

/// What one sink wants to hear of.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub sink: String,
    pub kinds: Vec<NoticeKind>,
    /// Of notices about one region, only those about this one.
    pub region: Option<Region>,
    pub actions: Vec<Action>,
    /// Empty: every repository.
    pub repositories: Vec<Glob>,
    /// Empty: every tag, and what has none.
    pub tags: Vec<Glob>,
    /// What is told when a delivery to this sink is given up.
    pub failure: Option<NoticeKind>,
}

impl Subscription {
    fn wants(&self, kind: NoticeKind, region: Option<&Region>, image: &Image) -> bool {
        let tag = image.tag.as_ref().map(|t| t.as_str());
        self.kinds.contains(&kind)
            && self.actions.contains(&image.action)
            && (self.region.is_none() || region.is_none() || self.region.as_ref() == region)
            && Glob::any(&self.repositories, Some(image.repository.as_str()))
            && Glob::any(&self.tags, tag)
    }
}

/// One delivery for every sink that wants to hear of it.
pub(crate) fn deliveries(
    policy: &Policy,
    kind: NoticeKind,
    region: Option<&Region>,
    image: &Image,
    now: Timestamp,
) -> Vec<Delivery> {
    let wanting = policy.subscriptions.iter().filter(|s| s.wants(kind, region, image));
    wanting.map(|s| Delivery::new(s.sink.clone(), State::Pending { next_at: now })).collect()
}

/// A pattern: `*` stands for any characters, also none, `/` included; everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// No pattern at all lets everything through.
    #[must_use]
    pub fn any(globs: &[Self], text: Option<&str>) -> bool {
        globs.is_empty() || text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).matches(text);
        assert!(matches("samples/*", "samples/app"));
        assert!(matches("samples/*", "samples/a/b"));
        assert!(matches("*", ""));
        assert!(matches("v*.*-rc*", "v1.2-rc3"));
        assert!(matches("a*a", "aa"));
        assert!(!matches("a*a", "a"));
        assert!(matches("app", "app"));
        assert!(!matches("app", "apps"));
        assert!(!matches("samples/*", "sample/app"));
        assert!(!matches("*-x*y", "-xa"));
        assert!(!matches("", "a"));
    }

    #[test]
    fn no_pattern_lets_everything_through_and_a_pattern_nothing_without_text() {
        assert!(Glob::any(&[], None));
        assert!(!Glob::any(&[Glob::new("*")], None));
    }
}
