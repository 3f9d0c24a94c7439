//! A small fleet without delays: founding, elections, hand-overs, leaves, claims and recovery. The
//! simulator beside this crate has faults, delays and disks.

mod refusals;

use super::*;
use crate::event::LossReason;
use crate::view::{Lineage, ViewNumber, VoterId};
use memberd_membership::{Identity, Incarnation, WallTime};
use std::time::Duration;

mod asking;
mod bounds;
mod elections;
mod freezing;
mod lists;
mod shares;

const MS: Duration = Duration::from_millis(1);

fn name(index: usize) -> Name {
    Name::new(&format!("vm{index}")).unwrap()
}

/// Machines on a network without delay. What is written is durable at once.
struct Fleet {
    councils: Vec<Option<Council>>,
    now: Now,
    events: Vec<(usize, Event)>,
    /// Whether owners say at once that nothing runs under a lost term.
    lets_go: bool,
    /// Whose writes never end.
    full: Option<usize>,
    /// What each has durably.
    files: Vec<Option<Durable>>,
    /// Between whom nothing passes.
    cut: Vec<(usize, usize)>,
    /// All messages: when, from whom, to whom.
    sent: Vec<(BootTime, usize, Name, Body)>,
    incarnations: Vec<u64>,
}

impl Fleet {
    fn new(size: usize, founders: usize) -> Self {
        let boot = BootTime::from_epoch(Duration::from_secs(1_000));
        let now = Now { boot, wall: WallTime(1_763_688_000_000) };
        let initial_council: Vec<Name> = (0..founders).map(name).collect();
        let settings = Settings { initial_council, ..Settings::default() };
        let council = |index: usize| {
            let voter = VoterId(index as u128 + 1);
            Some(Council::new(settings.clone(), name(index), Origin::Fresh(voter), now))
        };
        let councils = (0..size).map(council).collect();
        let mut fleet = Fleet {
            councils,
            now,
            events: Vec::new(),
            lets_go: true,
            full: None,
            files: vec![None; size],
            cut: Vec::new(),
            sent: Vec::new(),
            incarnations: (1..=size as u64).collect(),
        };
        fleet.carry_out();
        fleet.show_lists();
        fleet
    }

    fn show_lists(&mut self) {
        let up: Vec<bool> = self.councils.iter().map(Option::is_some).collect();
        for index in 0..up.len() {
            self.show_list(index, &up);
        }
    }

    fn show_list(&mut self, to: usize, up: &[bool]) {
        let standing = |(index, up): (usize, &bool)| Standing {
            identity: Identity {
                name: name(index),
                address: format!("192.0.2.{}:8946", index + 1).parse().unwrap(),
                incarnation: Incarnation(self.incarnations[index]),
            },
            state: if *up { StandingState::Alive } else { StandingState::Failed },
            zone: None,
            suspected: false,
        };
        let list: Vec<Standing> = up.iter().enumerate().map(standing).collect();
        self.give(to, |council, now| council.handle_list(now, &list));
    }

