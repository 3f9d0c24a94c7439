//! The greps of this daemon's clients. It owns the register of the running ones.

use super::audit::shorten;
use crate::lock::lock;
use memberd_control::grep::GrepRequest;
use memberd_control::message::RunningGrep;
use memberd_control::socket::Access;
use memberd_transport::{Admission, Full, Permit, Source};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// The running greps, and their limit.
#[derive(Debug)]
pub struct Greps {
    places: Admission,
    /// The places for clients of the search socket, who need one of each.
    search_places: Admission,
    running: Mutex<Register>,
}

/// Counts of greps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrepCounts {
    /// Greps since the daemon started.
    pub started: u64,
    /// Greps that run now.
    pub running: u64,
}

#[derive(Debug, Default)]
struct Register {
    started: u64,
    running: BTreeMap<u64, (String, Instant)>,
}

/// An entry in the register, held as long as its grep runs.
#[derive(Debug)]
pub(crate) struct GrepGuard<'greps> {
    greps: &'greps Greps,
    number: u64,
    _places: (Option<Permit>, Permit),
}

impl Greps {
    /// A register for at most `limit` concurrent greps of one user. All users together have at most
    /// twice as many, so that one of them leaves places for the others. All who may only search
    /// have at most half as many together.
    pub fn new(limit: usize) -> Self {
        let answer = |_| {
            "too many greps are under way from this machine: end one of them, or raise \
            limits.greps in its settings"
                .to_owned()
        };
        let share_answer = |taken| {
            format!(
                "you have {taken} greps under way from this machine, as many as a user may (one \
                that waits in a pager counts): end one, or raise limits.greps in its settings"
            )
        };
        let places = Admission::new("greps", limit.saturating_mul(2), answer).shared(share_answer);
        let search_answer = |taken| {
            format!(
                "users who may only search have {taken} greps under way from this machine, as many \
                as they may together: end one, or raise limits.greps in its settings"
            )
        };
        let search_places = Admission::new("greps of search", (limit / 2).max(1), search_answer)
            .shared(share_answer);
        Greps { places, search_places, running: Mutex::default() }
    }

    /// Enters a grep of this user that begins, at a socket with this access. It runs until the
    /// guard is dropped.
    ///
    /// # Errors
    /// When as many greps run as may.
    pub(crate) fn enter(
        &self,
        request: &GrepRequest,
        user: Source,
        access: Access,
    ) -> Result<GrepGuard<'_>, Full> {
        let is_search = access == Access::Search;
        let search_place = is_search.then(|| self.search_places.try_enter_as(user)).transpose()?;
        let place = self.places.try_enter_as(user)?;
        let pattern = shorten(&request.pattern);
        let mut register = self.register();
        register.started += 1;
        let number = register.started;
        register.running.insert(number, (pattern, Instant::now()));
        Ok(GrepGuard { greps: self, number, _places: (search_place, place) })
    }

    /// The greps that run, the oldest first. Only clients with full access see the patterns.
    pub(crate) fn running(&self, access: Access) -> Vec<RunningGrep> {
        let record = |(pattern, began): &(String, Instant)| RunningGrep {
            pattern: (access == Access::Full).then(|| pattern.clone()),
            running_for: memberd_membership::millis(began.elapsed()),
        };
        self.register().running.values().map(record).collect()
    }

    /// The counts of greps.
    pub fn counts(&self) -> GrepCounts {
        let register = self.register();
        GrepCounts {
            started: register.started,
            running: u64::try_from(register.running.len()).unwrap_or(u64::MAX),
        }
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        lock(&self.running)
    }
}

impl Drop for GrepGuard<'_> {
    fn drop(&mut self) {
        self.greps.register().running.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One user has as many greps as the settings allow, and another finds places beside them.
    #[test]
    fn a_user_with_many_greps_leaves_places_for_others() {
        for limit in [1, 2, 16] {
            let (greps, request) = (Greps::new(limit), GrepRequest::default());
            let enter = |uid| greps.enter(&request, Source::User(uid), Access::Full);
            let running: Vec<_> = (0..limit).map(|_| enter(1).unwrap()).collect();
            let words = enter(1).unwrap_err().to_string();
            assert!(words.starts_with(&format!("you have {limit} greps")), "{words}");
            let other = enter(2).unwrap();
            assert_eq!(greps.counts().running, u64::try_from(limit + 1).unwrap());
            drop((running, other));
        }
    }
    /// However many they are, together they have half of what one other user may have.
    #[test]
    fn users_who_may_only_search_take_few_places() {
        for (limit, most) in [(1, 1), (2, 1), (16, 8)] {
            let (greps, request) = (Greps::new(limit), GrepRequest::default());
            let enter = |uid, access| greps.enter(&request, Source::User(uid), access);
            let many = (0..100).filter_map(|uid| enter(uid, Access::Search).ok());
            let running: Vec<_> = many.collect();
            assert_eq!(running.len(), most);
            let words = enter(100, Access::Search).unwrap_err().to_string();
            assert!(words.starts_with("users who may only search have "), "{words}");
            drop((enter(100, Access::Full).unwrap(), running));
            assert!(enter(100, Access::Search).is_ok());
        }
    }
}
