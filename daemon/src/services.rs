//! What requests are carried out with.

use crate::log::Log;
use crate::membership::Handle;
use crate::search::Searches;
use crate::search::greps::Greps;
use memberd_transport::peer::call::Caller;
use std::sync::{Arc, RwLock};
use tokio::sync::Semaphore;

/// The daemon, as requests see it.
#[derive(Debug)]
pub struct Context {
    /// The way to the group.
    pub membership: Handle,
    /// Calls other members, from this member's address.
    pub caller: Caller,
    /// The introducers of the settings.
    pub introducers: RwLock<Vec<String>>,
    /// What the last reload did not take in, if anything.
    pub not_reloaded: RwLock<Option<&'static str>>,
    /// What is logged.
    pub log: Log,
    /// The greps of clients.
    pub greps: Greps,
    /// The searches of this machine's logs.
    pub searches: Arc<Searches>,
    /// One for each connection that greps may hold open to a member until all members are done.
    pub held: Arc<Semaphore>,
}

impl Context {
    /// The introducers of the settings, as they are now.
    pub fn introducers(&self) -> Vec<String> {
        // A poisoned lock holds a whole list nevertheless: it is only ever replaced.
        self.introducers.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// What is wrong besides the membership, in words for the status: what the last reload did not
    /// take in, and logs that cannot be written.
    pub fn warnings(&self) -> Vec<String> {
        let what = *self.not_reloaded.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let reload = what.map(|what| {
            format!(
                "the last reload did not take in the {what}, and the old ones stay \
            in force: the log says why"
            )
        });
        reload.into_iter().chain(self.log.troubles()).collect()
    }

    /// Notes what the last reload did not take in.
    pub fn set_not_reloaded(&self, what: Option<&'static str>) {
        *self.not_reloaded.write().unwrap_or_else(std::sync::PoisonError::into_inner) = what;
    }

    /// Other introducers from now on.
    pub fn set_introducers(&self, introducers: Vec<String>) {
        *self.introducers.write().unwrap_or_else(std::sync::PoisonError::into_inner) = introducers;
    }
}
