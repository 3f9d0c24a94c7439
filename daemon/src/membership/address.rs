//! Whether this machine still has the address at which the others reach its member.

use std::io;
use std::net::{IpAddr, UdpSocket};

/// What to say if the address is gone: ip(7), `EADDRNOTAVAIL`. Nothing if it is there, or that
/// cannot be found out.
pub(super) fn gone(address: IpAddr) -> Option<String> {
    let error = UdpSocket::bind((address, 0)).err()?;
    let words = format!(
        "{address} is no address of this machine any more: give it back, or set node.address and \
        restart memberd"
    );
    (error.kind() == io::ErrorKind::AddrNotAvailable).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_machine_is_told_and_one_of_this_is_not() {
        assert_eq!(gone("127.0.0.9".parse().unwrap()), None);
        let words = gone("192.0.2.1".parse().unwrap()).unwrap();
        assert!(words.starts_with("192.0.2.1 is no address of this machine any more: "), "{words}");
    }
}
