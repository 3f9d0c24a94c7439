//! Follows the events of every member of the fleet, and notes when each change arrives.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use memberd_control::message::{EventRecord, MemberStatus, Reply, Request};

use super::fleet::Member;
use super::interrupt::Interrupt;
use crate::connection::{Connection, Daemon, ReplyTimeout};
use crate::exit::{Exit, Failure};
use crate::members;

/// The longest wait before the next check for an interruption.
const LOOK: Duration = Duration::from_millis(50);

/// After this time the lists are fetched as well. A member that had to rejoin has received the
/// change with its list, and without an event.
const ASK_AFTER: Duration = Duration::from_secs(4);

/// A change that arrived at one member.
struct Arrival {
    at: Instant,
    member: String,
    event: EventRecord,
}

/// The arrivals at all members.
pub(super) struct Watch {
    arrivals: Receiver<Arrival>,
    daemons: Vec<(String, Daemon)>,
}

impl Watch {
    /// Starts to follow these members. A member that goes away sends no more events.
    pub(super) fn over(members: &[Member]) -> Result<Watch, Failure> {
        let (sender, arrivals) = channel();
        for member in members {
            let connection =
                Connection::ask(&member.daemon(), &Request::Events, ReplyTimeout::Never)?;
            let (name, sender) = (member.name.clone(), sender.clone());
            std::thread::spawn(move || follow(connection, &name, &sender));
        }
        let daemons = members.iter().map(|member| (member.name.clone(), member.daemon())).collect();
        Ok(Watch { arrivals, daemons })
    }

    /// Waits until this many others have the member in this status, or until the limit has passed.
    /// Returns them in the order of arrival, each with the time since `start`.
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
                    let wanted = event.status == status
                        && event.member.name == name
                        && member != name
                        && at >= start;
                    if wanted && seen.iter().all(|(other, _)| *other != member) {
                        seen.push((member, at - start));
                    }
                }
                Err(RecvTimeoutError::Timeout) if start.elapsed() > ASK_AFTER => {
                    let missing = |(member, _): &&(String, Daemon)| {
                        *member != name && seen.iter().all(|(other, _)| other != member)
                    };
                    let listed = self
                        .daemons
                        .iter()
                        .filter(missing)
                        .filter(|(_, daemon)| lists(daemon, name, status));
                    let late: Vec<_> =
                        listed.map(|(member, _)| (member.clone(), start.elapsed())).collect();
                    seen.extend(late);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "no member sends events any more: run the demo again";
                    return Err(Failure::new(Exit::Failed, message));
                }
            }
            interrupt.pause(Duration::ZERO)?;
        }
        seen.sort_by_key(|(_, after)| *after);
        Ok(seen)
    }
}

/// Whether a member's list has the other in this status. False if the member does not reply.
fn lists(daemon: &Daemon, name: &str, status: MemberStatus) -> bool {
    let members = members::fetch(daemon, true).unwrap_or_default();
    members
        .iter()
        .filter(|member| member.name == name)
        .max_by_key(|member| member.incarnation)
        .is_some_and(|member| member.status == status)
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
