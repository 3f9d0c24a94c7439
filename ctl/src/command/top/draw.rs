//! Draws the screen: a headline, the ring and the selected member, changes and a grep, and the
//! keys.

use memberd_control::message::{Change, MemberStatus, StatusReport, ViewChange, ViewSummary};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::grep_pane::{GrepPane, without_directories};
use super::label::shorten;
use super::theme::Theme;
use super::view::{Rates, View};
use super::{help, ring, table};
use crate::changes::{self, Update};
use crate::format::{self, printable};
use crate::report::{self, neighbours};
use crate::view_events;

/// On a screen of fewer rows there is no ring.
const LEAST_HEIGHT: u16 = 12;

/// A ring needs this many columns and rows.
const SMALLEST_RING: (u16, u16) = (16, 5);

/// The columns of the table of neighbours beside the name.
const BESIDE_NAME: u16 = 46;

/// The longest name in a title, in columns.
const WIDEST_TITLE: usize = 30;

/// The width of the table of neighbours, in columns.
const TABLE_WIDTH: u16 = 50;

/// It stands below the place of a ring that does not fit.
const NO_RING: &str = "no room for the ring";

/// Draws the whole screen.
pub(super) fn screen(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let below = match area.height {
        ..LEAST_HEIGHT => area.height.saturating_sub(2),
        // Lines of logs need more room than changes.
        height if view.found.is_some() => height * 5 / 8,
        height => height * 3 / 8,
    };
    let [head, middle, legend, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
        Constraint::Length(below),
        Constraint::Length(1),
    ])
    .areas(area);
    let details_width = (area.width / 2).max(TABLE_WIDTH.min(area.width * 5 / 8));
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(details_width)])
        .spacing(1)
        .areas(middle);
    Paragraph::new(headline(view, theme)).render(head, buffer);
    let [_, circle, _] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)])
            .areas(left);
    let (columns, rows) = SMALLEST_RING;
    let mut meaning = ring::legend(view);
    if view.table {
        table::draw(view, theme, left, buffer);
    } else if circle.width >= columns && circle.height >= rows {
        ring::draw(view, theme, circle, buffer);
    } else {
        meaning = NO_RING;
    }
    Paragraph::new(Line::styled(meaning, theme.faint())).render(legend, buffer);
    Paragraph::new(details(view, theme, right.width)).render(right, buffer);
    draw_lower(view, theme, lower, buffer);
    Paragraph::new(footer(view, theme)).render(foot, buffer);
    if view.help {
        help::draw(theme, area, buffer);
    }
}

/// `vm1  9 alive, 1 failed, 0 left  list as 4 of 4 neighbours have it`, or what is wrong.
fn headline<'a>(view: &View, theme: Theme) -> Line<'a> {
    if let Some(why) = &view.lost {
        return Line::styled(printable(why), theme.warning());
    }
    let Some(report) = &view.report else { return Line::raw("asking memberd") };
    if report.phase != "member" {
        return Line::styled(report::headline(report), theme.warning());
    }
    let own = shorten(&report.name, view.domain(), WIDEST_TITLE);
    let name = Span::styled(format!("{own}  "), theme.title());
    let agreeing = report.neighbours.iter().filter(|neighbour| neighbour.agrees).count();
    let suspected = match report.suspected {
        0 => String::new(),
        count => format!("  {count} suspected"),
    };
    let style = |status: MemberStatus, count: u64| {
        if count > 0 { theme.standing(status) } else { theme.faint() }
    };
    Line::from(vec![
        name,
        Span::styled(format!("{} alive", report.alive), style(MemberStatus::Alive, report.alive)),
        Span::styled(
            format!("  {} failed", report.failed),
            style(MemberStatus::Failed, report.failed),
        ),
        Span::styled(format!("  {} left", report.left), theme.faint()),
        Span::styled(suspected, theme.suspected()),
        Span::raw(format!(
            "  list as {agreeing} of {} neighbours have it",
            report.neighbours.len()
        )),
    ])
}

