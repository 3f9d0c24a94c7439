//! Works out the address at which other members reach this one, and the address that it binds. It
//! owns no state.

use super::machine::{Family, System, is_link_local};
use super::parse::{KEY_FILE, is_host};
use super::problems::Problems;
use super::raw;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use toml::Spanned;

const PORT: u16 = 8946;
const ADDRESS: &str = "node.address";
const BIND: &str = "node.bind";

/// The addresses of a member.
pub(super) struct Addresses {
    /// Where other members reach it.
    pub(super) address: SocketAddr,
    /// The host name that the address was found for.
    pub(super) host: Option<String>,
    /// The address of the machine that it binds.
    pub(super) bind: IpAddr,
}

/// The addresses that are set, or those of the default route. If there are none, this is `None`,
/// and [`check`] says so where nothing is set.
pub(super) fn addresses(
    node: &raw::Node,
    families: &[Family],
    system: &System,
    problems: &mut Problems,
) -> Option<Addresses> {
    let port = node.port.as_ref().map_or(PORT, |port| *port.get_ref());
    if let Some(set) = node.port.as_ref().filter(|port| *port.get_ref() == 0) {
        problems.add(set, "node.port", "0 is not a port: other members must know the port");
    }
    let (ip, host) = match &node.address {
        Some(set) => match set.get_ref().parse() {
            Ok(ip) => (set_address(set, ip, problems), None),
            Err(_) => (found_address(set, families, system, problems), Some(set.get_ref().clone())),
        },
        None => {
            let mut found = families.iter().filter_map(|family| (system.default_address)(*family));
            (found.next().or(system.last_address), None)
        }
    };
    let bind = node.bind.as_ref().and_then(|set| set_bind(set, ip, problems));
    let ip = ip?;
    Some(Addresses { address: SocketAddr::new(ip, port), host, bind: bind.unwrap_or(ip) })
}

fn set_address(set: &Spanned<String>, ip: IpAddr, problems: &mut Problems) -> Option<IpAddr> {
    let Some(why) = no_members(ip) else { return Some(ip) };
    problems.add(set, ADDRESS, why);
    None
}

/// Why no member can have this address.
fn no_members(ip: IpAddr) -> Option<&'static str> {
    if ip.is_unspecified() {
        Some("other members cannot reach an unspecified address: give one they can reach")
    } else if is_of_many(ip) {
        Some("a multicast or broadcast address does not belong to one machine")
    } else if is_link_local(ip) {
        Some("a link-local address has another meaning on each machine")
    } else if is_mapped(ip) {
        Some("an IPv4 address within IPv6 is no member's: give the IPv4 address itself")
    } else {
        None
    }
}

/// Whether it is an IPv4 address within IPv6: RFC 4291, section 2.5.5.2.
fn is_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
}

fn is_of_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Looks a host name up. The families are in the order of preference. While the name has no
/// address, that of the last time stays.
fn found_address(
    set: &Spanned<String>,
    families: &[Family],
    system: &System,
    problems: &mut Problems,
) -> Option<IpAddr> {
    let host = set.get_ref();
    // What ends in a number is a mistyped IPv4 address, and a resolver may still make one of it.
    let ends_in_number = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_host(host) || ends_in_number {
        let what = format!("{host:?} is not an IPv4 or IPv6 address, and not a host name");
        problems.add(set, ADDRESS, what);
        return None;
    }
    let found = match (system.look_up)(host) {
        Ok(found) => found,
        Err(error) => {
            if system.last_address.is_none() {
                let what = format!("the host {host} cannot be looked up now: {error}");
                problems.add_set_not_yet(set, ADDRESS, what);
            }
            return system.last_address;
        }
    };
    let is_usable = |ip: IpAddr| no_members(ip).is_none() && (!ip.is_loopback() || is_local(host));
    let mut usable = families
        .iter()
        .flat_map(|family| found.iter().filter(|ip| family.has(**ip) && is_usable(**ip)));
    let first = usable.next().copied();
    if first.is_none() {
        let found: Vec<String> = found.iter().map(IpAddr::to_string).collect();
        let what = format!(
            "the host {host} has no address here at which introducers and others could reach it, \
            only {}: give the address itself",
            found.join(", ")
        );
        problems.add(set, ADDRESS, what);
    }
    first
}

