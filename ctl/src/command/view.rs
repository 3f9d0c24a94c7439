//! `memberctl view`: shows the agreed view, waits for one, and recovers it without a majority.

use std::time::Duration;

use clap::{Subcommand, ValueHint};
use memberd_control::message::{
    MAX_LOST_NAMES, PastViewRecord, RecoverRequest, RecoveryPlan, Reply, Request, ViewMember,
    ViewRecord, ViewRequest,
};

use crate::agreed;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};
use crate::format;
use crate::json;
use crate::output::{Output, Style};
use crate::view_events;

/// How long to wait for a view unless the user chose a time.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a recovery may take. It waits for two leases, of a minute at most.
const RECOVERY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(180));

/// The most members that are taken from a daemon.
const MEMBERS_CAP: usize = 1_000_000;

/// The most members whose names are shown to people.
const NAMES_SHOWN: usize = 50;

/// What stands below the help.
const DETAILS: &str = "\
The list is each machine's own opinion, and quick. The view is one answer for the whole group: its \
members, numbered, the same on all machines, and changed only by a majority of the council that \
the view names. It needs [agreement] enabled = true on all machines.

view asks that majority whether its own view is the newest, and says how sure it is: confirmed, or \
stale while no majority can be reached. A stale view is shown too, and nobody changes it \
meanwhile. --local asks nobody. Greps and heartbeats follow the list, not the view.

A JSON object has number, term, leader (null if there is none), members (with name and id), \
council, pending (changes that no majority has confirmed yet, with operation, which is add, \
delete, seat, claim or leader, and name), confirmed_ms_ago (null if never) and stale. With \
--history each line is an object of a view: number, term, leader, time, added, removed, members \
(their number) and council.

For example:
  memberctl view --json | jq -r '.members[].name'
  memberctl view --wait 18 --timeout 10s     until this machine has view 18 or a newer one";

/// What stands below the help of `recover`.
const RECOVERY: &str = "\
If half of the council or more is lost for good, no majority can agree any more. recover goes on \
with the council members that are left. Type the names of exactly those that are lost: if one of \
them answers, or another one does not, nothing is done.

THE LOST MUST BE DOWN, AND STAY DOWN. If they run, and only the network between is broken, both \
sides would have a leader. So look at --dry-run before. Once it has begun, it goes on without \
memberctl, and waits for two leases. The tokens after a recovery are far above all before. A lost \
machine that comes back finds that the group went on without it, and joins as a newcomer.

Run it on one machine.";

/// Shows the view.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct View {
    /// Print a JSON object
    #[arg(long)]
    json: bool,

    /// Show what this machine has, without asking the council
    #[arg(long)]
    local: bool,

    /// Wait until this machine has the view of this number, or a newer one
    #[arg(long, value_name = "N")]
    wait: Option<u64>,

    /// Show what the last views have changed, as far as this machine remembers
    #[arg(long, conflicts_with = "wait")]
    history: bool,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Go on without a majority of the council, whose lost members are named
    #[command(after_help = RECOVERY)]
    Recover {
        /// The council members that are lost for good
        #[arg(long, value_name = "NAME[,NAME]...", required = true, value_delimiter = ',')]
        #[arg(value_hint = ValueHint::Hostname, value_parser = name)]
        lost: Vec<String>,

        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// A glob could name one that is alive, so each is typed.
fn name(text: &str) -> Result<String, String> {
    match text.contains(['*', '?', '[', '{']) || text.is_empty() {
        true => Err("recover takes names and no globs: type the name of each lost machine".into()),
        false => Ok(text.to_owned()),
    }
}

/// A view with its members.
#[derive(Debug)]
struct Whole {
    view: ViewRecord,
    members: Vec<ViewMember>,
}

impl View {
    /// `memberctl view` without options.
    pub(super) fn plain() -> View {
        View { json: false, local: false, wait: None, history: false, action: None }
    }

    /// Prints the view, or does what else was asked.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        match &self.action {
            Some(_) if self.json || self.local || self.history || self.wait.is_some() => {
                Err(Failure::usage("recover takes no such option: try memberctl view --help"))
            }
            Some(Action::Recover { lost, dry_run }) => recover(lost, *dry_run, daemon),
            None if self.history => self.history(daemon),
            None => self.show(daemon),
        }
    }

    fn ask(&self, daemon: &Daemon) -> Result<Connection, Failure> {
        let View { local, wait, history, .. } = *self;
        let timeout = match wait {
            Some(_) => ReplyTimeout::For(WAIT_TIMEOUT),
            None => agreed::REPLY_TIMEOUT,
        };
        agreed::ask(daemon, &Request::View(ViewRequest { local, wait, history }), timeout)
    }

    fn show(&self, daemon: &Daemon) -> Result<(), Failure> {
        let whole = self.ask(daemon).and_then(|mut connection| read(&mut connection));
        let whole = whole.map_err(|failure| match (self.wait, failure.exit()) {
            (Some(number), Exit::TimedOut) => {
                let not_so = format!("view {number} is not here yet: see memberctl view");
                agreed::waited_in_vain(daemon, WAIT_TIMEOUT, &not_so)
            }
            _ => failure,
        })?;
        let mut output = Output::new();
        match self.json {
            true => output.object(&json::View::of(&whole.view, &whole.members)),
            false => {
                let text = text(&output, &whole, self.local);
                output.text(&text)
            }
        }
    }

    fn history(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut connection = self.ask(daemon)?;
        let mut output = Output::new();
        loop {
            match agreed::reply(&mut connection)? {
                Reply::PastView(past) if self.json => {
                    output.text(&(json::text(&json::PastView::from(&past))? + "\n"))?;
                }
                Reply::PastView(past) => output.line(&past_line(&past))?,
                Reply::ViewMembers(_) => {}
                Reply::View(_) => return Ok(()),
                _ => return Err(unexpected_reply()),
            }
        }
    }
}

