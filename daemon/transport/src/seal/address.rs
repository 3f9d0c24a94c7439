//! The bytes of an address in what is authenticated: in datagrams and in handshakes alike.

use std::net::{IpAddr, SocketAddr};

/// Bytes of an address with its port.
pub(super) const ADDRESS_BYTES: usize = 18;

/// Sixteen bytes of address (IPv4 is mapped into IPv6, RFC 4291) and two of port, in network order.
pub(super) fn address_bytes(address: SocketAddr) -> [u8; ADDRESS_BYTES] {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut bytes = [0; ADDRESS_BYTES];
    bytes[..16].copy_from_slice(&ip.octets());
    bytes[16..].copy_from_slice(&address.port().to_be_bytes());
    bytes
}
