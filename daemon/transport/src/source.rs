//! Whom work is counted for, so that places can be shared out. Owns nothing.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Whom a place is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody in particular.
    Anyone,
    /// A machine. Of an IPv6 address only the first 64 bits count, because one machine may use all
    /// addresses of such a network: RFC 4291, 2.5.1.
    Machine(IpAddr),
    /// A user of this machine, as the kernel names it: `SO_PEERCRED` of unix(7).
    User(u32),
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            IpAddr::V4(address) => Source::Machine(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Source::Machine(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Source::Anyone => formatter.write_str("anyone"),
            Source::Machine(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Source::Machine(IpAddr::V6(network)) => write!(formatter, "{network}/64"),
            Source::User(uid) => write!(formatter, "user {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_its_address_or_its_network() {
        for (address, source) in [
            ("192.0.2.7:80", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]:8946", "2001:db8:1:2::/64"),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(Source::from(address).to_string(), source);
        }
    }
}
