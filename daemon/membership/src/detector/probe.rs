//! Probes: what a monitor asks after a missed heartbeat. It owns no state.

use crate::context::Context;
use crate::identity::{Incarnation, Name};
use crate::members::Members;
use crate::message::Body;
use crate::ring::Ring;
use std::net::SocketAddr;

/// Probes a member and its other monitors after a missed heartbeat. An answer can move the
/// deadline, but silence cannot.
pub(super) fn probe_all(
    name: &Name,
    incarnation: Incarnation,
    members: &Members,
    context: &mut Context,
) {
    let monitors = Ring::of_up(members).monitors(name, context.monitors_wanted());
    let monitors: Vec<SocketAddr> =
        monitors.into_iter().map(|entry| entry.identity.address).collect();
    context.counters.probe_rounds += 1;
    for address in monitors {
        context.send(address, Body::Probe { name: name.clone(), incarnation });
    }
    probe(name, incarnation, members, context);
}

/// Asks a member itself for a heartbeat.
pub(crate) fn probe(
    name: &Name,
    incarnation: Incarnation,
    members: &Members,
    context: &mut Context,
) {
    let entry = members.get(name).filter(|entry| entry.identity.incarnation == incarnation);
    if let Some(entry) = entry {
        context.send(entry.identity.address, Body::Probe { name: name.clone(), incarnation });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, address, identity, name};

    #[test]
    fn the_member_and_all_its_other_monitors_are_probed() {
        let mut fixture = Fixture::new(5);
        let incarnation = identity(1).incarnation;
        probe_all(&name(1), incarnation, &fixture.members, &mut fixture.context);
        let mut to: Vec<SocketAddr> = fixture.sent().into_iter().map(|(to, _)| to).collect();
        to.sort();
        assert_eq!(to, [1, 2, 3, 4].map(address));
        assert_eq!(fixture.context.counters.probe_rounds, 1);
    }
}