    fn give(&mut self, index: usize, input: impl FnOnce(&mut Council, Now)) {
        let now = self.now;
        if let Some(council) = &mut self.councils[index] {
            input(council, now);
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let mut busy = true;
        while std::mem::take(&mut busy) {
            for index in 0..self.councils.len() {
                while let Some(output) =
                    self.councils[index].as_mut().and_then(Council::poll_output)
                {
                    busy = true;
                    self.carry_out_one(index, output);
                }
            }
        }
    }

    fn carry_out_one(&mut self, index: usize, output: Output) {
        let now = self.now;
        match output {
            Output::Send { to, message } => {
                self.sent.push((now.boot, index, to.clone(), message.body.clone()));
                let at = |one: &Option<Council>| one.as_ref().is_some_and(|one| one.own.name == to);
                let Some(to) = self.councils.iter().position(at) else { return };
                if !self.is_cut(index, to) {
                    let message = Message::decode(&message.encode()).unwrap();
                    self.councils[to].as_mut().unwrap().handle_message(now, message);
                }
            }
            Output::Write { id, durable } => {
                assert_eq!(Durable::decode(&durable.encode()).as_ref(), Ok(&*durable));
                if self.full != Some(index) {
                    self.files[index] = Some(*durable);
                    self.councils[index].as_mut().unwrap().handle_written(now, id);
                }
            }
            Output::Gossip(id) => {
                for to in 0..self.councils.len() {
                    if !self.is_cut(index, to)
                        && let Some(council) = &mut self.councils[to]
                    {
                        council.handle_gossip(now, &name(index), id);
                    }
                }
            }
            Output::Event(event) => {
                if let (Event::LeadershipLost { term, .. }, true) = (&event, self.lets_go) {
                    self.councils[index].as_mut().unwrap().let_go(now, *term);
                }
                self.events.push((index, event));
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now.boot + span;
        while self.now.boot < end {
            self.now.boot = self.now.boot + MS;
            self.now.wall.0 += 1;
            for index in 0..self.councils.len() {
                let due = self.councils[index].as_ref().and_then(Council::poll_timeout);
                if due.is_some_and(|due| due <= self.now.boot) {
                    self.give(index, Council::handle_timeout);
                }
            }
        }
    }

    fn at(&self, index: usize) -> &Council {
        self.councils[index].as_ref().unwrap()
    }

    fn exclusive(&self) -> Vec<usize> {
        let exclusive = |index: &usize| {
            self.councils[*index].as_ref().is_some_and(|one| one.exclusive(self.now).is_some())
        };
        (0..self.councils.len()).filter(exclusive).collect()
    }

    fn agreed(&self) -> &View {
        let mut up = self.councils.iter().flatten();
        let view = up.next().unwrap().view();
        assert!(up.all(|other| other.view() == view), "the same view everywhere");
        view
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one, other)) || self.cut.contains(&(other, one))
    }

    /// Begins again with what is on the disk.
    fn restart(&mut self, index: usize) {
        let settings = self.councils.iter().flatten().next().unwrap().settings.clone();
        let file = Box::new(self.files[index].clone().unwrap());
        let council = Council::new(settings, name(index), Origin::File(file), self.now);
        self.councils[index] = Some(council);
        self.carry_out();
        self.show_lists();
    }

    fn has_event(&self, index: usize, is: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(at, event)| *at == index && is(event))
    }

    fn crash(&mut self, index: usize) {
        self.councils[index] = None;
        self.show_lists();
    }
}

fn names(voters: &[Voter]) -> Vec<&str> {
    voters.iter().map(|voter| voter.name.as_str()).collect()
}

#[test]
fn all_founders_found_and_the_others_get_seats() {
    let mut fleet = Fleet::new(4, 3);
    fleet.run(MS * 2_500);
    let view = fleet.agreed();
    assert_eq!(view.members.len(), 4);
    assert_eq!(names(&view.council), ["vm0", "vm1", "vm2", "vm3"]);
    assert_eq!(fleet.exclusive(), [0]);
    assert_eq!(fleet.at(0).leads(), Some(view.term));
}

#[test]
fn two_of_three_founders_found_nothing() {
    let mut fleet = Fleet::new(2, 3);
    fleet.run(MS * 10_000);
    assert_eq!(fleet.agreed().number, ViewNumber(0));
    assert_eq!(fleet.exclusive(), [0; 0]);
}

/// It is named at once, but exclusive only when the lease of the one before is over.
#[test]
fn the_next_leads_after_a_crash_once_the_lease_is_over() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let (term, crashed_at) = (fleet.agreed().term, fleet.now.boot);
    fleet.crash(0);
    fleet.run(MS * 50);
    assert_eq!(fleet.agreed().leader.as_ref().unwrap().name, name(1));
    assert!(fleet.agreed().term > term);
    assert_eq!(fleet.agreed().members.len(), 4, "the first view has all that is known");
    assert_eq!(fleet.exclusive(), [0; 0]);
    while fleet.exclusive().is_empty() {
        fleet.run(MS);
    }
    let after = fleet.now.boot.since(crashed_at);
    assert!(after > MS * 2_200 && after < MS * 3_100, "after {after:?}");
}

