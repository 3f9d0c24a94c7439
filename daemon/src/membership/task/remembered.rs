//! The members that this one remembers from before, to ask them at the next join. It owns their
//! addresses, and which of them were forgotten since.

use std::collections::HashSet;
use std::net::SocketAddr;

/// How many each attempt to join asks before the others.
const FIRST: usize = 8;

/// So many are dropped in one pass, since an operator may have thousands forgotten at once.
const AT_ONCE: usize = 1_024;

/// The addresses, in the order in which they are asked.
#[derive(Debug)]
pub(super) struct Remembered {
    addresses: Vec<SocketAddr>,
    forgotten: HashSet<SocketAddr>,
}

impl Remembered {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        Remembered { addresses, forgotten: HashSet::new() }
    }

    /// The member at this address is not asked any more.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.forgotten.insert(address);
        if self.forgotten.len() >= AT_ONCE {
            self.drop_forgotten();
        }
    }

    /// All addresses. Each attempt asks others first.
    pub(super) fn next(&mut self) -> Vec<SocketAddr> {
        self.drop_forgotten();
        let part = self.addresses.len().min(FIRST);
        self.addresses.rotate_left(part);
        self.addresses.clone()
    }

    fn drop_forgotten(&mut self) {
        let forgotten = std::mem::take(&mut self.forgotten);
        self.addresses.retain(|address| !forgotten.contains(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_come_first_each_time_and_the_forgotten_never() {
        let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        let mut remembered = Remembered::new((1..=2_000).map(at).collect());
        assert_eq!(remembered.next()[0], at(9));
        for port in 10..=2_000 {
            remembered.forget(at(port));
            assert!(remembered.forgotten.len() < AT_ONCE);
        }
        let next = remembered.next();
        assert_eq!(next.len(), 9);
        assert!(next.iter().all(|address| address.port() < 10));
        assert_ne!(next, remembered.next());
    }
}