/// The selected member, this machine's neighbours, its traffic and its warnings.
fn details<'a>(view: &View, theme: Theme, width: u16) -> Vec<Line<'a>> {
    let mut lines = vec![Line::raw("")];
    lines.extend(selected(view, theme, width));
    lines.extend(view.agreed().map(|agreed| agreement(agreed, theme)));
    if let Some(report) = &view.report {
        lines.extend(heartbeats(view, report, width).into_iter().enumerate().map(
            |(index, line)| {
                if index == 0 { Line::styled(line, theme.title()) } else { Line::raw(line) }
            },
        ));
        lines.extend(view.rates.map(|rates| Line::raw(traffic(rates))));
        let warnings = report.warnings.iter();
        lines.extend(
            warnings
                .map(|warning| Line::styled(format!("! {}", printable(warning)), theme.warning())),
        );
    }
    lines
}

fn selected<'a>(view: &View, theme: Theme, width: u16) -> Vec<Line<'a>> {
    let Some(member) = view.selected() else { return Vec::new() };
    let name = Span::styled(format!("[{}]", printable(&member.name)), theme.title());
    let verb = match member.status {
        MemberStatus::Alive => "joined",
        MemberStatus::Failed => "failed",
        MemberStatus::Left => "left",
    };
    let since = format!(" {verb} {}", format::ago(member.since, format::now()));
    let mut lines = vec![
        Line::from(vec![
            name,
            Span::styled(since, theme.member(member)),
            Span::raw(format!(", port {}", member.port)),
        ]),
        Line::raw(format!("at {}", printable(&member.address))),
    ];
    let suspicion = member.suspected_by.as_deref().map(format::suspicion);
    lines.extend(suspicion.map(|suspicion| Line::styled(suspicion, theme.suspected())));
    match &member.evidence {
        Some(evidence) => lines.push(Line::raw(format::evidence(evidence))),
        None if member.status == MemberStatus::Alive => {
            let names = |names: Vec<&str>| join(&names, view.domain(), width);
            lines.push(Line::from(vec![
                Span::raw("watched by "),
                Span::styled(names(view.monitors(&member.name)), theme.monitor()),
            ]));
            lines.push(Line::raw(format!("watches    {}", names(view.watched(&member.name)))));
        }
        None => {}
    }
    lines
}

/// `view 18 of term 7, led by vm3`.
fn agreement<'a>(view: &ViewSummary, theme: Theme) -> Line<'a> {
    let line = format!("view {}", report::views::short(view));
    if view.stale_ms.is_some() { Line::styled(line, theme.warning()) } else { Line::raw(line) }
}

/// The names in one line behind its first word, each with the same room.
fn join(names: &[&str], domain: &str, width: u16) -> String {
    if names.is_empty() {
        return "nobody".to_owned();
    }
    let columns = usize::from(width).saturating_sub("watched by ".len());
    let room = (columns / names.len()).saturating_sub(1).max(4);
    let short: Vec<String> = names.iter().map(|name| shorten(name, domain, room)).collect();
    short.join(" ")
}

/// A title and the table. The neighbours are this machine's, whichever member is selected.
fn heartbeats(view: &View, report: &StatusReport, width: u16) -> Vec<String> {
    if report.neighbours.is_empty() {
        return Vec::new();
    }
    let room = usize::from(width.saturating_sub(BESIDE_NAME)).max(4);
    let mut short = report.neighbours.clone();
    for neighbour in &mut short {
        neighbour.name = shorten(&neighbour.name, view.domain(), room);
    }
    let own = shorten(&report.name, view.domain(), WIDEST_TITLE);
    let mut lines = vec![format!("NEIGHBOURS of {own}")];
    lines.extend(neighbours::table(&short));
    lines
}

