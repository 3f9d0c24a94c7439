//! Proposes to the council that keepers are whole: [`Fills`] owns what a view does not say yet.

use super::convert;
use crate::agreement;
use crate::membership::Ended;
use memberd_council::{self as council, ShareChange, View};
use memberd_files::{Epoch, ShareName};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a proposal may take until it is made again, and the pause after one that failed.
const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(2);

/// The most keepers that wait: those of all shares that a view can have.
const MOST: usize = View::MAX_SHARES * 3;

/// The keepers that are known to be whole, as long as the view does not say so.
#[derive(Debug)]
pub(super) struct Fills {
    agreement: agreement::Handle,
    /// Who, and in which view it was known.
    whole: BTreeMap<(ShareName, Name), Wish>,
}

#[derive(Debug)]
struct Wish {
    epoch: Epoch,
    asked: Option<JoinHandle<()>>,
}

impl Drop for Wish {
    fn drop(&mut self) {
        if let Some(asked) = &self.asked {
            asked.abort();
        }
    }
}

impl Fills {
    pub(super) fn new(agreement: agreement::Handle) -> Fills {
        Fills { agreement, whole: BTreeMap::new() }
    }

    /// A keeper is whole, as it is known in this view.
    pub(super) fn add(&mut self, share: ShareName, keeper: Name, epoch: Epoch) {
        if self.whole.len() < MOST || self.whole.contains_key(&(share.clone(), keeper.clone())) {
            self.whole.insert((share, keeper), Wish { epoch, asked: None });
        }
    }

    /// Proposes what this view does not say, and forgets what it says or has no keeper for.
    pub(super) fn propose(&mut self, view: &View) {
        let agreement = &self.agreement;
        self.whole.retain(|(share, name), wish| {
            let Some(change) = change(view, share, name, wish.epoch) else { return false };
            if wish.asked.as_ref().is_none_or(JoinHandle::is_finished) {
                wish.asked = Some(tokio::spawn(ask(agreement.clone(), change)));
            }
            true
        });
    }
}

/// Asks until the council has settled it. A receiver that is dropped abandons the change.
async fn ask(agreement: agreement::Handle, change: ShareChange) {
    loop {
        let change = change.clone();
        let change = |reply| agreement::Command::ChangeShare { change, reply };
        if let Ok(Ok(Ok(_)) | Err(Ended)) = timeout(LIMIT, agreement.ask(change)).await {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// What is to be proposed for a keeper that was known to be whole in this epoch. Nothing if the
/// view calls it whole, or if it was replaced and came back since.
fn change(view: &View, share: &ShareName, name: &Name, epoch: Epoch) -> Option<ShareChange> {
    let known = convert::council_name(share).ok()?;
    let keepers = &view.share(&known)?.keepers;
    let keeper = keepers.iter().find(|keeper| keeper.name == *name)?;
    let is_it = !keeper.whole && keeper.since <= council::Epoch(epoch.0);
    is_it.then(|| ShareChange::Fill { name: known, keeper: name.clone(), since: keeper.since })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_council::{Keeper, Share};

    #[test]
    fn only_a_keeper_that_is_not_known_to_be_whole_is_proposed() {
        let name = |name: &str| Name::new(name).unwrap();
        let share = ShareName::new("s").unwrap();
        let keeper = |text: &str, since: u64, whole| Keeper {
            name: name(text),
            since: council::Epoch(since),
            whole,
        };
        let mut view = View::genesis(&[name("a")]);
        view.shares = vec![Share {
            name: convert::council_name(&share).unwrap(),
            added: council::Epoch(1),
            changed: council::Epoch(7),
            keepers: vec![keeper("a", 1, true), keeper("b", 7, false)],
        }];
        let proposed = |of: &str, epoch| change(&view, &share, &name(of), Epoch(epoch));
        assert_eq!(proposed("a", 9), None, "the view says so");
        assert_eq!(proposed("b", 6), None, "it was another one then");
        assert_eq!(proposed("c", 9), None, "it is none any more");
        let Some(ShareChange::Fill { since, .. }) = proposed("b", 8) else { panic!("nothing") };
        assert_eq!(since, council::Epoch(7));
    }
}
