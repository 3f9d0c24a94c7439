//! Checks whether this machine still has its member's address. It owns no state.

use std::io;
use std::net::{IpAddr, UdpSocket};

/// The error text if the machine has lost the address: ip(7), `EADDRNOTAVAIL`. `None` if the
/// machine has the address, or if the check itself fails.
pub(super) fn gone(address: IpAddr) -> Option<String> {
    let error = UdpSocket::bind((address, 0)).err()?;
    let text = format!(
        "{address} is no longer an address of this machine: assign it again, or set node.address \
        and restart memberd"
    );
    (error.kind() == io::ErrorKind::AddrNotAvailable).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_another_machine_is_gone() {
        assert_eq!(gone("127.0.0.9".parse().unwrap()), None);
        let text = gone("192.0.2.1".parse().unwrap()).unwrap();
        assert!(text.starts_with("192.0.2.1 is no longer an address of this machine: "), "{text}");
    }
}
