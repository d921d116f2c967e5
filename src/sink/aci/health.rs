//! How the containers are after an update: that Azure calls the update a success says nothing about them.

use crate::azure::group::{Container, Group, State};
use std::collections::BTreeMap;

/// So many restarts are enough to know.
const RESTARTS_ENOUGH: u64 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing is wrong yet, and not all is over.
    Open(String),
    Well(String),
    Ill(String),
}

/// Restarts that a container had when it was first looked at; none where it is not named.
pub(super) type Restarts = BTreeMap<String, u64>;

pub(super) fn restarts(group: Group<'_>) -> Restarts {
    let restarted = group.containers().filter(|container| container.restarts > 0);
    restarted.map(|container| (container.name.to_owned(), container.restarts)).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    Running,
    /// With success, and it stays so.
    Ended,
    Waiting(String),
    /// It may still come up.
    Restarting(String),
    /// It will not.
    Broken(String),
}

/// `over` says that it was looked at for long enough.
pub(super) fn look(group: Group<'_>, before: &Restarts, over: bool) -> Health {
    let policy = group.restart_policy();
    let signs: Vec<Sign> =
        group.containers().filter_map(|container| sign(&container, policy, before)).collect();
    let mut bad = Vec::new();
    let (mut running, mut ended, mut broken) = (0, 0, false);
    for sign in &signs {
        match sign {
            Sign::Running => running += 1,
            Sign::Ended => ended += 1,
            Sign::Waiting(said) | Sign::Restarting(said) => bad.push(said.as_str()),
            Sign::Broken(said) => {
                broken = true;
                bad.push(said);
            }
        }
    }
    let said = counted(running, ended);
    if broken || (over && !bad.is_empty()) {
        return Health::Ill(bad.join("; "));
    }
    if over || (ended > 0 && ended == signs.len()) {
        return Health::Well(said);
    }
    Health::Open(if bad.is_empty() { said } else { bad.join("; ") })
}

fn counted(running: usize, ended: usize) -> String {
    let word = |count: usize| if count == 1 { "container" } else { "containers" };
    match (running, ended) {
        (running, 0) => format!("{running} {} running", word(running)),
        (0, ended) => format!("{ended} {} ended with exit code 0", word(ended)),
        (running, ended) => {
            format!("{running} {} running, {ended} ended with exit code 0", word(running))
        }
    }
}

/// None for one that only prepares and does no harm.
fn sign(container: &Container<'_>, policy: &str, before: &Restarts) -> Option<Sign> {
    let name = container.name;
    let earlier = before.get(name).copied().unwrap_or_default();
    let times = container.restarts.saturating_sub(earlier);
    let never = policy.eq_ignore_ascii_case("Never");
    let looping = container.detail.contains("CrashLoopBackOff");
    let exit = match container.state {
        State::Terminated(exit) => exit,
        _ => container.previous_exit,
    };
    // Azure may start a container of policy Never anew for reasons of its own.
    if looping || (times > 0 && !never) {
        let said = restarting(name, times, exit);
        let known = looping || times >= RESTARTS_ENOUGH;
        return Some(if known { Sign::Broken(said) } else { Sign::Restarting(said) });
    }
    let sign = match container.state {
        State::Running => Sign::Running,
        State::Waiting if container.detail.is_empty() => Sign::Waiting(format!("{name} waits")),
        State::Waiting => Sign::Waiting(format!("{name} waits ({})", container.detail)),
        State::Terminated(Some(0)) if container.init || !policy.eq_ignore_ascii_case("Always") => {
            Sign::Ended
        }
        State::Terminated(exit) => {
            let code = exit.map_or_else(|| "no exit code".to_owned(), |c| format!("exit code {c}"));
            let said = format!("{name} ended with {code}");
            if never { Sign::Broken(said) } else { Sign::Restarting(said) }
        }
    };
    let harmless = matches!(sign, Sign::Running | Sign::Ended | Sign::Waiting(_));
    (!container.init || !harmless).then_some(sign)
}

fn restarting(name: &str, times: u64, exit: Option<i64>) -> String {
    let count = match times {
        0 => None,
        1 => Some("once".to_owned()),
        times => Some(format!("{times} times")),
    };
    let code = exit.map(|code| format!("exit code {code}"));
    let details: Vec<_> = count.into_iter().chain(code).collect();
    if details.is_empty() {
        format!("{name} restarts")
    } else {
        format!("{name} restarts ({})", details.join(", "))
    }
}
