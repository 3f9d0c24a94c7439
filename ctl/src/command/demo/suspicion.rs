//! The scene of a member that stands still, is suspected, and shows in time that it is up.

use std::time::{Duration, Instant};

use super::fleet::Member;
use super::{CHANGE_LIMIT, Stage, elapsed};
use crate::command::list;
use crate::connection::unexpected_reply;
use crate::exit::{Exit, Failure};
use crate::output::Style;

/// How long the member stands still: far longer than the ring would wait, and shorter than both
/// timeouts by default.
const STANDS_STILL: Duration = Duration::from_secs(4);

/// The pause between two looks at the logs.
const LOOK: Duration = Duration::from_millis(10);

impl Stage {
    /// Stops the last member until another one suspects it, for four seconds, and lets it go on.
    pub(super) fn stand_still(&mut self) -> Result<(), Failure> {
        let index = self.fleet.members.len() - 1;
        self.interrupt.pause(super::SETTLING)?;
        let stopped = Instant::now();
        let name = self.member(index)?.name.clone();
        self.member(index)?.stop()?;
        self.title(&format!("{name} stands still (SIGSTOP)"))?;
        let by = self.wait_for_line(index, &format!("member suspected name={name} "))?;
        let after = elapsed(stopped.elapsed());
        self.output.line(&format!("  {by} said after {after} that it is suspected"))?;
        self.command("vm1", "list")?;
        list::List::plain(false).run(&self.daemon(0)?)?;

        self.interrupt.pause(STANDS_STILL.saturating_sub(stopped.elapsed()))?;
        self.member(index)?.go_on()?;
        let going = Instant::now();
        let stood = elapsed(stopped.elapsed());
        self.title(&format!("{name} goes on after {stood} (SIGCONT)"))?;
        let by = self.wait_for_line(index, &format!("member cleared name={name} "))?;
        let after = elapsed(going.elapsed());
        self.output.line(&format!("  {by} said after {after} that the suspicion is refuted"))?;
        let wrong = format!("member failed name={name} ");
        if self.fleet.members.iter().any(|member| member.has_said(&wrong)) {
            let message = format!("{name} was listed as failed: run the demo again");
            return Err(Failure::new(Exit::Failed, message));
        }
        let line = format!("Nobody listed {name} as failed.");
        self.output.line(&self.output.styled(Style::Green, &line))?;
        self.breathe()
    }

    fn member(&mut self, index: usize) -> Result<&mut Member, Failure> {
        self.fleet.members.get_mut(index).ok_or_else(unexpected_reply)
    }

    /// Waits until the log of another member has these words, and returns its name.
    fn wait_for_line(&self, index: usize, words: &str) -> Result<String, Failure> {
        let begun = Instant::now();
        loop {
            let mut others = self.fleet.members.iter().enumerate();
            let said = others.find(|(other, member)| *other != index && member.has_said(words));
            if let Some((_, member)) = said {
                return Ok(member.name.clone());
            }
            self.look_again((begun, CHANGE_LIMIT), LOOK, &format!("no log says {words:?}"))?;
        }
    }
}
