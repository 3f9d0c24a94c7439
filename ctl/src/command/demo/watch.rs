//! Follows the events of every member of the fleet, and notes when each change arrives.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use memberd_control::message::{EventRecord, MemberStatus, Reply, Request};

use super::fleet::Member;
use super::interrupt::Interrupt;
use crate::connection::{Connection, Patience};
use crate::exit::{Exit, Failure};

/// How often an interruption is looked for while waiting.
const LOOK: Duration = Duration::from_millis(50);

/// A change that arrived at one member.
struct Arrival {
    at: Instant,
    member: String,
    event: EventRecord,
}

/// The arrivals at all members.
pub(super) struct Watch {
    arrivals: Receiver<Arrival>,
}

impl Watch {
    /// Starts to follow these members. A member that goes away is simply not heard any more.
    pub(super) fn over(members: &[Member]) -> Result<Watch, Failure> {
        let (sender, arrivals) = channel();
        for member in members {
            let connection = Connection::ask(&member.daemon(), &Request::Events, Patience::Endless)?;
            let (name, sender) = (member.name.clone(), sender.clone());
            std::thread::spawn(move || follow(connection, &name, &sender));
        }
        Ok(Watch { arrivals })
    }

    /// Waits until a member is seen in this standing by so many others, or until the limit has passed. Returns who saw it and how
    /// long after `start`, in the order of arrival.
    pub(super) fn collect(
        &self,
        (name, status): (&str, MemberStatus),
        (start, limit): (Instant, Duration),
        number: usize,
        interrupt: &Interrupt,
    ) -> Result<Vec<(String, Duration)>, Failure> {
        let mut seen: Vec<(String, Duration)> = Vec::new();
        while seen.len() < number && start.elapsed() < limit {
            match self.arrivals.recv_timeout(LOOK) {
                Ok(Arrival { at, member, event }) => {
                    let wanted = event.status == status && event.member.name == name && member != name && at >= start;
                    if wanted && seen.iter().all(|(other, _)| *other != member) {
                        seen.push((member, at - start));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "all members stopped telling their events: run the demo again";
                    return Err(Failure::new(Exit::Failed, message));
                }
            }
            interrupt.pause(Duration::ZERO)?;
        }
        seen.sort_by_key(|(_, after)| *after);
        Ok(seen)
    }
}

fn follow(mut connection: Connection, name: &str, sender: &Sender<Arrival>) {
    while let Ok(reply) = connection.reply() {
        let at = Instant::now();
        if let Reply::Event(event) = reply
            && sender.send(Arrival { at, member: name.to_owned(), event }).is_err()
        {
            return;
        }
    }
}
