//! Resolves introducers, written `host:port`, to addresses. [`Resolver`] owns the lookups that run,
//! and the newest answer for each name.

mod own;

pub use own::Own;

use memberd_membership::{Introducers, Others};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

/// How long the resolver may take for all names together. They are looked up side by side.
const LIMIT: Duration = Duration::from_secs(5);

/// The most addresses of one name that are used.
const MOST_ADDRESSES: usize = 256;

/// What is known of introducers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Their addresses, in the order of the names.
    pub introducers: Introducers,
    /// One line for each name whose lookup failed.
    pub problems: Vec<String>,
    /// One line for each name that means this machine, under another address than the member's.
    pub own: Vec<String>,
}

impl Resolved {
    /// Logs what has changed.
    pub fn log_news(&self, before: &Resolved) {
        for problem in self.problems.iter().filter(|line| !before.problems.contains(line)) {
            warn!("{problem}");
        }
        for own in self.own.iter().filter(|line| !before.own.contains(line)) {
            info!("{own}");
        }
        if self.problems.is_empty() && !before.problems.is_empty() {
            info!("every introducer has an address again");
        }
    }
}

/// The newest answer for a name.
#[derive(Debug, Default)]
struct Answer {
    /// The addresses of the newest lookup that did not fail.
    addresses: Vec<SocketAddr>,
    /// Why the newest lookup failed.
    problem: Option<String>,
}

/// The addresses of a name.
pub(crate) type Found = io::Result<Vec<SocketAddr>>;

/// Looks names up, again and again. A lookup cannot be stopped (getaddrinfo(3)), so each name has
/// one at a time, however long that hangs.
#[derive(Debug)]
pub struct Resolver {
    look_up: fn(&str) -> Found,
    /// The names, each once.
    names: Vec<String>,
    answers: HashMap<String, Answer>,
    lookups: JoinSet<Found>,
    /// The names of the lookups that run.
    running: HashMap<Id, String>,
    /// The names that this round waits for, and until when.
    waiting: HashSet<String>,
    deadline: Option<Instant>,
}

impl Default for Resolver {
    fn default() -> Self {
        Resolver::by(look_up)
    }
}

impl Resolver {
    /// A resolver that looks a name up like this, on a thread that may block.
    pub(crate) fn by(look_up: fn(&str) -> Found) -> Self {
        Resolver {
            look_up,
            names: Vec::new(),
            answers: HashMap::new(),
            lookups: JoinSet::new(),
            running: HashMap::new(),
            waiting: HashSet::new(),
            deadline: None,
        }
    }

    /// Begins to look these names up. Addresses are known at once, and earlier answers stay until
    /// there are newer ones.
    pub fn begin(&mut self, names: &[String]) {
        self.names.clear();
        self.waiting.clear();
        for name in names {
            if !self.names.contains(name) {
                self.names.push(name.clone());
            }
            if let Ok(address) = name.parse() {
                let answer = Answer { addresses: vec![address], problem: None };
                self.answers.insert(name.clone(), answer);
                continue;
            }
            self.waiting.insert(name.clone());
            if !self.running.values().any(|running| running == name) {
                let (look_up, looked_up) = (self.look_up, name.clone());
                let lookup = self.lookups.spawn_blocking(move || look_up(&looked_up));
                self.running.insert(lookup.id(), name.clone());
            }
        }
        let names = &self.names;
        self.answers.retain(|name, _| names.contains(name));
        self.deadline = Some(Instant::now() + LIMIT);
    }

    /// Waits for the next answer of this round, for [`LIMIT`] from its beginning at most. Returns
    /// false when every name has one.
    pub async fn next(&mut self) -> bool {
        let Some(deadline) = self.deadline.filter(|_| !self.waiting.is_empty()) else {
            return false;
        };
        let (id, found) = match timeout_at(deadline, self.lookups.join_next_with_id()).await {
            Ok(Some(Ok((id, found)))) => (id, found),
            Ok(Some(Err(error))) => (error.id(), Err(io::Error::other(error))),
            Ok(None) | Err(_) => {
                let silent = format!("no answer from the resolver within {} s", LIMIT.as_secs());
                for name in self.waiting.drain() {
                    self.answers.entry(name).or_default().problem = Some(silent.clone());
                }
                return true;
            }
        };
        if let Some(name) = self.running.remove(&id).filter(|name| self.names.contains(name)) {
            self.waiting.remove(&name);
            let answer = self.answers.entry(name).or_default();
            match found {
                Ok(addresses) => *answer = Answer { addresses, problem: None },
                Err(error) => answer.problem = Some(error.to_string()),
            }
        }
        true
    }

    async fn resolve(mut self, names: &[String], own: &Own) -> Resolved {
        self.begin(names);
        while self.next().await {}
        self.resolved(own)
    }

