//! The state machine of each machine, with its names and clocks in the world's terms. It owns no
//! state beyond it.

use super::ring::{Entry, Standing as InList};
use memberd_council::{
    BootTime, Council, Durable, Identity, Incarnation, Mutant, Name, Now, Origin, Settings,
    Standing, StandingState, VoterId, WallTime,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Machine `i`'s name.
pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

/// The machine of a name.
pub fn index(name: &Name) -> usize {
    name.as_str().strip_prefix("vm").and_then(|number| number.parse().ok()).unwrap()
}

/// Machine `i` in one of its incarnations.
pub fn identity(i: usize, incarnation: u64) -> Identity {
    let [_, b, c, d] = u32::try_from(i + 1).unwrap().to_be_bytes();
    let address = SocketAddr::from((Ipv4Addr::new(10, b, c, d), 8946));
    Identity { name: name(i), address, incarnation: Incarnation(incarnation) }
}

/// The time as a machine sees it.
pub fn moment(boot: Duration, wall: u64) -> Now {
    Now { boot: BootTime::from_epoch(boot), wall: WallTime(wall) }
}

/// What a fleet is set to.
#[derive(Debug, Clone)]
pub struct Setup {
    pub settings: Settings,
    /// The machines that may not vote.
    pub without_vote: Vec<usize>,
}

impl Setup {
    pub fn new(council: usize, initial: &[usize], mutant: Option<Mutant>) -> Self {
        let initial_council = initial.iter().map(|i| name(*i)).collect();
        let settings = Settings { council, initial_council, mutant, ..Settings::default() };
        Setup { settings, without_vote: Vec::new() }
    }

    /// The state machine of a process that has just begun.
    pub fn begin(&self, i: usize, file: Option<Durable>, fresh: u128, now: Now) -> Council {
        let settings = Settings { vote: !self.without_vote.contains(&i), ..self.settings.clone() };
        let origin = match file {
            Some(durable) => Origin::File(Box::new(durable)),
            None => Origin::Fresh(VoterId(fresh)),
        };
        Council::new(settings, name(i), origin, now)
    }
}

/// A list as the state machine is shown it.
pub fn standings(list: &[Option<Entry>]) -> Vec<Standing> {
    let of = |(i, entry): (usize, &Option<Entry>)| {
        let entry = (*entry)?;
        let state = match entry.standing {
            InList::Up => StandingState::Alive,
            InList::Failed => StandingState::Failed,
            InList::Left => StandingState::Left,
        };
        let identity = identity(i, entry.incarnation);
        Some(Standing { identity, state, zone: None, suspected: false })
    };
    list.iter().enumerate().filter_map(of).collect()
}
