//! Passes the agreed views on to the task of files. It owns no state.

use crate::agreement::{Command, Handle};
use memberd_council::View;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the council may take to confirm a view.
const LIMIT: Duration = Duration::from_secs(5);

/// The pause before it is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// The views of this machine; nothing before one is confirmed.
pub(super) type Views = Option<Arc<View>>;

/// Passes on each view, until nobody looks any more or the agreement ends. The first is one that a
/// majority of the council has confirmed after the start of this process: what a lost disk had
/// promised is forgotten, so an older view could undo it.
pub(super) async fn follow(agreement: Handle, views: watch::Sender<Views>) {
    while !is_confirmed(&agreement).await {
        if views.is_closed() {
            return;
        }
        sleep(PAUSE).await;
    }
    let mut shown = agreement.shown().clone();
    loop {
        let view = Arc::clone(&shown.borrow_and_update().view);
        views.send_if_modified(|old| {
            let differs = old.as_ref().is_none_or(|old| !Arc::ptr_eq(old, &view));
            if differs {
                *old = Some(view);
            }
            differs
        });
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return },
            () = views.closed() => return,
        }
    }
}

async fn is_confirmed(agreement: &Handle) -> bool {
    let confirmed = timeout(LIMIT, agreement.ask(Command::Confirm)).await;
    confirmed.is_ok_and(|confirmed| confirmed.is_ok_and(|said| said.majority))
}
