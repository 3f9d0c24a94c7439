//! Turns agreed views into those of files. It owns no state.

use super::members::Peers;
use memberd_council as council;
use memberd_files::{ClientError, Epoch, FilesView, MemberOfView, ShareKeepers, ShareName};

/// A view as files need it. The zones are those of the list, where it knows the same life of a
/// member: they only spread copies.
pub(super) fn files_view(view: &council::View, peers: &Peers) -> FilesView {
    let members = view.members.iter().map(|member| {
        let listed = peers.get(&member.name);
        let listed = listed.filter(|peer| peer.incarnation == member.incarnation);
        let zone = listed.and_then(|peer| peer.zone.clone());
        (member.name.clone(), MemberOfView { zone })
    });
    FilesView {
        epoch: epoch(view.epoch()),
        members: members.collect(),
        shares: shares(view).collect(),
    }
}

/// The name of a share, as views have it.
///
/// # Errors
/// None in practice: both names have the same grammar.
pub(super) fn council_name(name: &ShareName) -> Result<council::ShareName, ClientError> {
    council::ShareName::new(name.as_str()).map_err(|_| ClientError::OutOfBounds)
}

/// The shares of a view.
pub(super) fn shares(view: &council::View) -> impl Iterator<Item = (ShareName, ShareKeepers)> + '_ {
    view.shares.iter().filter_map(|share| {
        let joined = |keeper: &council::Keeper| (keeper.name.clone(), epoch(keeper.since));
        let whole = share.keepers.iter().filter(|keeper| keeper.whole);
        let keepers = ShareKeepers {
            added: epoch(share.added),
            since: epoch(share.changed),
            keepers: share.keepers.iter().map(|keeper| keeper.name.clone()).collect(),
            joined: share.keepers.iter().map(joined).collect(),
            whole: whole.map(|keeper| keeper.name.clone()).collect(),
        };
        Some((ShareName::new(share.name.as_str()).ok()?, keepers))
    })
}

/// The number of a view, across recoveries.
pub(super) fn epoch(epoch: council::Epoch) -> Epoch {
    Epoch(epoch.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::members::{Standing, peer_at};
    use memberd_council::{Identity, Keeper, Share, View};
    use memberd_membership::{Incarnation, Name};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A zone of an earlier life may be another one.
    #[test]
    fn a_view_has_its_shares_and_the_zones_of_the_list() {
        let name = |name: &str| Name::new(name).unwrap();
        let address = "127.0.0.1:1".parse().unwrap();
        let member = |text: &str, life: u64| Identity {
            name: name(text),
            address,
            incarnation: Incarnation(life),
        };
        let mut view = View::genesis(&[name("a")]);
        view.members = vec![member("a", 1), member("b", 2)];
        let at = council::Epoch;
        let keeper = Keeper { name: name("a"), since: at(3), whole: true };
        view.shares = vec![Share {
            name: council::ShareName::new("spark").unwrap(),
            added: at(3),
            changed: at(5),
            wanted: council::KeeperCount::THREE,
            keepers: vec![keeper],
        }];
        let mut peers = BTreeMap::new();
        for one in ["a", "b"] {
            let mut peer = peer_at(address, Standing::Up);
            peer.zone = Some("z".to_owned());
            peers.insert(name(one), peer);
        }
        let seen = files_view(&view, &Arc::new(peers));
        assert_eq!(seen.members[&name("a")].zone.as_deref(), Some("z"));
        assert_eq!(seen.members[&name("b")].zone, None);
        let share = &seen.shares[&ShareName::new("spark").unwrap()];
        assert_eq!((share.added, share.since), (Epoch(3), Epoch(5)));
        assert_eq!(share.keepers, [name("a")]);
        assert_eq!((share.joined(&name("a")), share.whole.len()), (Epoch(3), 1));
    }
}
