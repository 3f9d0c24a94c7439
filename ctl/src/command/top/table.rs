//! The table of all members, for groups that are too large for the ring.

use memberd_control::message::{MemberRecord, MemberStatus};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::label::shorten;
use super::ring;
use super::theme::Theme;
use super::view::View;
use crate::format;
use crate::members::natural;

/// The widest column of names, in characters.
const WIDEST_NAME: usize = 40;

/// The order of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    /// The failed first, then the suspected, then those that left.
    Status,
    /// The latest change first.
    Since,
}

impl Sort {
    /// The order after this one.
    pub(super) fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Status,
            Sort::Status => Sort::Since,
            Sort::Since => Sort::Name,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Status => "status",
            Sort::Since => "time",
        }
    }

    /// Brings members into this order.
    pub(super) fn apply(self, members: &mut [&MemberRecord]) {
        let trouble = |member: &MemberRecord| match member.status {
            MemberStatus::Failed => 0,
            MemberStatus::Alive if member.suspected_by.is_some() => 1,
            MemberStatus::Left => 2,
            MemberStatus::Alive => 3,
        };
        members.sort_by(|one, other| natural(&one.name, &other.name));
        match self {
            Sort::Name => {}
            Sort::Status => members.sort_by_key(|member| trouble(member)),
            Sort::Since => members.sort_by_key(|member| std::cmp::Reverse(member.since)),
        }
    }
}

/// Draws as many members as fit, the selected one among them.
pub(super) fn draw(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let members = view.in_table();
    let title = format!("MEMBERS by {}", view.sort.name());
    let rows = usize::from(area.height.saturating_sub(1));
    let place = view
        .selected()
        .and_then(|selected| members.iter().position(|member| member.name == selected.name));
    // The selected member is in the middle, but no row stays empty while there are members.
    let first = place.unwrap_or(0).saturating_sub(rows / 2).min(members.len().saturating_sub(rows));
    let domain = view.domain();
    let longest = members.iter().map(|member| member.name.len().saturating_sub(domain.len())).max();
    // A mark, a status and how long ago stand beside the name.
    let room = usize::from(area.width).saturating_sub("o  failed  59 min ago".len());
    let width = longest.unwrap_or(0).clamp(4, WIDEST_NAME).min(room);
    let now = format::now();
    let mut lines = vec![Line::styled(title, theme.title())];
    lines.extend(members.iter().enumerate().skip(first).take(rows).map(|(index, member)| {
        let name = shorten(&member.name, domain, width);
        let (mark, standing) = ring::mark(member, false, theme);
        let style = if place == Some(index) { theme.selected() } else { theme.row() };
        let name = if view.leads(&member.name) { name + "^" } else { name };
        let room = width + 1;
        Line::from(vec![
            Span::styled(mark, standing),
            Span::styled(format!(" {name:room$}"), style),
            Span::styled(format!("{:6}", member.status.as_str()), standing),
            Span::raw(format!("  {}", format::ago(member.since, now))),
        ])
    }));
    Paragraph::new(lines).render(area, buffer);
}
