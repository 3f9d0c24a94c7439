//! Gets values from the machine for settings that are not set. It owns no state.

use memberd_membership::Name;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// How to get these values.
pub(super) struct System {
    pub(super) host_name: fn() -> Option<String>,
    /// The address of the default route, if it is not of its link alone.
    pub(super) default_address: fn(Family) -> Option<IpAddr>,
    /// The addresses of a host name: getaddrinfo(3), which may wait for a resolver.
    pub(super) look_up: fn(&str) -> io::Result<Vec<IpAddr>>,
    /// The address from the last time, for as long as there is no default route, or the host name
    /// is not looked up.
    pub(super) last_address: Option<IpAddr>,
    /// The name from the last time, for as long as the host name cannot be used.
    pub(super) last_name: Option<Name>,
    /// The directory of the credentials that systemd passes: systemd.exec(5),
    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) credentials: fn() -> Option<PathBuf>,
    pub(super) exists: fn(&Path) -> io::Result<bool>,
}

impl Default for System {
    fn default() -> Self {
        System {
            host_name: || nix::unistd::gethostname().ok()?.into_string().ok(),
            default_address,
            look_up: |host| Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect()),
            last_address: None,
            last_name: None,
            credentials: || std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            exists: Path::try_exists,
        }
    }
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    pub(super) fn has(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == (self == Family::V4)
    }
}

/// The families that the member's address may have, in the order of preference. The addresses of
/// introducers decide, if all are of one family: a member of the other could not reach them. So a
/// machine that gets its IPv4 address after its IPv6 address waits for the one that it needs.
pub(super) fn families(introducers: Option<&Spanned<Vec<Spanned<String>>>>) -> Vec<Family> {
    let introducers = introducers.map_or(&[][..], |set| set.get_ref().as_slice());
    let addresses = introducers.iter().filter_map(|set| set.get_ref().parse::<SocketAddr>().ok());
    // An introducer at loopback says nothing about the network.
    let (v4, v6): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.filter(|address| !address.ip().is_loopback()).partition(SocketAddr::is_ipv4);
    match (v4.is_empty(), v6.is_empty()) {
        (false, true) => vec![Family::V4],
        (true, false) => vec![Family::V6],
        (true, true) | (false, false) => vec![Family::V4, Family::V6],
    }
}

/// Whether a host name is that of any machine whose own was not set: `(none)` by the kernel,
/// `localhost` by images and by systemd (hostname(5)).
pub(super) fn is_nobodys(host_name: &str) -> bool {
    let name = host_name.to_ascii_lowercase();
    let label = name.split('.').next().unwrap_or_default();
    matches!(label, "" | "(none)" | "localhost" | "localhost4" | "localhost6")
}

/// Connecting a UDP socket sends nothing. The remote addresses are reserved for documentation (RFC
/// 5737, RFC 3849).
fn default_address(family: Family) -> Option<IpAddr> {
    let (bind, to) = match family {
        Family::V4 => ("0.0.0.0:0", "192.0.2.1:9"),
        Family::V6 => ("[::]:0", "[2001:db8::1]:9"),
    };
    let socket = UdpSocket::bind(bind).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !is_of_its_link_alone(*ip))
}

/// Whether an address has a meaning only together with an interface.
pub(super) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// A machine gives itself an IPv4 link-local address until DHCP answers (RFC 3927).
fn is_of_its_link_alone(ip: IpAddr) -> bool {
    is_link_local(ip) || matches!(ip, IpAddr::V4(ip) if ip.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_that_was_never_set_is_nobodys() {
        for name in ["", "(none)", "localhost", "LOCALHOST", "localhost.localdomain", "localhost6"]
        {
            assert!(is_nobodys(name), "{name}");
        }
        for name in ["vm1", "localhost1", "local", "web.localhost"] {
            assert!(!is_nobodys(name), "{name}");
        }
    }

    #[test]
    fn an_address_of_the_link_alone_is_not_taken() {
        for (ip, taken) in [("fe80::1", false), ("169.254.7.7", false), ("10.0.0.5", true)] {
            assert_eq!(!is_of_its_link_alone(ip.parse().unwrap()), taken, "{ip}");
        }
    }
}
