//! The agreed views of a fleet, looked at through the control sockets.

use crate::control::{Control, ControlError, reply};
use crate::wait::{SOON, holds, wait_exactly, wait_until};
use crate::{Daemon, Fleet};
use memberd_control::message::{
    Checked, LeaderRecord, LeaderRequest, Reply, Request, ViewMember, ViewRecord, ViewRequest,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// The promise: all name the next leader this long after a crash. Never stretched.
pub const NAMED: Duration = Duration::from_secs(2);

/// How long an answer may take. A hand-over waits for it.
const PATIENCE: Duration = SOON;

/// A view as one daemon has it.
#[derive(Debug, Clone)]
pub struct AgreedView {
    /// All but the members.
    pub record: ViewRecord,
    /// The names of its members, in order.
    pub members: Vec<String>,
    /// Their ids.
    pub ids: Vec<String>,
}

impl Control {
    /// The view that the daemon has installed, without asking others.
    ///
    /// # Errors
    /// When there is none.
    pub fn view(&self) -> Result<AgreedView, ControlError> {
        self.view_of(ViewRequest { local: true, ..ViewRequest::default() })
    }

    /// The view, after one round to the council.
    ///
    /// # Errors
    /// When there is none.
    pub fn confirmed_view(&self) -> Result<AgreedView, ControlError> {
        self.view_of(ViewRequest::default())
    }

    fn view_of(&self, request: ViewRequest) -> Result<AgreedView, ControlError> {
        let mut stream = self.ask(&Request::View(request), Some(PATIENCE))?;
        let mut members: Vec<ViewMember> = Vec::new();
        loop {
            match reply(&mut stream)? {
                Reply::ViewMembers(part) => members.extend(part),
                Reply::View(record) => {
                    let (members, ids) =
                        members.into_iter().map(|member| (member.name, member.id)).unzip();
                    return Ok(AgreedView { record: *record, members, ids });
                }
                _ => return Err(ControlError::OutOfPlace),
            }
        }
    }

    /// The leader, as far as the daemon knows.
    ///
    /// # Errors
    /// When it does not say so.
    pub fn leader(&self) -> Result<LeaderRecord, ControlError> {
        match self.about_leader(LeaderRequest::Show)? {
            Reply::Leader(leader) => Ok(leader),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    /// The leader after a planned hand-over.
    ///
    /// # Errors
    /// When there was none.
    pub fn hand_over(&self, to: Option<&str>) -> Result<LeaderRecord, ControlError> {
        let to = to.map(str::to_owned);
        match self.about_leader(LeaderRequest::HandOver { to })? {
            Reply::Leader(leader) => Ok(leader),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    /// The token if this machine is exclusive: a majority was asked.
    ///
    /// # Errors
    /// When no majority answers.
    pub fn check_leader(&self) -> Result<Option<u64>, ControlError> {
        match self.about_leader(LeaderRequest::Check { for_ms: 0 })? {
            Reply::Checked(Checked::Exclusive { term, .. }) => Ok(Some(term)),
            Reply::Checked(Checked::Not { .. }) => Ok(None),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    fn about_leader(&self, request: LeaderRequest) -> Result<Reply, ControlError> {
        reply(&mut self.ask(&Request::Leader(request), Some(PATIENCE))?)
    }
}

impl Fleet {
    /// n daemons whose views were founded by the first three, or by all if they are fewer. They
    /// have agreed on a view of all.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn agree(n: u8) -> Self {
        Fleet::agree_with(n, &[], |_| ())
    }

    /// The same with further lines of `[agreement]`, and something done to each daemon before.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn agree_with(n: u8, lines: &[&str], mut prepare: impl FnMut(&mut Daemon)) -> Self {
        let founders: Vec<String> = (1..=n.min(3)).map(|number| format!("vm{number}")).collect();
        let founders: Vec<&str> = founders.iter().map(String::as_str).collect();
        let fleet = Fleet::start_with(n, |daemon| {
            daemon.settings.set_agreement(&founders, lines);
            prepare(daemon);
        });
        fleet.wait_until_agreed();
        fleet
    }

    /// Waits until all running daemons have one view, of exactly the running, in a council of as
    /// many, and know its leader as exclusive. Returns the view.
    ///
    /// # Panics
    /// When that does not come about.
    pub fn wait_until_agreed(&self) -> AgreedView {
        let names: BTreeSet<&str> = self.running().map(Daemon::name).collect();
        wait_until("all running daemons agree on one view of them", SOON, || {
            let mut common: Option<AgreedView> = None;
            for daemon in self.running() {
                let told = |error: ControlError| format!("{}: {error}", daemon.name());
                let view = daemon.control().view().map_err(told)?;
                let leader = daemon.control().leader().map_err(told)?;
                let members: BTreeSet<&str> = view.members.iter().map(String::as_str).collect();
                let council: BTreeSet<&str> =
                    view.record.council.iter().map(String::as_str).collect();
                let led = leader.exclusive && leader.leader == view.record.leader;
                let first = common.get_or_insert_with(|| view.clone());
                let same = (first.record.number, &first.ids) == (view.record.number, &view.ids);
                let whole = members == names && council == names && !view.record.stale;
                holds(whole && led && same, || {
                    format!("{} has {view:?}, led by {leader:?}", daemon.name())
                })?;
            }
            common.ok_or("nobody runs".to_owned())
        })
    }

    /// The number of the daemon that leads, and its term.
    ///
    /// # Panics
    /// When nobody is known to lead.
    pub fn led_by(&self) -> (usize, u64) {
        let daemon = self.running().next().expect("somebody runs");
        let leader = daemon.control().leader().expect("the leader is told");
        let name = leader.leader.expect("somebody leads");
        let number = self.daemons().iter().position(|daemon| daemon.name() == name);
        (number.expect("it is one of the fleet") + 1, leader.term)
    }

    /// The numbers of the daemons that are exclusive now.
    pub fn exclusive(&self) -> Vec<usize> {
        let is_exclusive = |number: &usize| {
            let leader = self[*number].control().leader();
            leader.is_ok_and(|leader| leader.here && leader.exclusive)
        };
        self.running_numbers().into_iter().filter(is_exclusive).collect()
    }

    /// Waits until all running daemons name the leader of a later term.
    ///
    /// # Panics
    /// When they do not within [`NAMED`].
    pub fn wait_until_named(&self, term: u64) {
        wait_exactly("all name the next leader", NAMED, || {
            self.running().try_for_each(|daemon| {
                let view = daemon.control().view().map_err(|error| error.to_string())?.record;
                let named = view.term > term && view.leader.is_some();
                holds(named, || format!("{} has {view:?}", daemon.name()))
            })
        });
    }
}
