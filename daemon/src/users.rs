//! Finds the names of users by their numbers. [`Users`] owns those that were found lately.
//!
//! The name service may ask a directory over the network and hang. So it runs on a thread of its
//! own, one at a time, and nobody waits for it long. It has the daemon's priority: at the lowest, a
//! busy machine would find no name in time.

use crate::blocking::run;
use crate::lock::lock;
use memberd_transport::Admission;
use nix::unistd::{Uid, User};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long a name is waited for.
const LIMIT: Duration = Duration::from_millis(250);

/// How long a name is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The most names that are remembered.
const MOST: usize = 256;

type Names = BTreeMap<u32, (Instant, Option<String>)>;

/// The names of users.
#[derive(Debug)]
pub struct Users {
    names: Arc<Mutex<Names>>,
    /// The place of the one lookup that runs.
    place: Admission,
    look_up: fn(u32) -> Option<String>,
}

impl Default for Users {
    fn default() -> Self {
        Users::with(look_up)
    }
}

fn look_up(uid: u32) -> Option<String> {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

impl Users {
    fn with(look_up: fn(u32) -> Option<String>) -> Users {
        let place = Admission::unanswered("user names", 1);
        Users { names: Arc::default(), place, look_up }
    }

    /// The name of a user; `None` if there is none, or if it was not found in time.
    pub async fn name(&self, uid: u32) -> Option<String> {
        if let Some((found, name)) = lock(&self.names).get(&uid)
            && found.elapsed() < REMEMBERED
        {
            return name.clone();
        }
        let lookup = async {
            let place = self.place.enter().await;
            let (names, look_up) = (Arc::clone(&self.names), self.look_up);
            let found = run("user-name", move || {
                let name = look_up(uid);
                let mut names = lock(&names);
                if names.len() >= MOST {
                    names.clear();
                }
                names.insert(uid, (Instant::now(), name.clone()));
                drop(place);
                name
            });
            found.await.ok().flatten()
        };
        timeout(LIMIT, lookup).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::nice;

    /// The name, once it was found. A busy machine may need longer than anybody waits for it.
    async fn found(users: &Users, uid: u32) -> Option<String> {
        while !lock(&users.names).contains_key(&uid) {
            users.name(uid).await;
        }
        users.name(uid).await
    }

    #[tokio::test]
    async fn a_name_is_looked_up_at_the_priority_of_the_daemon() {
        let users = Users::with(|_| Some(nice().to_string()));
        assert_eq!(found(&users, 0).await, Some(nice().to_string()));
    }

    #[tokio::test]
    async fn a_user_is_found_and_remembered() {
        let users = Users::default();
        assert_eq!(found(&users, 0).await.as_deref(), Some("root"));
        assert_eq!(found(&users, 4_294_000_000).await, None);
        assert_eq!(lock(&users.names).len(), 2);
        let _taken = users.place.enter().await;
        assert_eq!(users.name(0).await.as_deref(), Some("root"), "without a lookup");
        assert_eq!(users.name(1).await, None, "not in time");
    }
}
