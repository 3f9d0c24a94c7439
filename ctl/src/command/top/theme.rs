//! The styles of the screen. Colour only repeats what words and marks show too.

use memberd_control::message::{MemberRecord, MemberStatus};
use ratatui::style::{Color, Modifier, Style};

/// The styles, with colour or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    color: bool,
}

impl Theme {
    pub(super) fn new(color: bool) -> Theme {
        Theme { color }
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn row(self) -> Style {
        Style::new()
    }

    pub(super) fn warning(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// The style of a member that watches the selected one.
    pub(super) fn monitor(self) -> Style {
        self.colored(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The style of an alive member that is suspected.
    pub(super) fn suspected(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// The style of a member of the list.
    pub(super) fn member(self, member: &MemberRecord) -> Style {
        match member.suspected_by {
            Some(_) => self.suspected(),
            None => self.standing(member.status),
        }
    }

    pub(super) fn standing(self, status: MemberStatus) -> Style {
        match status {
            MemberStatus::Alive => self.colored(Color::Green),
            MemberStatus::Failed => self.colored(Color::Red).add_modifier(Modifier::BOLD),
            MemberStatus::Left => self.faint(),
        }
    }

    fn colored(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}