/// Reads a view and its members.
fn read(connection: &mut Connection) -> Result<Whole, Failure> {
    let mut members = Vec::new();
    loop {
        match agreed::reply(connection)? {
            Reply::ViewMembers(part) if members.len() + part.len() <= MEMBERS_CAP => {
                members.extend(part);
            }
            Reply::View(view) => return Ok(Whole { view: *view, members }),
            _ => return Err(unexpected_reply()),
        }
    }
}

/// Shows the plan, and carries it out unless it is only to be shown.
fn recover(lost: &[String], dry_run: bool, daemon: &Daemon) -> Result<(), Failure> {
    if lost.len() > MAX_LOST_NAMES {
        return Err(Failure::usage("no council has so many members: name only the lost of it"));
    }
    let request = RecoverRequest { lost: lost.to_vec(), plan_only: dry_run };
    let mut connection = agreed::ask(daemon, &Request::Recover(request), RECOVERY_TIMEOUT)?;
    let Reply::RecoveryPlan(plan) = agreed::reply(&mut connection)? else {
        return Err(unexpected_reply());
    };
    let mut output = Output::new();
    output.text(&plan_text(&plan))?;
    if dry_run {
        return output.line("nothing was done");
    }
    output.line(&format!("waiting for {}", format::duration(plan.wait_ms)))?;
    let whole = read(&mut connection)?;
    let text = text(&output, &whole, false);
    output.text(&("recovered\n".to_owned() + &text))
}

fn plan_text(plan: &RecoveryPlan) -> String {
    let mut text = format!(
        "go on from view {} in term {}, with the council {}\ngive up:\n",
        plan.number,
        plan.term,
        names(&plan.reached)
    );
    for lost in &plan.lost {
        let heard = match lost.heard_ms_ago {
            Some(ms) => format!("last heard {} ago", format::duration(ms)),
            None => "not heard since this memberd started".to_owned(),
        };
        text += &format!("  {}, {heard}\n", format::printable(&lost.name));
    }
    text
}

fn text(output: &Output, whole: &Whole, local: bool) -> String {
    let Whole { view, members } = whole;
    let leader = match &view.leader {
        Some(leader) => format!("led by {}", format::printable(leader)),
        None => "without a leader".to_owned(),
    };
    let headline = match view.number {
        0 => "no view yet: the first one needs all of initial_council".to_owned(),
        number => format!("view {number} of term {}, {leader}", view.term),
    };
    let mut text = output.styled(Style::Bold, &headline) + "\n";
    let mut row = |title: &str, words: &str| text += &format!("  {title:9}  {words}\n");
    match confirmed(view, local) {
        Ok(words) => row("confirmed", &words),
        Err(words) => row("stale", &output.styled(Style::Yellow, &words)),
    }
    row("council", &names(&view.council));
    row("members", &member_names(members));
    for pending in &view.pending {
        row("pending", &view_events::operation(pending));
    }
    text
}

/// How sure the view is; an error while it is stale.
fn confirmed(view: &ViewRecord, local: bool) -> Result<String, String> {
    if view.stale {
        let since = match view.stale_ms {
            Some(ms) => format!("for {}", format::duration(ms)),
            None => "since the start".to_owned(),
        };
        let missing = match view.missing.is_empty() {
            true => String::new(),
            false => format!(": {} not reached", names(&view.missing)),
        };
        return Err(since + &missing);
    }
    let when = view.confirmed_ms_ago.map(|ms| format!("{} ago", format::duration(ms)));
    Ok(match (when, local) {
        (Some(when), true) => format!("{when}, and nobody was asked now"),
        (Some(when), false) => {
            format!("by {} of {}, {when}", view.confirmed_by, view.council.len())
        }
        (None, _) => "not yet".to_owned(),
    })
}

fn names(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => format::printable(&names.join(", ")),
    }
}

fn member_names(members: &[ViewMember]) -> String {
    match members.len() {
        0 => "nobody".to_owned(),
        count if count > NAMES_SHOWN => format!("{count}; --json has their names"),
        _ => names(&members.iter().map(|member| member.name.clone()).collect::<Vec<_>>()),
    }
}

/// `2026-11-21T01:20:33.120Z  view 18 of term 7, led by vm3: added vm4; 5 members`
fn past_line(past: &PastViewRecord) -> String {
    let leader = match &past.leader {
        Some(leader) => format!("led by {}", format::printable(leader)),
        None => "without a leader".to_owned(),
    };
    let each = [("added", &past.added), ("removed", &past.removed)];
    let changes: Vec<String> = each
        .iter()
        .filter(|(_, changed)| !changed.is_empty())
        .map(|(verb, changed)| format!("{verb} {}", names(changed)))
        .chain([format::count(past.members, "member")])
        .collect();
    format!(
        "{}  view {} of term {}, {leader}: {}",
        format::timestamp(past.time),
        past.number,
        past.term,
        changes.join("; ")
    )
}
