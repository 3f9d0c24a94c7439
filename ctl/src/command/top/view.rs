//! The state behind the screen, and how inputs change it. There is no terminal here.

use std::collections::VecDeque;

use memberd_control::message::{MemberRecord, MemberStatus, StatusReport, ViewSummary};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::feed::{EVENTS_KEPT, Group, Input, Snapshot};
use super::grep_pane::GrepPane;
use super::label::common_domain;
use super::search::Search;
use super::table::Sort;
use crate::changes::Update;

/// How many lines or members one page is.
const PAGE: isize = 10;

/// The longest line that can be typed.
const LONGEST_TYPED: usize = 500;

/// What the caller has to do after an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    None,
    Quit,
    /// Start a grep for this line.
    Search(String),
    /// End the grep.
    EndSearch,
    /// Give the terminal back to the shell for a while.
    Suspend,
}

/// Datagrams and bytes per second, sent and received.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) sent: f64,
    pub(super) sent_bytes: f64,
    pub(super) received: f64,
    pub(super) received_bytes: f64,
}

/// Everything that the screen shows.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) report: Option<StatusReport>,
    members: Vec<MemberRecord>,
    /// The domain that all members share, which the screen leaves out.
    domain: String,
    /// Indices into `members`, in the order of the ring.
    ring: Vec<usize>,
    k: usize,
    selected: Option<String>,
    pub(super) rates: Option<Rates>,
    /// The latest changes, and the gaps between them.
    pub(super) changes: VecDeque<Update>,
    pub(super) lost: Option<String>,
    /// The line that the user is typing.
    pub(super) typing: Option<String>,
    pub(super) found: Option<GrepPane>,
    /// Whether the lines of the grep have the directories of their files.
    pub(super) directories: bool,
    /// Whether the table of all members is visible instead of the ring.
    pub(super) table: bool,
    pub(super) sort: Sort,
    pub(super) help: bool,
}

impl View {
    /// An empty view. It will select this member, or else this machine.
    pub(super) fn new(selected: Option<String>) -> View {
        View { selected, ..View::default() }
    }

    /// Handles an input.
    pub(super) fn take(&mut self, input: Input) -> Action {
        match input {
            Input::Snapshot(snapshot) => self.renew(*snapshot),
            Input::Lost(why) => self.lost = Some(why),
            Input::Update(update) => {
                push(&mut self.changes, update, usize::try_from(EVENTS_KEPT).unwrap_or(usize::MAX));
            }
            Input::Key(key) => return self.key(key),
            Input::GrepLine(number, line) => {
                if let Some(found) = self.found_by(number) {
                    found.push(line);
                }
            }
            Input::SearchEnded(number, state) => {
                if let Some(found) = self.found_by(number) {
                    found.state = state;
                }
            }
            Input::Resized => {}
            Input::Quit => return Action::Quit,
        }
        Action::None
    }

    /// Notes that a grep was started, or why it was not.
    pub(super) fn searching(&mut self, search: Result<Search, String>) -> Option<Search> {
        let found = self.found.as_mut()?;
        match search {
            Ok(search) => {
                found.number = Some(search.number());
                Some(search)
            }
            Err(problem) => {
                found.state = problem;
                None
            }
        }
    }

    fn found_by(&mut self, number: u64) -> Option<&mut GrepPane> {
        self.found.as_mut().filter(|found| found.number == Some(number))
    }

    fn renew(&mut self, snapshot: Snapshot) {
        let Snapshot { report, group } = snapshot;
        self.lost = None;
        self.rates = self.report.as_ref().and_then(|before| rates(before, &report));
        self.report = Some(report);
        if let Some(group) = group {
            self.regroup(group);
        }
    }

    fn regroup(&mut self, Group { members, ring }: Group) {
        self.members = members;
        self.domain =
            common_domain(self.members.iter().map(|member| member.name.as_str())).to_owned();
        self.ring = ring.names.iter().filter_map(|name| self.place(name)).collect();
        self.k = usize::from(ring.max_simultaneous_failures);
        if self.selected().is_none() {
            let own = self.members.iter().find(|member| member.this_machine);
            self.selected = own.map(|member| member.name.clone());
        }
    }

