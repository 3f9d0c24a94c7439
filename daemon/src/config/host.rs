//! What the settings take from the machine when they do not say it themselves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

/// The facts of a machine that settings default to. A trait so that tests need not run on a certain machine.
pub trait Host {
    /// The host name, as gethostname(2) has it.
    fn name(&self) -> io::Result<String>;
    /// The address that the default route sends from.
    fn address(&self) -> io::Result<IpAddr>;
    /// Whether there is a file at this path.
    fn has_file(&self, path: &Path) -> io::Result<bool>;
}

/// The machine that this runs on.
#[derive(Debug, Clone, Copy)]
pub struct ThisHost;

impl Host for ThisHost {
    fn name(&self) -> io::Result<String> {
        let name = nix::unistd::gethostname()?;
        name.into_string().map_err(|name| io::Error::new(io::ErrorKind::InvalidData, format!("{name:?} is not text")))
    }

    fn address(&self) -> io::Result<IpAddr> {
        address_towards(DOCUMENTATION_V4.into()).or_else(|error| match address_towards(DOCUMENTATION_V6.into()) {
            Ok(address) if !is_link_local(address) => Ok(address),
            Ok(_) | Err(_) => Err(error),
        })
    }

    fn has_file(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }
}

/// RFC 5737: nobody's, so the default route leads there.
const DOCUMENTATION_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// RFC 3849.
const DOCUMENTATION_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The local address that the kernel would send from. Connecting a UDP socket looks the route up and sends nothing, and needs no
/// netlink socket, which the unit's sandbox forbids.
fn address_towards(remote: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((remote, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Whether an address means nothing without the interface it belongs to.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_towards_loopback_is_loopback() {
        assert_eq!(address_towards(Ipv4Addr::LOCALHOST.into()).unwrap(), Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn this_host_has_a_name() {
        assert!(!ThisHost.name().unwrap().is_empty());
    }
}
