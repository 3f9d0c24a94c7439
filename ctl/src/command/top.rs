//! `memberctl top`: shows the group on one screen, live or once.

mod draw;
mod feed;
mod grep_pane;
mod help;
mod label;
mod ring;
mod search;
mod table;
#[cfg(test)]
mod tests;
mod theme;
mod view;

use std::io::IsTerminal;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueHint;
use nix::sys::signal::{Signal, raise};
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::{DefaultTerminal, Terminal};

use self::feed::{Feed, Input};
use self::search::Search;
use self::theme::Theme;
use self::view::{Action, View};
use crate::connection::Daemon;
use crate::exit::{Exit, Failure};
use crate::output::{ColorChoice, Output};

/// The pause between the two reports of `--once`, from which rates are computed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Shows the group, live.
#[derive(Debug, clap::Args)]
#[command(after_help = "Keys: arrows, or h j k l, select a member; m shows the table of all \
    members; / searches all members' logs, as memberctl grep does; Esc ends the search; ? shows \
    all keys; q quits.

On the ring, members marked # watch the selected member.")]
pub(crate) struct Top {
    /// Print one screen as text, and exit
    #[arg(long)]
    once: bool,

    /// The size of the screen of --once
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "80x24", requires = "once")]
    size: Size,

    /// The member to select; without this option, this machine
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Hostname)]
    member: Option<String>,

    #[command(flatten)]
    color: ColorChoice,
}

/// The size of a screen, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    columns: u16,
    rows: u16,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let number =
            |text: &str| text.parse::<u16>().ok().filter(|number| (1..=1_000).contains(number));
        let (columns, rows) = text.split_once('x').unwrap_or_default();
        match (number(columns), number(rows)) {
            (Some(columns), Some(rows)) => Ok(Size { columns, rows }),
            _ => Err("write columns and rows, such as 80x24, each from 1 to 1000".to_owned()),
        }
    }
}

impl Top {
    /// Shows the group until the user quits.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        if self.once {
            return self.print(daemon);
        }
        // If the daemon cannot be reached, that is one line on standard error, and no screen.
        let first = self.first_snapshot(daemon)?;
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                "top needs a terminal: try memberctl top --once, or memberctl list --watch",
            ));
        }
        let signals = feed::block_signals()?;
        let mut terminal = ratatui::try_init().map_err(|error| screen(&error))?;
        let shown = self.live(daemon, first, signals, &mut terminal);
        let restored = ratatui::try_restore().map_err(|error| screen(&error));
        shown.and(restored)
    }

    /// The first snapshot, which must contain the member to select.
    fn first_snapshot(&self, daemon: &Daemon) -> Result<feed::Snapshot, Failure> {
        let snapshot = feed::fetch(daemon)?;
        let members = snapshot.group.iter().flat_map(|group| &group.members);
        match &self.member {
            Some(name) if members.into_iter().all(|member| member.name != *name) => {
                Err(Failure::new(
                    Exit::Failed,
                    format!("{name} is not in the list: see memberctl list --all"),
                ))
            }
            _ => Ok(snapshot),
        }
    }

    fn live(
        &self,
        daemon: &Daemon,
        first: feed::Snapshot,
        signals: feed::Signals,
        terminal: &mut DefaultTerminal,
    ) -> Result<(), Failure> {
        let theme = Theme::new(self.color.wanted());
        let mut view = View::new(self.member.clone());
        view.take(Input::Snapshot(Box::new(first)));
        let feed = Feed::start(daemon.clone(), signals);
        let mut search: Option<Search> = None;
        loop {
            terminal
                .draw(|frame| draw::screen(&view, theme, frame.area(), frame.buffer_mut()))
                .map_err(|error| screen(&error))?;
            let Some(input) = feed.next() else { return Ok(()) };
            match view.take(input) {
                Action::None => {}
                Action::Quit => return Ok(()),
                Action::EndSearch => search = None,
                Action::Suspend => *terminal = suspend()?,
                Action::Search(line) => {
                    // The last search ends before the next one begins.
                    drop(search.take());
                    search = view.searching(Search::start(daemon, &line, feed.sender()));
                }
            }
        }
    }

    fn print(&self, daemon: &Daemon) -> Result<(), Failure> {
        let mut view = View::new(self.member.clone());
        view.take(Input::Snapshot(Box::new(self.first_snapshot(daemon)?)));
        for update in feed::past(daemon)? {
            view.take(Input::Update(update));
        }
        std::thread::sleep(BETWEEN_LOOKS);
        view.take(Input::Snapshot(Box::new(feed::fetch(daemon)?)));
        let mut terminal = Terminal::new(TestBackend::new(self.size.columns, self.size.rows))
            .map_err(|error| screen(&error))?;
        let theme = Theme::new(false);
        terminal
            .draw(|frame| draw::screen(&view, theme, frame.area(), frame.buffer_mut()))
            .map_err(|error| screen(&error))?;
        Output::new().text(&as_text(terminal.backend().buffer()))
    }
}

/// Stops this program, as Ctrl-Z does on a terminal that is not in raw mode. Returns the terminal
/// when the shell continues the program.
fn suspend() -> Result<DefaultTerminal, Failure> {
    ratatui::try_restore().map_err(|error| screen(&error))?;
    raise(Signal::SIGTSTP)
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot stop: {error}")))?;
    ratatui::try_init().map_err(|error| screen(&error))
}

/// The characters of a screen, without spaces at the ends of lines.
fn as_text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

fn screen(error: &impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("cannot draw on this terminal: {error}: try memberctl top --once"),
    )
}
