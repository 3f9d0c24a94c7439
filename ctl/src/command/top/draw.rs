//! Draws the screen: a headline, the ring and the selected member, changes and a grep, and the
//! keys.

use memberd_control::message::{Change, MemberStatus, StatusReport};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::ring;
use super::theme::Theme;
use super::view::{GrepPane, Rates, View};
use crate::changes::{self, Update};
use crate::format::{self, printable};
use crate::report::{self, neighbours};

/// On a screen of fewer rows there is no ring.
const LEAST_HEIGHT: u16 = 12;

/// The width of the table of neighbours, in columns.
const TABLE_WIDTH: u16 = 50;

/// Draws the whole screen.
pub(super) fn screen(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let below = if area.height >= LEAST_HEIGHT {
        area.height * 3 / 8
    } else {
        area.height.saturating_sub(2)
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
    ring::draw(view, theme, circle, buffer);
    Paragraph::new(Line::styled(ring::LEGEND, theme.faint())).render(legend, buffer);
    Paragraph::new(details(view, theme)).render(right, buffer);
    draw_lower(view, theme, lower, buffer);
    Paragraph::new(footer(view, theme)).render(foot, buffer);
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
    let name = Span::styled(format!("{}  ", printable(&report.name)), theme.title());
    let agreeing = report.neighbours.iter().filter(|neighbour| neighbour.agrees).count();
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
        Span::raw(format!(
            "  list as {agreeing} of {} neighbours have it",
            report.neighbours.len()
        )),
    ])
}

/// The selected member, this machine's neighbours, its traffic and its warnings.
fn details<'a>(view: &View, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = vec![Line::raw("")];
    lines.extend(selected(view, theme));
    if let Some(report) = &view.report {
        lines.push(Line::raw(""));
        lines.extend(heartbeats(report, theme));
        lines.extend(view.rates.map(|rates| Line::raw(traffic(rates))));
        let warnings = report.warnings.iter();
        lines.extend(
            warnings
                .map(|warning| Line::styled(format!("! {}", printable(warning)), theme.warning())),
        );
    }
    lines
}

fn selected<'a>(view: &View, theme: Theme) -> Vec<Line<'a>> {
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
            Span::styled(since, theme.standing(member.status)),
            Span::raw(format!(", port {}", member.port)),
        ]),
        Line::raw(format!("at {}", printable(&member.address))),
    ];
    match &member.evidence {
        Some(evidence) => lines.push(Line::raw(format::evidence(evidence))),
        None if member.status == MemberStatus::Alive => {
            let names = |names: Vec<&str>| {
                if names.is_empty() { "nobody".to_owned() } else { printable(&names.join(" ")) }
            };
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

fn heartbeats<'a>(report: &StatusReport, theme: Theme) -> Vec<Line<'a>> {
    let rows = neighbours::table(&report.neighbours);
    let styled =
        |(index, row)| if index == 0 { Line::styled(row, theme.title()) } else { Line::raw(row) };
    rows.into_iter().enumerate().map(styled).collect()
}

fn traffic(rates: Rates) -> String {
    let Rates { sent, sent_bytes, received, received_bytes } = rates;
    format!("out {sent:.1}/s {sent_bytes:.0} B/s, in {received:.1}/s {received_bytes:.0} B/s")
}

/// Draws the changes, and the grep if there is one.
fn draw_lower(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let share = if view.found.is_some() { 40 } else { 100 };
    let [changes, found] =
        Layout::vertical([Constraint::Percentage(share), Constraint::Min(0)]).areas(area);
    let lines = view.changes.iter().map(|update| change(update, theme)).collect();
    pane(Line::styled("CHANGES", theme.title()), lines, changes, buffer);
    if let Some(GrepPane { line, lines, state, .. }) = &view.found {
        let title = vec![
            Span::styled("GREP ", theme.title()),
            Span::raw(printable(line)),
            Span::styled(format!("  {state}"), theme.faint()),
        ];
        pane(
            Line::from(title),
            lines.iter().map(|line| Line::raw(line.clone())).collect(),
            found,
            buffer,
        );
    }
}

fn change<'a>(update: &Update, theme: Theme) -> Line<'a> {
    let time = |time| Span::styled(format!("{}  ", time_of_day(time)), theme.faint());
    match update {
        Update::Event(event) => {
            let style = match event.change {
                Change::Liveness => theme.standing(event.status),
                Change::Tags => theme.faint(),
            };
            Line::from(vec![
                time(event.time),
                Span::raw(format!("{} ", printable(&event.member.name))),
                Span::styled(format::verb(event), style),
                Span::raw(changes::detail(event)),
            ])
        }
        Update::Missed(missed) => Line::from(vec![
            time(missed.until),
            Span::styled(changes::describe_gap(missed), theme.warning()),
        ]),
    }
}

/// Draws a title, and below it as many of the last lines as fit.
fn pane(title: Line, lines: Vec<Line>, area: Rect, buffer: &mut Buffer) {
    let room = usize::from(area.height.saturating_sub(1));
    let hidden = lines.len().saturating_sub(room);
    let shown: Vec<Line> = std::iter::once(title).chain(lines.into_iter().skip(hidden)).collect();
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
            Line::styled("arrows select  / grep anew  Esc ends the grep  q quits", theme.faint())
        }
        None => Line::styled("arrows select  / grep all logs  q quits", theme.faint()),
    }
}
