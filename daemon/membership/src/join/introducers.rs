//! The introducers through which a node joins, and what is known of their addresses. It owns both.

use std::net::SocketAddr;

/// The introducers that a node joins through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Introducers {
    addresses: Vec<SocketAddr>,
    others: Others,
}

/// The introducers that are listed without a known address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// There are none: every introducer has an address.
    #[default]
    None,
    /// Their addresses are being looked up. The owner of the node hands in the result soon.
    Pending,
    /// They have no address at present.
    Unresolved,
}

impl Introducers {
    /// Introducers with these addresses, and others without.
    pub fn new(addresses: Vec<SocketAddr>, others: Others) -> Self {
        Introducers { addresses, others }
    }

    /// The known addresses, in the order of asking.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether all introducers have an address.
    pub fn others(&self) -> Others {
        self.others
    }

    /// Whether a node at this address founds the group when nobody answers. It does so if it is an
    /// introducer itself, or if none is listed. An introducer without an address counts as listed:
    /// the group may live behind it.
    pub(crate) fn let_found(&self, own: SocketAddr) -> bool {
        match self.others {
            Others::None => self.addresses.is_empty() || self.addresses.contains(&own),
            Others::Pending => false,
            Others::Unresolved => self.addresses.contains(&own),
        }
    }
}

impl From<Vec<SocketAddr>> for Introducers {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Introducers::new(addresses, Others::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::address;

    /// The list of the settings decides, and not what is left of it after resolving.
    #[test]
    fn a_node_founds_only_if_it_or_nobody_is_listed() {
        let (own, other) = (address(0), address(1));
        for (addresses, others, founds) in [
            (vec![], Others::None, true),
            (vec![own], Others::None, true),
            (vec![other, own], Others::None, true),
            (vec![other], Others::None, false),
            (vec![], Others::Unresolved, false),
            (vec![other], Others::Unresolved, false),
            (vec![own], Others::Unresolved, true),
            (vec![], Others::Pending, false),
            (vec![own], Others::Pending, false),
        ] {
            let introducers = Introducers::new(addresses, others);
            assert_eq!(introducers.let_found(own), founds, "{introducers:?}");
        }
    }
}
