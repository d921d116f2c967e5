//! A name's addresses are looked at when the connection is made, so that it cannot mean one address when it is
//! checked and another when it is called.

use crate::address::{is_allowed, is_localhost};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};

/// What is left of a name's addresses.
fn admitted(
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
    private: bool,
) -> Result<Vec<SocketAddr>, Blocked> {
    let admits = |ip: IpAddr| {
        is_allowed(ip, private) && (!is_localhost(name) || ip.to_canonical().is_loopback())
    };
    let left: Vec<_> = found.filter(|address| admits(address.ip())).collect();
    if left.is_empty() { Err(Blocked) } else { Ok(left) }
}

/// Why a sink is not called.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the sink's address is blocked: link-local always is, and one that is not public needs `private = true`"
)]
pub(super) struct Blocked;

/// Asks the system for a name's addresses and leaves out those that are not allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub(super) private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let left = admitted(name.as_str(), found, private)?;
            Ok(Box::new(left.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_names_addresses_those_that_are_not_allowed_are_left_out() {
        let found = |ips: &[&str]| {
            ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>()
        };
        let left =
            |name, ips: &[&str], private| admitted(name, found(ips).into_iter(), private).ok();
        let rebound = ["169.254.169.254", "10.0.0.1", "8.8.8.8"];
        assert_eq!(left("evil.example", &rebound, false), Some(found(&["8.8.8.8"])));
        assert_eq!(left("evil.example", &rebound, true), Some(found(&["10.0.0.1", "8.8.8.8"])));
        assert_eq!(left("evil.example", &rebound[..1], true), None);
        assert_eq!(left("evil.example", &rebound[..2], false), None);
        assert_eq!(left("evil.example", &[], true), None);
        assert_eq!(left("localhost", &["127.0.0.1", "8.8.8.8"], true), Some(found(&["127.0.0.1"])));
        for name in ["LocalHost.", "hook.localhost", "a.b.LocalHost"] {
            assert_eq!(left(name, &["8.8.8.8", "10.0.0.1"], true), None, "{name}");
            assert_eq!(left(name, &["127.0.0.1"], false), Some(found(&["127.0.0.1"])), "{name}");
        }
        assert_eq!(left("evil-localhost", &["8.8.8.8"], false), Some(found(&["8.8.8.8"])));
    }
}