    /// What is known now. Only addresses of the family of the member's own are kept.
    pub fn resolved(&self, own: &Own) -> Resolved {
        let (mut addresses, mut others) = (Vec::new(), Others::None);
        let mut resolved = Resolved::default();
        for name in &self.names {
            let Some(answer) = self.answers.get(name) else {
                others = Others::Pending;
                continue;
            };
            let usable: Vec<SocketAddr> = own.usable(name, &answer.addresses);
            if answer.addresses != usable && usable.contains(&own.address) {
                let own = format!("introducer {name} is this machine itself");
                resolved.own.push(own);
            }
            let family = if own.address.is_ipv4() { "IPv4" } else { "IPv6" };
            let unusable = || format!("no {family} address, and this member uses {family}");
            let problem = answer.problem.clone().or_else(|| usable.is_empty().then(unusable));
            resolved.problems.extend(problem.map(|why| format!("introducer {name}: {why}")));
            if usable.is_empty() && others == Others::None {
                others = Others::Unresolved;
            }
            addresses.extend(usable);
        }
        resolved.introducers = Introducers::new(addresses, others);
        resolved
    }
}

fn look_up(name: &str) -> Found {
    Ok(name.to_socket_addrs()?.take(MOST_ADDRESSES).collect())
}

/// Resolves `host:port` names once.
pub async fn resolve(names: &[String], own: &Own) -> Resolved {
    Resolver::default().resolve(names, own).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(address: &str) -> Own {
        Own { address: address.parse().unwrap(), name: "vm1".to_owned() }
    }

    /// A resolver that knows two names.
    fn resolver() -> Resolver {
        Resolver::by(|name| match name {
            "vm1:8946" => Ok(vec!["127.0.1.1:8946".parse().unwrap()]),
            "vm2:8946" => Ok(vec!["192.0.2.2:8946".parse().unwrap()]),
            _ => Err(io::Error::other("no such name")),
        })
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Addresses need no resolver, so nothing waits for one.
    #[tokio::test]
    async fn addresses_are_known_at_once_and_names_later() {
        let mut resolver = resolver();
        resolver.begin(&names(&["192.0.2.1:8946", "vm2:8946", "[::1]:8946"]));
        let resolved = resolver.resolved(&own("192.0.2.9:8946"));
        let known = vec!["192.0.2.1:8946".parse().unwrap()];
        assert_eq!(resolved.introducers, Introducers::new(known, Others::Pending));
        assert_eq!(
            resolved.problems,
            ["introducer [::1]:8946: no IPv4 address, and this member uses IPv4"]
        );
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_reported() {
        let resolved =
            resolver().resolve(&names(&["192.0.2.1:8946", "no:1"]), &own("192.0.2.9:8946")).await;
        assert_eq!(resolved.introducers.others(), Others::Unresolved);
        assert_eq!(resolved.introducers.addresses().len(), 1);
        assert_eq!(resolved.problems, ["introducer no:1: no such name"]);
        let none = resolver().resolve(&[], &own("192.0.2.9:8946")).await;
        assert_eq!(none, Resolved::default());
    }

    /// The name server went away, but the machine is most likely where it was.
    #[tokio::test]
    async fn an_address_stays_when_a_later_lookup_fails() {
        let mut resolver = resolver();
        let name = names(&["no:1"]);
        resolver.begin(&name);
        let address = "192.0.2.1:1".parse().unwrap();
        resolver.answers.entry(name[0].clone()).or_default().addresses = vec![address];
        while resolver.next().await {}
        let resolved = resolver.resolved(&own("192.0.2.9:8946"));
        assert_eq!(resolved.introducers, Introducers::from(vec![address]));
        assert_eq!(resolved.problems.len(), 1, "{resolved:?}");
        resolver.begin(&[]);
        assert_eq!(resolver.resolved(&own("192.0.2.9:8946")), Resolved::default());
    }

    /// A resolver that hangs costs one thread a name, and [`LIMIT`] a round.
    #[tokio::test]
    async fn a_lookup_that_hangs_is_not_started_again() {
        let mut resolver = resolver();
        let name = names(&["hangs:1"]);
        let hanging = resolver.lookups.spawn(std::future::pending());
        resolver.running.insert(hanging.id(), name[0].clone());
        for _ in 0..3 {
            resolver.begin(&name);
            // The limit is over at once.
            resolver.deadline = Some(Instant::now());
            while resolver.next().await {}
            assert_eq!(resolver.lookups.len(), 1);
        }
        let resolved = resolver.resolved(&own("192.0.2.9:8946"));
        assert_eq!(resolved.introducers, Introducers::new(Vec::new(), Others::Unresolved));
        assert_eq!(
            resolved.problems,
            ["introducer hangs:1: no answer from the resolver within 5 s"]
        );
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_the_members_own_address() {
        let own = own("192.0.2.9:8946");
        let resolved = resolver().resolve(&names(&["vm1:8946", "vm2:8946"]), &own).await;
        let expected = vec![own.address, "192.0.2.2:8946".parse().unwrap()];
        assert_eq!(resolved.introducers, Introducers::from(expected));
        assert_eq!(resolved.own, ["introducer vm1:8946 is this machine itself"]);
    }
}