fn traffic(rates: Rates) -> String {
    let Rates { sent, sent_bytes, received, received_bytes } = rates;
    format!("out {sent:.1}/s {sent_bytes:.0} B/s, in {received:.1}/s {received_bytes:.0} B/s")
}

/// Draws the changes, and the grep if there is one.
fn draw_lower(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let share = if view.found.is_some() { 25 } else { 100 };
    let [changes, found] =
        Layout::vertical([Constraint::Percentage(share), Constraint::Min(0)]).areas(area);
    let room = usize::from(changes.height.saturating_sub(1));
    let hidden = view.changes.len().saturating_sub(room);
    let lines = view.changes.iter().skip(hidden).map(|update| change(update, theme));
    pane(Line::styled("CHANGES", theme.title()), lines, changes, buffer);
    if let Some(grep) = &view.found {
        draw_grep(view, grep, theme, found, buffer);
    }
}

/// Draws the visible lines of the grep, and how many lie above and below them.
fn draw_grep(view: &View, grep: &GrepPane, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let (lines, above, below) = grep.visible(usize::from(area.height.saturating_sub(1)));
    let hidden = match (above, below) {
        (_, 0) => String::new(),
        (above, below) => format!("  {above} lines above, {below} below"),
    };
    let title = Line::from(vec![
        Span::styled("GREP ", theme.title()),
        Span::raw(printable(&grep.line)),
        Span::styled(format!("  {}{hidden}", grep.state), theme.faint()),
    ]);
    let lines = lines.map(|line| {
        if view.directories {
            Line::raw(line.to_owned())
        } else {
            Line::raw(without_directories(line, |name| view.has(name)))
        }
    });
    pane(title, lines, area, buffer);
}

fn change<'a>(update: &Update, theme: Theme) -> Line<'a> {
    let time = |time| Span::styled(format!("{}  ", time_of_day(time)), theme.faint());
    match update {
        Update::Event(event) => {
            let style = match event.change {
                Change::Liveness => theme.standing(event.status),
                Change::Tags | Change::Forgotten => theme.faint(),
            };
            Line::from(vec![
                time(event.time),
                Span::raw(format!("{} ", printable(&event.member.name))),
                Span::styled(format::verb(event), style),
                Span::raw(changes::detail(event)),
            ])
        }
        Update::View(event) => {
            let style = match event.change {
                ViewChange::Lost | ViewChange::Stale => theme.warning(),
                ViewChange::Pending | ViewChange::Finished => theme.faint(),
                _ => theme.title(),
            };
            Line::from(vec![
                time(event.time),
                Span::styled(view_events::verb(event.change), style),
                Span::raw(view_events::detail(event)),
            ])
        }
        Update::Missed(missed) => Line::from(vec![
            time(missed.until),
            Span::styled(changes::describe_gap(missed), theme.warning()),
        ]),
    }
}

/// Draws a title, and lines below it.
fn pane<'a>(
    title: Line<'a>,
    lines: impl Iterator<Item = Line<'a>>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let shown: Vec<Line> = std::iter::once(title).chain(lines).collect();
    Paragraph::new(shown).render(area, buffer);
}

/// `01:20:33`, in UTC as in the logs.
fn time_of_day(milliseconds: u64) -> String {
    let timestamp = format::timestamp(milliseconds);
    timestamp.get(11..19).unwrap_or(&timestamp).to_owned()
}

fn footer<'a>(view: &View, theme: Theme) -> Line<'a> {
    match &view.typing {
        Some(line) => Line::from(vec![
            Span::styled("grep (a pattern, or options first): ", theme.title()),
            Span::raw(printable(line)),
            Span::styled(" ", theme.selected()),
        ]),
        None if view.found.is_some() => {
            let keys =
                "arrows select  / grep anew  PageUp scrolls  Esc ends the grep  ? help  q quits";
            Line::styled(keys, theme.faint())
        }
        None => Line::styled(
            "arrows select  m members  / grep all logs  ? help  q quits",
            theme.faint(),
        ),
    }
}