/// The leader had sent its proposal to others than its successor.
#[test]
fn a_successor_finishes_what_others_had_accepted() {
    let mut fleet = Fleet::new(5, 5);
    fleet.run(MS * 2_000);
    let view = View::clone(fleet.agreed());
    let gone = view.members[4].clone();
    let proposal = Arc::new(view.propose(vec![crate::Operation::Delete(gone.clone())]).unwrap());
    let leader = fleet.at(0).own().clone();
    fleet.councils[0] = None;
    let message = Message {
        lineage: view.lineage,
        sender: leader.clone(),
        body: Body::Req { term: view.term, proposal: proposal.clone() },
    };
    for index in [2, 3, 4] {
        let message = message.clone();
        fleet.give(index, |council, now| council.handle_message(now, message));
    }
    fleet.show_lists();
    fleet.run(MS * 50);
    let installed = fleet.events.iter().filter_map(|(index, event)| match event {
        Event::ViewInstalled { view, .. } if *index == 1 => Some(view.clone()),
        _ => None,
    });
    let next = installed.into_iter().find(|one| one.number == view.number.next()).unwrap();
    assert_eq!(next.hash(), proposal.hash);
    assert_eq!(next.leader, Some(leader), "proposed by the leader before, and unchanged");
    assert_eq!(fleet.agreed().leader.as_ref().unwrap().name, name(1));
}

#[test]
fn a_planned_hand_over_waits_for_no_lease() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.give(0, |council, now| council.hand_over(now, Some(name(2))).unwrap());
    fleet.run(MS * 30);
    assert_eq!(fleet.exclusive(), [2]);
    let handed_over = |(_, event): &(usize, Event)| {
        matches!(event, Event::LeadershipLost { reason: LossReason::HandedOver, .. })
    };
    assert!(fleet.events.iter().any(handed_over));
}

/// What runs under the old leader's lease must not run beside what the new one starts.
#[test]
fn a_hand_over_waits_until_the_owner_lets_go() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.lets_go = false;
    fleet.give(0, |council, now| council.hand_over(now, None).unwrap());
    assert_eq!(fleet.exclusive(), [0; 0]);
    fleet.run(MS * 500);
    assert_eq!(fleet.exclusive(), [0; 0]);
    let term = fleet.agreed().term;
    fleet.give(0, |council, now| council.let_go(now, term));
    fleet.run(MS * 30);
    assert_eq!(fleet.exclusive(), [1]);
}

/// The lease of a leader before may last, and only the promises to this one tell of it.
#[test]
fn a_hand_over_waits_for_the_lease_before_its_own() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    let before = fleet.now.boot + MS * 800;
    fleet.councils[0].as_mut().unwrap().lead.as_mut().unwrap().told_until = before;
    fleet.give(0, |council, now| council.hand_over(now, Some(name(2))).unwrap());
    fleet.run(MS * 790);
    assert_eq!(fleet.exclusive(), [0; 0]);
    assert!(fleet.agreed().leader.as_ref().unwrap().name == name(0));
    fleet.run(MS * 50);
    assert_eq!(fleet.exclusive(), [2]);
}

/// Its owner may have told work until then, although it has just dropped its lease.
#[test]
fn a_hand_over_without_a_lease_waits_for_what_was_told() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.lets_go = false;
    fleet.councils[0].as_mut().unwrap().on_clocks_parted();
    assert_eq!(fleet.exclusive(), [0; 0]);
    fleet.give(0, |council, now| council.hand_over(now, Some(name(2))).unwrap());
    fleet.run(MS * 2_000);
    assert_eq!(fleet.exclusive(), [0; 0]);
    fleet.run(MS * 1_100);
    assert_eq!(fleet.exclusive(), [2]);
}

/// Two stood in one term, and this voter had promised to the other one.
#[test]
fn a_voter_of_the_loser_of_a_term_follows_its_winner() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    let view = View::clone(fleet.agreed());
    let (term, voter) = (Term(view.term.0 + 1), fleet.at(1).own().clone());
    let candidate = fleet.at(2).own().clone();
    let council = fleet.councils[2].as_mut().unwrap();
    council.store.change().promised = Some(crate::Ballot { term, candidate });
    let leader = crate::Operation::Leader { term, voter: voter.clone() };
    let next = Arc::new(view.apply(&view.propose(vec![leader]).unwrap()).unwrap());
    let mut promised = None;
    fleet.give(2, |council, now| {
        council.step(now, |council| {
            council.install(&next, None);
            promised = council.store.get().promised.clone();
        });
    });
    assert_eq!(promised, Some(crate::Ballot { term, candidate: voter }));
}

