//! How the text of one setting becomes what it means. No sentence here repeats the text.

use super::duration::{self, DAY_S};
use super::problems::{Wrong, Wrongs};
use crate::address;
use crate::limits::REGIONS_MAX;
use crate::secret::{Secret, SecretUrl};
use fan_in::{Glob, Region, RegionSet, Registry, Retry};
use std::fmt;
use std::time::Duration;
use url::Url;

/// Pauses between attempts.
const RETRIES_MAX: usize = 64;
/// A list that is longer is not what anybody meant.
const ITEMS_MAX: usize = 1_000;

/// A refusal.
pub(super) fn said<T>(sentence: impl fmt::Display) -> Result<T, Wrong> {
    Err(sentence.to_string())
}

/// The items of a comma list, each read by `parse`; none may be empty.
pub(super) fn list<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrongs> {
    items(text.split(',').map(Some), parse)
}

/// [`list`], split already. Of an item that is None something has been said before.
pub(super) fn items<'a, T>(
    texts: impl Iterator<Item = Option<&'a str>>,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrongs> {
    let (read, wrongs) = each(texts, parse);
    Wrongs::unless(wrongs, read)
}

/// The items that could be read, and what is wrong with each of the others.
fn each<'a, T>(
    texts: impl Iterator<Item = Option<&'a str>>,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> (Vec<T>, Vec<Wrong>) {
    let (mut read, mut wrongs) = (Vec::new(), Vec::new());
    for (item, number) in texts.zip(1..) {
        if number > ITEMS_MAX {
            return (read, vec![format!("has more than {ITEMS_MAX} items")]);
        }
        match item.map(str::trim) {
            None => {}
            Some("") => wrongs.push(format!(
                "item {number} of the list is empty; remove the comma or fill the gap"
            )),
            Some(item) => match parse(item) {
                Ok(item) => read.push(item),
                Err(wrong) => wrongs.push(format!("item {number} of the list {wrong}")),
            },
        }
    }
    (read, wrongs)
}

pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    one_of(text, &[("true", true), ("false", false)])
}

/// One of a few words, in any case.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim()));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("must be {}", words.join(" or "))
    })
}

pub(super) fn region(text: &str) -> Result<Region, Wrong> {
    Region::parse(text).map_err(|invalid| format!("is no region: {invalid}"))
}

pub(super) fn regions(text: &str) -> Result<RegionSet, Wrongs> {
    let (regions, mut wrongs) = each(text.split(',').map(Some), replica_region);
    if regions.len() > REGIONS_MAX {
        wrongs.push(format!("has more than {REGIONS_MAX} regions"));
    }
    let count = regions.len();
    let set: RegionSet = regions.into_iter().collect();
    if set.len() < count {
        wrongs.push("names a region twice; capitals and spaces make no difference".to_owned());
    }
    Wrongs::unless(wrongs, set)
}

/// A region that a replica of the registry can be in.
fn replica_region(text: &str) -> Result<Region, Wrong> {
    if text.eq_ignore_ascii_case("auto") {
        return said("is auto, which is not available in this version: name the regions");
    }
    let region = region(text)?;
    if region.is_global() {
        return said(
            "is global, which stands for Docker Hub: a push that is reported there counts as everywhere at once; \
             name the regions of the registry",
        );
    }
    Ok(region)
}

/// Named twice, a registry counts once.
pub(super) fn registries(text: &str) -> Result<Vec<Registry>, Wrongs> {
    let mut registries: Vec<Registry> =
        list(text, |item| Registry::parse(item).map_err(|e| format!("is wrong: {e}")))?;
    registries.sort();
    registries.dedup();
    Ok(registries)
}

/// Other characters than those of a repository can never match.
pub(super) fn repository_glob(text: &str) -> Result<Glob, Wrong> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*".contains(&b);
    if text.bytes().all(fits) {
        return Ok(Glob::new(text));
    }
    said(
        "is no repository: lower-case letters, digits, '.', '_', '-', '/' and '*' for any characters; no registry, no tag",
    )
}

pub(super) fn tag_glob(text: &str) -> Result<Glob, Wrong> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-*".contains(&b);
    if text.bytes().all(fits) {
        Ok(Glob::new(text))
    } else {
        said("is no tag: letters, digits, '.', '_', '-' and '*' for any characters")
    }
}

pub(super) fn timeout(text: &str) -> Result<Duration, Wrong> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(7 * DAY_S);
    duration::within(text, &bounds, "between 1 s and 7 d")
}

pub(super) fn retention(text: &str) -> Result<Duration, Wrong> {
    let bounds = Duration::from_secs(DAY_S)..=Duration::from_secs(3_650 * DAY_S);
    duration::within(text, &bounds, "at least 1d, and at most 3650d")
}

pub(super) fn sink_timeout(text: &str) -> Result<Duration, Wrong> {
    duration::within(
        text,
        &(Duration::from_millis(100)..=Duration::from_secs(300)),
        "between 100 ms and 5 m",
    )
}

