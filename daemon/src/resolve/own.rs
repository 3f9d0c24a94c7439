//! Says which addresses of an introducer mean this machine itself. [`Own`] is how it is known.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Loopback addresses that machines have their own name under: 127.0.0.1 in many images, 127.0.1.1
/// by Debian's installer, and 127.0.0.2 by nss-myhostname(8) and YaST.
const OF_OWN_NAMES: [Ipv4Addr; 3] =
    [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 1, 1), Ipv4Addr::new(127, 0, 0, 2)];

/// This member, as an introducer of its own may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its address.
    pub address: SocketAddr,
    /// Its name. The host name counts too.
    pub name: String,
}

impl Own {
    /// Those of an introducer's addresses that this member can use. Where they mean this machine,
    /// they become its own address.
    pub(super) fn usable(&self, introducer: &str, found: &[SocketAddr]) -> Vec<SocketAddr> {
        let names = [Some(self.name.clone()), host_name()];
        let machine = Machine { own: self.address, names: &names, is_here };
        let mut usable = Vec::new();
        for address in found.iter().filter(|found| found.is_ipv4() == self.address.is_ipv4()) {
            let is_own = machine.is_meant(introducer, *address);
            let address = if is_own { self.address } else { *address };
            if !usable.contains(&address) {
                usable.push(address);
            }
        }
        usable
    }
}

fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// Whether an interface has this address: ip(7), `EADDRNOTAVAIL`.
fn is_here(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// A machine, as the rule sees it.
struct Machine<'t> {
    own: SocketAddr,
    names: &'t [Option<String>],
    is_here: fn(IpAddr) -> bool,
}

impl Machine<'_> {
    /// Whether an introducer that is found at this address is the machine itself.
    ///
    /// Daemons that share a machine are different members. They have other ports, or each its own
    /// address, which the introducers give as it is. So an address that is given as such means
    /// itself only where no other member can have it.
    fn is_meant(&self, introducer: &str, found: SocketAddr) -> bool {
        let (ip, own) = (found.ip(), self.own.ip());
        if found.port() != self.own.port() {
            return false;
        }
        if ip == own || ip.is_unspecified() || ip.is_loopback() && !own.is_loopback() {
            return true;
        }
        let Some(host) = host(introducer) else { return false };
        match (ip, own) {
            (IpAddr::V4(ip), IpAddr::V4(own)) if ip.is_loopback() => {
                OF_OWN_NAMES.contains(&ip) && ip.octets()[..3] != own.octets()[..3]
            }
            _ => self.is_named(host) && (self.is_here)(ip),
        }
    }

    /// Whether a host has one of the machine's names. The domain is not compared, since one of the
    /// two is often written without.
    fn is_named(&self, host: &str) -> bool {
        let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
        self.names.iter().flatten().any(|name| label(name) == label(host))
    }
}

/// The host of `host:port`, unless that is an address.
fn host(introducer: &str) -> Option<&str> {
    let (host, _) = introducer.rsplit_once(':')?;
    (!host.starts_with('[') && host.parse::<Ipv4Addr>().is_err()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a machine of the name node1 that has the addresses 10.0.0.5, 10.1.0.5 and fd00::5.
    fn is_meant(own: &str, introducer: &str, found: &str) -> bool {
        let names = [Some("node1".to_owned()), None];
        let is_here =
            |ip: IpAddr| ["10.0.0.5", "10.1.0.5", "fd00::5"].contains(&ip.to_string().as_str());
        let machine = Machine { own: own.parse().unwrap(), names: &names, is_here };
        machine.is_meant(introducer, found.parse().unwrap())
    }

    /// Debian's /etc/hosts has the own name under 127.0.1.1, other images under other addresses.
    #[test]
    fn a_loopback_address_means_the_machine_itself() {
        for found in ["127.0.1.1:8946", "127.0.0.2:8946", "127.0.0.1:8946", "0.0.0.0:8946"] {
            assert!(is_meant("10.0.0.5:8946", "node1:8946", found), "{found}");
            assert!(is_meant("10.0.0.5:8946", found, found), "{found}");
        }
        assert!(is_meant("[fd00::5]:8946", "node1:8946", "[::1]:8946"));
        assert!(!is_meant("10.0.0.5:8946", "node1:8947", "127.0.1.1:8947"), "another port");
    }

    #[test]
    fn another_address_of_the_machine_needs_its_name() {
        assert!(is_meant("10.0.0.5:8946", "10.0.0.5:8946", "10.0.0.5:8946"));
        assert!(is_meant("10.0.0.5:8946", "node1:8946", "10.1.0.5:8946"));
        assert!(is_meant("10.0.0.5:8946", "NODE1.fleet.example:8946", "10.1.0.5:8946"));
        assert!(is_meant("[fd00::6]:8946", "node1:8946", "[fd00::5]:8946"));
        assert!(!is_meant("10.0.0.5:8946", "node2:8946", "10.1.0.5:8946"), "another daemon here");
        assert!(!is_meant("10.0.0.5:8946", "10.1.0.5:8946", "10.1.0.5:8946"));
        assert!(!is_meant("10.0.0.5:8946", "node1:8946", "10.0.0.1:8946"), "its name elsewhere");
    }

    /// A fleet on one machine has an address of 127.0.0.0/8 for each member.
    #[test]
    fn members_of_a_fleet_on_loopback_are_not_each_other() {
        for (own, introducer, found, is_own) in [
            ("127.7.0.2:8946", "127.7.0.1:8946", "127.7.0.1:8946", false),
            ("127.7.0.2:8946", "vm1:8946", "127.7.0.1:8946", false),
            ("127.7.0.2:8946", "127.0.1.1:8946", "127.0.1.1:8946", false),
            ("127.0.0.3:8946", "localhost:8946", "127.0.0.1:8946", false),
            ("127.0.0.3:8946", "node2:8946", "127.0.0.2:8946", false),
            ("127.7.0.2:8946", "node1:8946", "127.0.1.1:8946", true),
            ("127.7.0.2:8946", "node1:8946", "127.0.0.2:8946", true),
            ("127.0.0.1:8946", "node1:8946", "127.0.1.1:8946", true),
        ] {
            assert_eq!(is_meant(own, introducer, found), is_own, "{own} {introducer} {found}");
        }
    }
}