/// The group went on without its only founder, whose machine was made anew.
#[test]
fn a_founder_without_its_file_founds_nothing_beside_the_others() {
    let mut fleet = Fleet::new(4, 1);
    fleet.run(MS * 3_000);
    assert_eq!(fleet.agreed().council.len(), 4);
    let settings = fleet.at(0).settings.clone();
    fleet.crash(0);
    fleet.run(MS * 10_000);
    let leader = fleet.exclusive();
    let now = fleet.now;
    let anew = Council::new(settings, name(0), Origin::Fresh(VoterId(99)), now);
    fleet.councils[0] = Some(anew);
    fleet.carry_out();
    fleet.show_lists();
    for _ in 0..200 {
        fleet.run(MS * 50);
        assert_eq!(fleet.exclusive(), leader);
    }
    assert!(fleet.agreed().council.contains(fleet.at(0).own()), "it is seated as a new voter");
}

/// Without a view for it, one of two that stops would take the majority with it.
#[test]
fn one_of_two_leaves_and_the_other_goes_on() {
    let mut fleet = Fleet::new(2, 2);
    fleet.run(MS * 2_000);
    fleet.give(0, Council::release);
    fleet.run(MS * 600);
    assert!(fleet.events.contains(&(0, Event::Released { in_view: true })));
    fleet.crash(0);
    fleet.run(MS * 200);
    assert_eq!(names(&fleet.agreed().council), ["vm1"]);
    assert_eq!(fleet.exclusive(), [1]);
}

#[test]
fn a_key_is_granted_once() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    for index in 0..3 {
        let token = 70 + index as u64;
        fleet.give(index, |council, now| council.claim(now, "backup", token, false).unwrap());
    }
    fleet.run(MS * 1_000);
    let settled: Vec<(u64, u64)> = fleet
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::ClaimSettled { token, claim } => Some((*token, claim.token)),
            _ => None,
        })
        .collect();
    assert_eq!(settled.len(), 3);
    assert_eq!(settled.iter().filter(|(asked, granted)| asked == granted).count(), 1);
}

/// A full disk takes a voter's vote, and nothing else of the fleet.
#[test]
fn a_voter_with_a_full_disk_promises_nothing() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    fleet.full = Some(2);
    fleet.crash(0);
    fleet.run(MS * 6_000);
    assert!(fleet.exclusive().is_empty(), "one of three is no majority");
    assert_eq!(fleet.at(1).view().term, Term(1));
}

#[test]
fn a_lease_ends_when_the_clocks_part() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    assert_eq!(fleet.exclusive(), [0]);
    let paused = Now { wall: WallTime(fleet.now.wall.0 + 300), ..fleet.now };
    assert_eq!(fleet.at(0).exclusive(paused), None);
    assert!(fleet.at(0).exclusive(fleet.now).is_some());
}

#[test]
fn a_lost_majority_is_recovered_by_naming_it() {
    let mut fleet = Fleet::new(3, 3);
    fleet.run(MS * 2_000);
    let before = View::clone(fleet.agreed());
    fleet.crash(1);
    fleet.crash(2);
    let wrong = fleet.councils[0].as_mut().unwrap().recover(fleet.now, &[name(7)]);
    assert_eq!(wrong, Err(RecoveryError::NotInCouncil(vec![name(7)])));
    fleet.give(0, |council, now| council.recover(now, &[name(1), name(2)]).unwrap());
    fleet.run(MS * 11_000);
    let view = fleet.agreed();
    assert_eq!((view.lineage.recoveries, names(&view.council)), (1, vec!["vm0"]));
    assert_ne!(view.lineage, Lineage::of(&[]));
    assert!(view.term.0 > before.term.0 + Term::RECOVERY_STEP - 1);
    assert_eq!(fleet.exclusive(), [0]);
}
