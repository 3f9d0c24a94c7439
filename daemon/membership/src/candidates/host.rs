//! Which machine an address belongs to, as far as others can tell. Owns nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The machine at an address. Of an IPv6 address only the first 64 bits count, because one machine
/// may use all addresses of such a network: RFC 4291, 2.5.1.
pub(super) fn host_of(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_64_bits_is_one_machine() {
        let host = |address: &str| host_of(address.parse().unwrap());
        assert_eq!(host("[2001:db8:0:1:a::1]:8946"), host("[2001:db8:0:1::2]:1"));
        assert_ne!(host("[2001:db8:0:1::1]:8946"), host("[2001:db8:0:2::1]:8946"));
        assert_eq!(host("192.0.2.1:8946"), host("192.0.2.1:1"));
        assert_ne!(host("192.0.2.1:8946"), host("192.0.2.2:8946"));
    }
}
