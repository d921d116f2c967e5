//! What was pushed: registry, repository, tag and digest, each checked once and then trusted.

use alloc::string::String;
use core::fmt;

/// Why a text is not what it should be: a sentence without the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Invalid {}

/// A registry's login server, lower case, without a port, and the global one where a regional one was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(String);

/// A repository's name within its registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A manifest's digest, `sha256:` or `sha512:` and lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Registry {
    pub const DOCKER_HUB: &'static str = "docker.io";

    /// Reads a host name; `myreg.westeurope.geo.azurecr.io` and `myreg.westeurope.data.azurecr.io` are
    /// `myreg.azurecr.io`, since a push through a regional endpoint is a push to the registry.
    ///
    /// # Errors
    /// When the text is not a host name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let host = text.trim().to_ascii_lowercase();
        let host = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                name
            }
            _ => &host,
        };
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if host.len() > 253 || !host.split('.').all(label) {
            return Err(Invalid("a registry is a host name, such as myregistry.azurecr.io"));
        }
        Ok(Self(global_host(host)))
    }

    #[must_use]
    pub fn docker_hub() -> Self {
        Self(String::from(Self::DOCKER_HUB))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn global_host(host: &str) -> String {
    for cloud in [".azurecr.io", ".azurecr.cn", ".azurecr.us"] {
        let Some(name) = host.strip_suffix(cloud) else { continue };
        if let [registry, _region, "geo" | "data"] =
            name.split('.').collect::<alloc::vec::Vec<_>>()[..]
        {
            return alloc::format!("{registry}{cloud}");
        }
    }
    String::from(host)
}

impl Repository {
    /// # Errors
    /// When the text does not follow the OCI distribution specification's grammar for names.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let component = |c: &str| {
            edge(c.bytes().next())
                && edge(c.bytes().last())
                && c.bytes().all(|b| {
                    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
                })
        };
        if text.len() <= 255 && text.split('/').all(component) {
            Ok(Self(String::from(text)))
        } else {
            Err(Invalid(
                "a repository is lower-case letters, digits, '.', '_', '-' and '/', such as team/app",
            ))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tag {
    /// # Errors
    /// When the text does not follow the OCI distribution specification's grammar for tags.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let starts_well = text.bytes().next().is_some_and(word);
        if starts_well
            && text.len() <= 128
            && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
        {
            Ok(Self(String::from(text)))
        } else {
            Err(Invalid("a tag is at most 128 letters, digits, '_', '.' and '-'"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// # Errors
    /// When the text is not `sha256:` with 64, or `sha512:` with 128 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let digits = match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 => hex,
            Some(("sha512", hex)) if hex.len() == 128 => hex,
            _ => "?",
        };
        if digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(String::from(text)))
        } else {
            Err(Invalid("a digest is sha256: and 64 lower-case hexadecimal digits"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What happened to the image. The other actions of a registry are not tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    Push,
    Delete,
    ChartPush,
    ChartDelete,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Push, Self::Delete, Self::ChartPush, Self::ChartDelete];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Delete => "delete",
            Self::ChartPush => "chart_push",
            Self::ChartDelete => "chart_delete",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// Does it bring something that can be pulled afterwards?
    #[must_use]
    pub const fn is_push(self) -> bool {
        matches!(self, Self::Push | Self::ChartPush)
    }
}

/// The content that one push is about, the same in every region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub action: Action,
    /// None where the event names no host and the settings do not either.
    pub registry: Option<Registry>,
    pub repository: Repository,
    pub tag: Option<Tag>,
    /// None for Docker Hub, which does not tell it.
    pub digest: Option<Digest>,
}

/// `<registry>/<repository>:<tag>`, or `…@<digest>` without a tag.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{}/", registry.0)?;
        }
        write!(f, "{}", self.short())
    }
}

impl Image {
    /// `<repository>:<tag>`, or `<repository>@<digest>` without a tag.
    #[must_use]
    pub fn short(&self) -> impl fmt::Display + '_ {
        Short(self)
    }
}

struct Short<'a>(&'a Image);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.repository.as_str())?;
        match (&self.0.tag, &self.0.digest) {
            (Some(tag), _) => write!(f, ":{}", tag.0),
            (None, Some(digest)) => write!(f, "@{}", digest.0),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_regional_endpoint_is_the_registry_itself() {
        let parse = |text| Registry::parse(text).map(|r| r.as_str().to_string());
        assert_eq!(parse("MyRegistry.westeurope.geo.azurecr.io").unwrap(), "myregistry.azurecr.io");
        assert_eq!(
            parse("myregistry.westeurope.data.azurecr.cn:443").unwrap(),
            "myregistry.azurecr.cn"
        );
        assert_eq!(parse("myreg-abc123.azurecr.io").unwrap(), "myreg-abc123.azurecr.io");
        assert_eq!(parse("ghcr.io").unwrap(), "ghcr.io");
        for text in ["", "a..b", "-a.io", "a_b.io", "a b", "http://a.io", "a.io/b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_follow_the_grammar_of_the_specification() {
        for good in ["hello-world", "team/app", "a/b/c", "a__b", "x.y"] {
            assert!(Repository::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "App", "größe", "a b", "-a", "a:b", "a@b"] {
            assert!(Repository::parse(bad).is_err(), "{bad}");
        }
        assert!(Tag::parse("v1.0_x-y").is_ok());
        for bad in ["", ".a", "-a", "a b", "a/b", "<!channel>", &"a".repeat(129)] {
            assert!(Tag::parse(bad).is_err(), "{bad}");
        }
        assert!(Digest::parse(&format!("sha256:{}", "0f".repeat(32))).is_ok());
        for bad in
            ["", "sha256:", "sha256:abc", &format!("sha256:{}", "0F".repeat(32)), &"0f".repeat(32)]
        {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_image_without_tag_is_named_by_its_digest() {
        let digest = Digest::parse(&format!("sha256:{}", "0f".repeat(32))).unwrap();
        let mut image = Image {
            action: Action::Push,
            registry: Some(Registry::parse("r.azurecr.io").unwrap()),
            repository: Repository::parse("a/b").unwrap(),
            tag: Some(Tag::parse("v1").unwrap()),
            digest: Some(digest.clone()),
        };
        assert_eq!(image.to_string(), "r.azurecr.io/a/b:v1");
        image.tag = None;
        assert_eq!(image.to_string(), format!("r.azurecr.io/a/b@{}", digest.as_str()));
        image.registry = None;
        assert_eq!(image.short().to_string(), image.to_string());
    }
}