/// Whether a host name means loopback everywhere: RFC 6761, section 6.3. Any other name has a
/// loopback address only on its own machine, as in Debian's /etc/hosts.
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The address to bind. `address` is the one that others reach, if it is known.
fn set_bind(
    set: &Spanned<String>,
    address: Option<IpAddr>,
    problems: &mut Problems,
) -> Option<IpAddr> {
    let text = set.get_ref();
    let Ok(bind) = text.parse::<IpAddr>() else {
        let what = format!(
            "{text:?} is not an IPv4 or IPv6 address: give one of this machine, or for all of them \
            \"0.0.0.0\" or \"::\""
        );
        problems.add(set, BIND, what);
        return None;
    };
    let is_other_family = address.is_some_and(|address| address.is_ipv4() != bind.is_ipv4());
    let only_here = bind.is_loopback() && address.is_some_and(|address| !address.is_loopback());
    let what = match address {
        _ if is_of_many(bind) || is_link_local(bind) => {
            "a multicast, broadcast or link-local address cannot be bound".to_owned()
        }
        Some(address) if is_other_family => {
            format!("{bind} and {ADDRESS} {address} are not of one family, IPv4 or IPv6")
        }
        Some(address) if only_here => {
            format!("from {bind} other machines cannot be reached, and {ADDRESS} is {address}")
        }
        _ => return Some(bind),
    };
    problems.add(set, BIND, what);
    None
}

