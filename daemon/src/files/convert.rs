//! Turns agreed views into those of files. It owns no state.

use memberd_council as council;
use memberd_files::{ClientError, Epoch, ShareKeepers, ShareName};

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
        let keepers = share.keepers.iter().map(|keeper| keeper.name.clone()).collect();
        let keepers =
            ShareKeepers { added: epoch(share.added), since: epoch(share.changed), keepers };
        Some((ShareName::new(share.name.as_str()).ok()?, keepers))
    })
}

/// The number of a view, across recoveries.
pub(super) fn epoch(epoch: council::Epoch) -> Epoch {
    Epoch(epoch.0)
}
