//! Names made from outside text: always hashes, so that no text of a caller stands in a key, a filter or a URL.

use fan_in::{ContentId, Digest, EventId, Image, Registry, Repository, Shard, Tag};
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;

fn hash(kind: &str, parts: &[&str]) -> [u8; 16] {
    let mut sha = Sha256::new();
    for part in [kind].iter().chain(parts) {
        sha.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        sha.update(part);
    }
    let full: [u8; 32] = sha.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn hex(bytes: [u8; 16]) -> String {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    // Always UTF-8, as they are ASCII.
    str::from_utf8(&digits).unwrap_or_default().to_owned()
}

/// None when the text is not what [`hex`] writes.
pub(crate) fn unhex(text: &str) -> Option<[u8; 16]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// Everything about a repository, whatever the registry, lives in one shard.
#[must_use]
pub fn shard(repository: &Repository) -> Shard {
    Shard::of(hash("shard", &[repository.as_str()])[0])
}

fn registry(image: &Image) -> &str {
    image.registry.as_ref().map_or("", Registry::as_str)
}

/// What a push is about, the same in every region.
#[must_use]
pub fn content(image: &Image) -> ContentId {
    let tag = image.tag.as_ref().map_or("", Tag::as_str);
    let digest = image.digest.as_ref().map_or("", Digest::as_str);
    ContentId(hash(
        "content",
        &[registry(image), image.action.as_str(), image.repository.as_str(), tag, digest],
    ))
}

/// With correlation `id`: the event's id within its repository.
#[must_use]
pub fn content_by_id(image: &Image, event_id: &str) -> ContentId {
    ContentId(hash("id", &[registry(image), image.repository.as_str(), event_id]))
}

#[must_use]
pub fn event(event_id: &str) -> EventId {
    EventId(hash("event", &[event_id]))
}

/// The row of a repository's tag, over all registries.
#[must_use]
pub fn tag(repository: &Repository, tag: &Tag) -> String {
    format!("t:{}", hex(hash("tag", &[repository.as_str(), tag.as_str()])))
}

/// Where the guard of what is deployed to lives: its shard and its key.
#[must_use]
pub fn guard(target: &str) -> (Shard, String) {
    let hash = hash("guard", &[target]);
    (Shard::of(hash[0]), format!("g:{}", hex(hash)))
}

/// A part of a target, as its guard names it.
#[must_use]
pub fn part(part: &str) -> String {
    hex(hash("part", &[part]))
}

/// The row of a digest in a repository, as somebody may ask for it: in one registry or over all, under one tag or
/// under any.
#[must_use]
pub fn digest(
    registry: Option<&Registry>,
    repository: &Repository,
    tag: Option<&Tag>,
    digest: &Digest,
) -> String {
    let registry = registry.map_or("", Registry::as_str);
    let tag = tag.map_or("", Tag::as_str);
    format!("i:{}", hex(hash("digest", &[registry, repository.as_str(), tag, digest.as_str()])))
}

/// All rows of an image's digest.
#[must_use]
pub fn digests(image: &Image) -> BTreeSet<String> {
    let Image { repository, digest: Some(of), .. } = image else { return BTreeSet::new() };
    let registries = [None, image.registry.as_ref()];
    let tags = [None, image.tag.as_ref()];
    let keys = registries
        .into_iter()
        .flat_map(|registry| tags.map(|tag| digest(registry, repository, tag, of)));
    keys.collect()
}

/// What one request asks for, to tell it from another one.
#[must_use]
pub fn request(definition: &str, args: &[String]) -> String {
    let parts: Vec<&str> =
        [definition].into_iter().chain(args.iter().map(String::as_str)).collect();
    hex(hash("request", &parts))
}

/// Bytes that nobody can guess.
///
/// # Errors
/// When the machine has none to give.
pub fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Makes names that nobody can derive who does not have it.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

impl Key {
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As [`Key::write`] writes it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (high, low) = text.split_at_checked(32)?;
        let half = |text: &str| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&half(high)?);
        bytes[16..].copy_from_slice(&half(low)?);
        (text.len() == 64).then_some(Self(bytes))
    }

    /// 64 hexadecimal digits, for the store.
    #[must_use]
    pub fn write(&self) -> String {
        let (mut high, mut low) = ([0; 16], [0; 16]);
        high.copy_from_slice(&self.0[..16]);
        low.copy_from_slice(&self.0[16..]);
        hex(high) + &hex(low)
    }

    /// The same for the same parts; parts that are cut differently are other parts.
    #[must_use]
    pub fn name(&self, kind: &str, parts: &[&[u8]]) -> [u8; 16] {
        // A key of a whole block, as an HMAC would make of ours.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as Mac>::new((&block).into());
        for part in [kind.as_bytes()].iter().chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_what_it_writes_and_shows_nothing() {
        let key = Key::new(random().unwrap());
        let text = key.write();
        assert_eq!(Key::read(&text).unwrap().write(), text);
        assert_eq!(format!("{key:?}"), "[key]");
        for odd in ["", "0", &text[1..], &format!("{text}0"), &text.replace(&text[..1], "ü")] {
            assert!(Key::read(odd).is_none(), "{odd}");
        }
        assert_ne!(random().unwrap(), random().unwrap());
    }

    #[test]
    fn names_differ_by_key_kind_and_parts() {
        let (one, two) = (Key::new([1; 32]), Key::new([2; 32]));
        let name = one.name("push", &[b"ab", b"c"]);
        assert_eq!(name, one.name("push", &[b"ab", b"c"]));
        for other in [
            two.name("push", &[b"ab", b"c"]),
            one.name("request", &[b"ab", b"c"]),
            one.name("push", &[b"a", b"bc"]),
            one.name("push", &[b"abc"]),
        ] {
            assert_ne!(name, other);
        }
    }
}