/// Without a key, and if plaintext is not allowed, only loopback addresses are valid. Without an
/// address the machine may have one later.
pub(super) fn check(
    node: &raw::Node,
    addresses: Option<&Addresses>,
    may_leave_loopback: bool,
    problems: &mut Problems,
) {
    let why = "is not a loopback address, and without a key nothing is sealed: put the group's key \
               into /etc/memberd/group.key, or for a closed test network set \
               security.allow_plaintext = true";
    let missing = "not set, and this machine has no default route to take it from";
    let address = addresses.map(|addresses| addresses.address.ip());
    match (&node.address, address) {
        (Some(set), Some(address)) if !address.is_loopback() && !may_leave_loopback => {
            problems.add(set, ADDRESS, format!("{address} {why}"));
        }
        (None, Some(address)) if !address.is_loopback() && !may_leave_loopback => {
            problems.add_missing(ADDRESS, format!("{address} {why}"));
        }
        (None, None) if may_leave_loopback => {
            problems.add_not_yet(ADDRESS, format!("{missing} yet: set it"));
        }
        // No address of a default route would be allowed, so this does not pass by itself.
        (None, None) => problems.add_missing(
            ADDRESS,
            format!("{missing}: set it, and put the group's key into {KEY_FILE}"),
        ),
        (Some(_), _) | (None, Some(_)) => {}
    }
    let bind = addresses.map(|addresses| addresses.bind).filter(|bind| !bind.is_loopback());
    if let (Some(set), Some(bind), false) = (&node.bind, bind, may_leave_loopback) {
        problems.add(set, BIND, format!("{bind} {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::tests::SYSTEM;
    use super::super::{Config, ConfigError};
    use super::*;
    use std::io;

    const KEY: &str = "[security]\nkey_file = '/x'\n";

    fn on(system: &System, node: &str, rest: &str) -> Result<Config, ConfigError> {
        parse("m.toml", &format!("{rest}[node]\n{node}"), system)
    }

    fn resolver(look_up: fn(&str) -> io::Result<Vec<IpAddr>>) -> System {
        System { look_up, ..SYSTEM }
    }

    const BOTH: fn(&str) -> io::Result<Vec<IpAddr>> = |_| {
        let texts = ["127.0.1.1", "fe80::5", "2001:db8::5", "192.0.2.5"];
        Ok(texts.map(|text| text.parse().unwrap()).to_vec())
    };

    #[test]
    fn a_host_name_becomes_the_first_address_that_others_reach() {
        let config = on(&resolver(BOTH), "address = 'vm5.example'", KEY).unwrap();
        assert_eq!(config.address.to_string(), "192.0.2.5:8946");
        assert_eq!(config.bind.to_string(), "192.0.2.5");
        assert_eq!(config.address_host.as_deref(), Some("vm5.example"));
        let group = "[group]\nintroducers = ['[2001:db8::1]:8946']\n";
        let config =
            on(&resolver(BOTH), "address = 'vm5.example'", &format!("{KEY}{group}")).unwrap();
        assert_eq!(config.address.to_string(), "[2001:db8::5]:8946");
        let local = resolver(|_| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
        let config = on(&local, "address = 'localhost'", "").unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:8946");
    }

    /// Debian's installer writes the machine's own name into /etc/hosts, under 127.0.1.1.
    #[test]
    fn a_host_name_with_loopback_addresses_alone_is_refused() {
        let debian = resolver(|_| Ok(vec!["127.0.1.1".parse().unwrap()]));
        let error = on(&debian, "address = 'vm5'", KEY).unwrap_err();
        assert_eq!(
            error.lines,
            ["m.toml:4: node.address: the host vm5 has no address here at which introducers and \
             others could reach it, only 127.0.1.1: give the address itself"]
        );
        assert!(!error.only_not_yet);
    }

    /// A name server may come up later than the machine. A reload does not ask it.
    #[test]
    fn a_host_name_that_is_not_found_is_so_only_for_now() {
        let error = on(&SYSTEM, "address = 'vm5.example'", KEY).unwrap_err();
        let line = "m.toml:4: node.address: the host vm5.example cannot be looked up now: ";
        assert!(error.lines[0].starts_with(line), "{error}");
        assert!(error.only_not_yet);
        let last_address = Some([192, 0, 2, 5].into());
        let reloaded =
            on(&System { last_address, ..SYSTEM }, "address = 'vm5.example'", KEY).unwrap();
        assert_eq!(reloaded.address.to_string(), "192.0.2.5:8946");
        let started = on(&resolver(BOTH), "address = 'vm5.example'", KEY).unwrap();
        assert_eq!(started.reload(reloaded).1, [""; 0]);
        let other = System { last_address, ..SYSTEM };
        let renamed = on(&other, "address = 'vm6.example'", KEY).unwrap();
        assert_eq!(started.reload(renamed).1, ["node.address"]);
    }

    #[test]
    fn a_mistyped_address_is_not_looked_up() {
        for text in ["192.0.2.300", "10.1", "vm 5", "", "2001:db8::x", "vm5:8946"] {
            let error = on(&resolver(BOTH), &format!("address = '{text}'"), KEY).unwrap_err();
            let line = format!(
                "m.toml:4: node.address: {text:?} is not an IPv4 or IPv6 address, and not a host \
                 name"
            );
            assert_eq!(error.lines, [line]);
        }
    }

    /// The others refuse a member with such an address.
    #[test]
    fn an_ipv4_address_within_ipv6_is_refused() {
        for text in ["::ffff:192.0.2.1", "::ffff:127.0.0.1", "::ffff:c000:201"] {
            let error = on(&SYSTEM, &format!("address = '{text}'"), KEY).unwrap_err();
            assert_eq!(
                error.lines,
                ["m.toml:4: node.address: an IPv4 address within IPv6 is no member's: give the \
                  IPv4 address itself"]
            );
        }
        let mapped = resolver(|_| Ok(vec!["::ffff:192.0.2.1".parse().unwrap()]));
        on(&mapped, "address = 'vm5.example'", KEY).unwrap_err();
    }

    #[test]
    fn what_is_bound_may_differ_from_what_others_reach() {
        let config = on(&SYSTEM, "address = '192.0.2.13'\nbind = '10.0.0.5'", KEY).unwrap();
        assert_eq!(config.address.to_string(), "192.0.2.13:8946");
        assert_eq!(config.bind.to_string(), "10.0.0.5");
        let all = on(&SYSTEM, "address = '192.0.2.13'\nbind = '0.0.0.0'", KEY).unwrap();
        assert!(all.bind.is_unspecified());
        assert_eq!(config.reload(all).1, ["node.bind"]);
    }

    #[test]
    fn an_address_that_cannot_be_bound_for_it_is_refused() {
        for (bind, problem) in [
            (
                "vm5",
                "\"vm5\" is not an IPv4 or IPv6 address: give one of this machine, or for all \
              of them \"0.0.0.0\" or \"::\"",
            ),
            ("224.0.0.1", "a multicast, broadcast or link-local address cannot be bound"),
            ("fe80::1", "a multicast, broadcast or link-local address cannot be bound"),
            ("::", ":: and node.address 192.0.2.13 are not of one family, IPv4 or IPv6"),
            (
                "127.0.0.1",
                "from 127.0.0.1 other machines cannot be reached, and node.address is \
              192.0.2.13",
            ),
        ] {
            let node = format!("address = '192.0.2.13'\nbind = '{bind}'");
            let error = on(&SYSTEM, &node, KEY).unwrap_err();
            assert_eq!(error.lines, [format!("m.toml:5: node.bind: {problem}")]);
        }
    }

    /// It would take datagrams from the network, though its address is of loopback.
    #[test]
    fn without_a_key_only_loopback_is_bound() {
        let error = on(&SYSTEM, "address = '127.0.0.5'\nbind = '0.0.0.0'", "").unwrap_err();
        assert!(
            error.lines[0].starts_with(
                "m.toml:3: node.bind: 0.0.0.0 is not a loopback address, and without a key"
            ),
            "{error}"
        );
        let text = "[security]\nallow_plaintext = true\n";
        let open = on(&SYSTEM, "address = '127.0.0.5'\nbind = '0.0.0.0'", text).unwrap();
        assert!(open.speaks_openly());
    }
}
