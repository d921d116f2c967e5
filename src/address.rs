//! What an address on the network is: of this machine, public, private, or one that nobody may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::Host;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Loopback,
    Public,
    /// Of somebody's own network, or of no network at all.
    Private,
    /// The machine's own services: metadata and identity endpoints live there.
    Forbidden,
}

/// May a sink be called at this address? Loopback always, link-local never, what is not of the public
/// internet only where the sink is `private`.
#[must_use]
pub fn is_allowed(ip: IpAddr, private: bool) -> bool {
    let reach = match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    };
    match reach {
        Reach::Loopback | Reach::Public => true,
        Reach::Private => private,
        Reach::Forbidden => false,
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    /// Azure's wire server has a public address but is the machine's own all the same.
    const WIRE_SERVER: [u8; 4] = [168, 63, 129, 16];
    match ip.octets() {
        [127, ..] => Reach::Loopback,
        [169, 254, ..] | WIRE_SERVER => Reach::Forbidden,
        [0 | 10 | 224..=255, ..]
        | [100, 64..=127, ..]
        | [172, 16..=31, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    if ip == Ipv6Addr::LOCALHOST {
        return Reach::Loopback;
    }
    if let Some(ip) = ip.to_ipv4_mapped() {
        return reach_v4(ip);
    }
    let s = ip.segments();
    match s {
        [0xfe80..=0xfebf, ..] => Reach::Forbidden,
        // NAT64, of which a translator makes the address it holds.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => held(high, low),
        // NAT64 within a network, with the address behind a prefix of 48 or of 96 bits.
        [0x64, 0xff9b, 1, high, mid, low, ..] => {
            own(&[held(high, mid << 8 | low >> 8), held(s[6], s[7])])
        }
        // 6to4
        [0x2002, high, low, ..] => held(high, low),
        // Teredo holds its server and, inverted, its client.
        [0x2001, 0, high, low, ..] => own(&[held(high, low), held(!s[6], !s[7])]),
        // An IPv4 address in the deprecated notation, and the unspecified address.
        [0, 0, 0, 0, 0, 0, high, low] => own(&[held(high, low)]),
        [0x2001, 0x1..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Private,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Private,
    }
}

/// An IPv4 address that is held in an IPv6 one. Who carries the packets there is another machine, so its
/// loopback is not ours.
fn held(high: u16, low: u16) -> Reach {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    match reach_v4(Ipv4Addr::new(a, b, c, d)) {
        Reach::Loopback => Reach::Private,
        reach => reach,
    }
}

fn own(held: &[Reach]) -> Reach {
    if held.contains(&Reach::Forbidden) { Reach::Forbidden } else { Reach::Private }
}

/// The address that stands in the place of a name, if one does.
#[must_use]
pub fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match *host {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}

/// A host that can be nothing but this machine: the one that plain http is spoken with.
#[must_use]
pub fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.to_canonical().is_loopback(),
        Host::Domain(name) => is_localhost(name),
    }
}

/// `localhost` and what is below it, which whoever connects must find at a loopback address (RFC 6761).
#[must_use]
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> (bool, bool) {
        let ip: IpAddr = text.parse().unwrap();
        (is_allowed(ip, false), is_allowed(ip, true))
    }

    const ALWAYS: (bool, bool) = (true, true);
    const PRIVATE: (bool, bool) = (false, true);
    const NEVER: (bool, bool) = (false, false);

    #[test]
    fn public_and_loopback_addresses_are_always_allowed() {
        for ip in [
            "8.8.8.8",
            "52.1.2.3",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "223.255.0.1",
        ] {
            assert_eq!(reach(ip), ALWAYS, "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "::ffff:127.0.0.1",
            "2603:1030::1",
            "2a00:1450::1",
        ] {
            assert_eq!(reach(ip), ALWAYS, "{ip}");
        }
        for ip in
            ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:200::1", "3fff:1000::1"]
        {
            assert_eq!(reach(ip), ALWAYS, "{ip}");
        }
    }

    #[test]
    fn addresses_that_are_not_public_need_a_private_sink() {
        let v4 = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 \
                  192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.1.1.1 \
                  240.0.0.1 255.255.255.255";
        for ip in v4.split_whitespace() {
            assert_eq!(reach(ip), PRIVATE, "{ip}");
            assert_eq!(reach(&format!("::ffff:{ip}")), PRIVATE, "mapped {ip}");
            assert_eq!(reach(&format!("64:ff9b::{ip}")), PRIVATE, "NAT64 {ip}");
            assert_eq!(reach(&six_to_four(ip)), PRIVATE, "6to4 {ip}");
        }
        let v6 = ":: fc00::1 fdff::1 fd00:ec2::254 fec0::1 ff02::1 ff0e::1 100::1 2001:db8::1 2001:2::1 2001:20::1 \
                  2001:0:808:808::1 3fff:fff::1 5f00::1 4000::1 64:ff9b:1::1 64:ff9b::127.0.0.1 2002:7f00:1::1 ::8.8.8.8";
        for ip in v6.split_whitespace() {
            assert_eq!(reach(ip), PRIVATE, "{ip}");
        }
    }

    #[test]
    fn the_machines_own_services_are_never_called_in_whatever_notation() {
        for ip in ["169.254.169.254", "169.254.0.1", "168.63.129.16"] {
            assert_eq!(reach(ip), NEVER, "{ip}");
            for prefix in ["::ffff:", "64:ff9b::", "64:ff9b:1::", "::"] {
                assert_eq!(reach(&format!("{prefix}{ip}")), NEVER, "{prefix}{ip}");
            }
            assert_eq!(reach(&six_to_four(ip)), NEVER, "6to4 {ip}");
        }
        for ip in ["fe80::1", "febf::1", "64:ff9b:1:a9fe:a9:fe00::", "2001:0:808:808:0:0:5601:5601"]
        {
            assert_eq!(reach(ip), NEVER, "{ip}");
        }
    }

    fn six_to_four(ip: &str) -> String {
        let [a, b, c, d] = ip.parse::<Ipv4Addr>().unwrap().octets();
        format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1")
    }
}
