//! Proposes to the council that keepers are whole, or have lost their disks: [`Fills`] owns what a
//! view does not say yet.

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

/// The keepers that are known to be whole or not, as long as the view does not say so.
#[derive(Debug)]
pub(super) struct Fills {
    agreement: agreement::Handle,
    /// Who, and in which view it was known.
    known: BTreeMap<(ShareName, Name), Wish>,
}

#[derive(Debug)]
struct Wish {
    epoch: Epoch,
    is_whole: bool,
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
        Fills { agreement, known: BTreeMap::new() }
    }

    /// A keeper is whole or not, as it is known in this view. False if that is known already.
    pub(super) fn add(&mut self, keeper: (ShareName, Name), epoch: Epoch, is_whole: bool) -> bool {
        let has_room = self.known.len() < MOST || self.known.contains_key(&keeper);
        match self.known.get_mut(&keeper) {
            Some(known) if known.is_whole == is_whole => {
                known.epoch = epoch;
                false
            }
            _ if has_room => {
                self.known.insert(keeper, Wish { epoch, is_whole, asked: None });
                true
            }
            _ => false,
        }
    }

    /// Proposes what this view does not say, and forgets what it says or has no keeper for.
    pub(super) fn propose(&mut self, view: &View) {
        let agreement = &self.agreement;
        self.known.retain(|(share, name), wish| {
            let known = (wish.epoch, wish.is_whole);
            let Some(change) = change(view, share, name, known) else { return false };
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

/// What is to be proposed for a keeper that was known to be whole or not in this epoch. Nothing if
/// the view says the same, or if it was replaced and came back since.
fn change(
    view: &View,
    share: &ShareName,
    name: &Name,
    (epoch, is_whole): (Epoch, bool),
) -> Option<ShareChange> {
    let known = convert::council_name(share).ok()?;
    let keepers = &view.share(&known)?.keepers;
    let keeper = keepers.iter().find(|keeper| keeper.name == *name)?;
    if keeper.whole == is_whole || keeper.since > council::Epoch(epoch.0) {
        return None;
    }
    let (name, keeper, since) = (known, name.clone(), keeper.since);
    Some(if is_whole {
        ShareChange::Fill { name, keeper, since }
    } else {
        ShareChange::Lose { name, keeper, since }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_council::{Keeper, Share};

    #[test]
    fn only_what_a_view_does_not_say_is_proposed() {
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
            wanted: council::KeeperCount::THREE,
            keepers: vec![keeper("a", 1, true), keeper("b", 7, false)],
        }];
        let known = |of: &str, known| change(&view, &share, &name(of), known);
        let proposed = |of, epoch| known(of, (Epoch(epoch), true));
        assert_eq!(proposed("a", 9), None, "the view says so");
        assert_eq!(proposed("b", 6), None, "it was another one then");
        assert_eq!(proposed("c", 9), None, "it is none any more");
        let Some(ShareChange::Fill { since, .. }) = proposed("b", 8) else { panic!("nothing") };
        assert_eq!(since, council::Epoch(7));
        assert_eq!(known("b", (Epoch(8), false)), None, "the view takes it for none");
        let lost = known("a", (Epoch(8), false));
        assert!(matches!(lost, Some(ShareChange::Lose { since: council::Epoch(1), .. })));
    }
}