    /// The members in the order of the ring.
    pub(super) fn ring(&self) -> impl ExactSizeIterator<Item = &MemberRecord> {
        self.ring
            .iter()
            .filter_map(|place| self.members.get(*place))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The place of a name in the list, which is in the order of names.
    fn place(&self, name: &str) -> Option<usize> {
        self.members.binary_search_by(|member| member.name.as_str().cmp(name)).ok()
    }

    /// Whether a member of this name is listed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The domain that all members share, which the screen leaves out.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// All members in the order of the table.
    pub(super) fn in_table(&self) -> Vec<&MemberRecord> {
        let mut members: Vec<&MemberRecord> = self.members.iter().collect();
        self.sort.apply(&mut members);
        members
    }

    /// The selected member.
    pub(super) fn selected(&self) -> Option<&MemberRecord> {
        let name = self.selected.as_ref()?;
        self.members.iter().find(|member| member.name == *name)
    }

    /// The agreed view, where there is one.
    pub(super) fn agreed(&self) -> Option<&ViewSummary> {
        self.report.as_ref()?.view.as_ref()
    }

    /// Whether this member leads.
    pub(super) fn leads(&self, name: &str) -> bool {
        self.agreed().is_some_and(|view| view.leader.as_deref() == Some(name))
    }

    /// The names of the members that watch this one. Of the alive on the ring these are its
    /// successors, half of them rounded up, and its predecessors.
    pub(super) fn monitors(&self, name: &str) -> Vec<&str> {
        self.around(name, self.k.div_ceil(2), self.k / 2)
    }

    /// The names of the members that this one watches.
    pub(super) fn watched(&self, name: &str) -> Vec<&str> {
        self.around(name, self.k / 2, self.k.div_ceil(2))
    }

    fn around(&self, name: &str, after: usize, before: usize) -> Vec<&str> {
        let ring: Vec<&MemberRecord> = self.ring().collect();
        let Some(place) = ring.iter().position(|member| member.name == name) else {
            return Vec::new();
        };
        let (ahead, behind) = ring.split_at(place);
        let others = behind
            .iter()
            .skip(1)
            .chain(ahead)
            .filter(|member| member.status == MemberStatus::Alive);
        let others: Vec<&str> = others.map(|member| member.name.as_str()).collect();
        let mut around: Vec<&str> = others.iter().copied().take(after).collect();
        for name in others.iter().rev().copied().take(before) {
            if !around.contains(&name) {
                around.push(name);
            }
        }
        around
    }

    fn key(&mut self, key: KeyEvent) -> Action {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::Quit,
            KeyCode::Char('z') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::Suspend,
            code => match self.typing.take() {
                Some(line) => self.typed(line, code),
                None if self.help => {
                    self.help = false;
                    Action::None
                }
                None => self.pressed(code),
            },
        }
    }

    fn pressed(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j' | 'l') => {
                self.select(1);
            }
            KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k' | 'h') => {
                self.select(-1);
            }
            KeyCode::PageUp | KeyCode::PageDown | KeyCode::Home | KeyCode::End => self.page(code),
            KeyCode::Char('/') => self.typing = Some(String::new()),
            KeyCode::Char('?') => self.help = true,
            KeyCode::Char('m') => self.table = !self.table,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('f') => self.directories = !self.directories,
            KeyCode::Esc if self.found.take().is_some() => return Action::EndSearch,
            _ => {}
        }
        Action::None
    }

    /// Scrolls the grep, or else selects a member further away.
    fn page(&mut self, code: KeyCode) {
        let all = isize::try_from(self.members.len()).unwrap_or(isize::MAX);
        match (&mut self.found, code) {
            (Some(found), KeyCode::PageUp) => found.scroll(PAGE),
            (Some(found), KeyCode::PageDown) => found.scroll(-PAGE),
            (Some(found), KeyCode::Home) => found.scroll_to_begin(),
            (Some(found), _) => found.scroll_to_end(),
            (None, KeyCode::PageUp) => self.select_within(-PAGE),
            (None, KeyCode::PageDown) => self.select_within(PAGE),
            (None, KeyCode::Home) => self.select_within(-all),
            (None, _) => self.select_within(all),
        }
    }

    fn typed(&mut self, mut line: String, code: KeyCode) -> Action {
        match code {
            KeyCode::Esc => return Action::None,
            KeyCode::Enter if line.trim().is_empty() => return Action::None,
            KeyCode::Enter => {
                self.found = Some(GrepPane::new(line.clone()));
                return Action::Search(line);
            }
            KeyCode::Backspace => drop(line.pop()),
            KeyCode::Char(character) if line.len() < LONGEST_TYPED => line.push(character),
            _ => {}
        }
        self.typing = Some(line);
        Action::None
    }

    /// Selects the member that is this many places further, around the ring or the table.
    fn select(&mut self, step: isize) {
        let around =
            |place: isize, count: isize| place.checked_add(step)?.checked_rem_euclid(count);
        self.select_by(around);
    }

    /// Selects the member that is this many places further, or the first or last one.
    fn select_within(&mut self, step: isize) {
        self.select_by(|place, count| {
            Some(place.saturating_add(step).clamp(0, (count - 1).max(0)))
        });
    }

    /// Selects the member at the place that comes of the present place and the number of members.
    fn select_by(&mut self, next: impl Fn(isize, isize) -> Option<isize>) {
        let members = if self.table { self.in_table() } else { self.ring().collect() };
        let place = self
            .selected
            .as_ref()
            .and_then(|selected| members.iter().position(|member| member.name == *selected));
        let count = isize::try_from(members.len()).unwrap_or(isize::MAX);
        let place = place.and_then(|place| next(isize::try_from(place).ok()?, count));
        let name =
            members.get(place.map_or(0, isize::unsigned_abs)).map(|member| member.name.clone());
        self.selected = name.or(self.selected.take());
    }
}

/// Appends an item, and drops the oldest one if there are more than `most`.
fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Computes rates from two reports; none if the daemon was restarted between them.
fn rates(before: &StatusReport, now: &StatusReport) -> Option<Rates> {
    let passed = now.uptime.checked_sub(before.uptime).filter(|passed| *passed > 0)?;
    let count = |report: &StatusReport, key: &str| {
        report.counters.iter().find(|(name, _)| name == key).map(|(_, count)| *count)
    };
    let rate = |key: &str| {
        let more = count(now, key)?.checked_sub(count(before, key)?)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "beyond 2^53 nobody looks at the last digit"
        )]
        Some(more as f64 * 1_000.0 / passed as f64)
    };
    Some(Rates {
        sent: rate("datagrams_sent")?,
        sent_bytes: rate("bytes_sent")?,
        received: rate("datagrams_received")?,
        received_bytes: rate("bytes_received")?,
    })
}