pub(super) fn retry(text: &str) -> Result<Retry, Wrongs> {
    let bounds = Duration::from_millis(1)..=Duration::from_secs(7 * DAY_S);
    let pauses =
        list(text, |item| duration::within(item, &bounds, "more than nothing and at most 7 d"))?;
    if pauses.len() > RETRIES_MAX {
        return Err(format!("has more than {RETRIES_MAX} pauses").into());
    }
    Ok(Retry(pauses))
}

/// <https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model>
pub(super) fn table_name(text: &str) -> Result<String, Wrong> {
    let fits = (3..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if fits && !text.eq_ignore_ascii_case("tables") {
        return Ok(text.to_owned());
    }
    said("is no table name: 3 to 63 letters and digits, a letter first, and not the word tables")
}

/// <https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata>
pub(super) fn queue_name(text: &str) -> Result<String, Wrong> {
    let fits = (3..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.split('-').all(|part| !part.is_empty());
    if fits {
        Ok(text.to_owned())
    } else {
        said("is no queue name: 3 to 63 lower-case letters, digits and single hyphens between them")
    }
}

/// What is left open here is judged elsewhere, or by nobody.
pub(super) fn any(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() { said("is blank") } else { Ok(text.trim().to_owned()) }
}

/// An id, a name or a host of Azure: it becomes part of an address.
pub(super) fn azure_name(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let fits = !text.is_empty()
        && text.len() <= 253
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '(' | ')'));
    if fits {
        Ok(text.to_owned())
    } else {
        said("is no name or id: letters, digits, '-', '.', '_' and parentheses")
    }
}

pub(super) fn registry_id(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let same = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    if let ["", subscriptions, subscription, groups, group, providers, provider, registries, name] =
        text.split('/').collect::<Vec<_>>()[..]
    {
        let frame = same(subscriptions, "subscriptions")
            && same(groups, "resourceGroups")
            && same(providers, "providers")
            && same(provider, "Microsoft.ContainerRegistry")
            && same(registries, "registries");
        if frame && [subscription, group, name].into_iter().all(|part| azure_name(part).is_ok()) {
            return Ok(text.to_owned());
        }
    }
    said(
        "is no resource id; write /subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerRegistry/registries/…",
    )
}

/// https, or http to this machine.
pub(super) fn url(text: &str) -> Result<Url, Wrong> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return said("has white space in its address");
    }
    let Ok(url) = Url::parse(text) else { return said("is not an address; write https://…") };
    match url.scheme() {
        "https" | "http" if url.host_str().is_none_or(str::is_empty) => said("names no host"),
        "https" => Ok(url),
        "http" if url.host().is_some_and(|host| address::is_loopback_host(&host)) => Ok(url),
        "http" => said("is plain http, which is accepted for loopback hosts only; write https://…"),
        _ => said("is not an https address"),
    }
}

pub(super) fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// An address of a service: nothing in it but where it is.
pub(super) fn endpoint(text: &str) -> Result<Url, Wrong> {
    let url = url(text)?;
    if has_user(&url) || url.query().is_some() || url.fragment().is_some() {
        return said("must be an address without user, password and query");
    }
    Ok(url)
}

/// Where a sink lives; a user and password only where the sink knows what to do with them.
pub(super) fn sink_url(text: &str, private: bool) -> Result<SecretUrl, Wrong> {
    let url = callable(text, private)?;
    if has_user(&url) {
        said("has a user or password, which this sink does not take")
    } else {
        Ok(SecretUrl::new(url))
    }
}

pub(super) fn webhook_url(text: &str, private: bool) -> Result<SecretUrl, Wrong> {
    callable(text, private).map(SecretUrl::new)
}

/// What a name means is seen when it is called; what an address is, is seen at once.
fn callable(text: &str, private: bool) -> Result<Url, Wrong> {
    let url = url(text)?;
    match url.host().and_then(|host| address::literal(&host)) {
        Some(ip) if !address::is_allowed(ip, true) => said(
            "is at a link-local address or a service of the machine's own, which no sink may call",
        ),
        Some(ip) if !address::is_allowed(ip, private) => said(
            "is at an address that is not public; if that is meant, set FANIN_PRIVATE_SINKS to true, or private = true \
             of a sink in fanin.toml",
        ),
        _ => Ok(url),
    }
}

/// What travels in an HTTP header, as it is: visible characters, and spaces within.
fn header_safe(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|b| b == b' ' || b == b'\t' || b.is_ascii_graphic())
}

pub(super) fn header_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

pub(super) fn header_value(text: &str) -> Result<String, Wrong> {
    if header_safe(text) {
        Ok(text.to_owned())
    } else {
        said("has characters that a header of HTTP cannot carry")
    }
}

/// A secret that a caller sends in a header.
pub(super) fn header_secret(text: &str) -> Result<Secret, Wrong> {
    if text.trim().is_empty() {
        return said("is blank");
    }
    header_value(text).map(Secret::new)
}

/// A token or key: no white space at all, so that one that was pasted with a line break is noticed.
pub(super) fn token(text: &str) -> Result<Secret, Wrong> {
    let visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if visible {
        Ok(Secret::new(text))
    } else {
        said("has white space, or characters beyond ASCII")
    }
}
