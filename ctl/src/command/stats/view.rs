//! Shows the rows of an answer that grows: a table in place on a terminal, and elsewhere each row
//! that has changed. It owns what was told of lines that are in no row.

use std::sync::Arc;

use memberd_streams::{Counts, Plan, Rows};
use serde::Serialize;

use super::gathering::Gathering;
use super::print::{self, Form};
use super::screen::Screen;
use crate::command::grep::progress::Progress;
use crate::exit::{Failure, print_message};
use crate::output::Output;

/// Where rows go.
pub(super) struct View {
    output: Output,
    plan: Arc<Plan>,
    place: Place,
}

/// How they are shown.
enum Place {
    /// As a table that is drawn anew.
    Screen(Screen),
    /// A line for each change.
    Lines { form: Form, progress: Progress, told: Counts },
}

/// An object of `--json` behind the changes of an interval. Users rely on its shape.
#[derive(Serialize)]
struct Counted {
    r#type: &'static str,
    lines: u64,
    unparsed: u64,
    without_time: u64,
    not_numbers: u64,
    late: u64,
}

impl View {
    /// Nothing is shown yet but the names of the columns, if they come first.
    pub(super) fn new(form: Form, plan: Arc<Plan>) -> Result<View, Failure> {
        let mut output = Output::new();
        let place = match form {
            Form::Table => Place::Screen(Screen::new(&plan)),
            Form::Tabs { .. } | Form::Json => {
                let columns = plan.columns().to_vec();
                let nothing = Rows { columns, rows: Vec::new(), counts: Counts::default() };
                print::rows(&mut output, form, &nothing)?;
                let form = if form == Form::Json { form } else { Form::Tabs { header: false } };
                Place::Lines { form, progress: Progress::new(true), told: Counts::default() }
            }
        };
        Ok(View { output, plan, place })
    }

    /// Shows the rows as they are now, or those that have changed.
    pub(super) fn show(&mut self, gathering: &mut Gathering) -> Result<(), Failure> {
        let counts = gathering.counts();
        let (columns, reader) = (self.plan.columns(), self.plan.reader());
        match &mut self.place {
            Place::Screen(screen) => {
                let left_out = print::left_out(counts, columns, reader);
                screen.take(gathering.rows()?, left_out);
                screen.draw(&mut self.output)
            }
            Place::Lines { form, progress, told } => {
                let rows = gathering.changed()?;
                progress.clear();
                print::rows(&mut self.output, *form, &rows)?;
                if *form == Form::Json {
                    self.output.object(&Counted::of(counts))?;
                }
                let lines = print::left_out(news(counts, told), columns, reader);
                lines.iter().for_each(|line| print_message(line));
                Ok(())
            }
        }
    }

    /// Prints these lines on standard error, above the table.
    pub(super) fn messages(&mut self, lines: &[String]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        match &mut self.place {
            Place::Screen(screen) => screen.erase(&mut self.output)?,
            Place::Lines { progress, .. } => progress.clear(),
        }
        lines.iter().for_each(|line| print_message(line));
        match &mut self.place {
            Place::Screen(screen) => screen.draw(&mut self.output),
            Place::Lines { .. } => Ok(()),
        }
    }

    /// Shows how many members are followed.
    pub(super) fn progress(
        &mut self,
        asked: u64,
        answered: u64,
        bytes: u64,
    ) -> Result<(), Failure> {
        match &mut self.place {
            Place::Screen(screen) => {
                let is_new = screen.follows(asked.saturating_sub(answered));
                if is_new { screen.draw(&mut self.output) } else { Ok(()) }
            }
            Place::Lines { progress, .. } => {
                progress.show(asked, answered, bytes);
                Ok(())
            }
        }
    }

    /// Whether there is a table on a terminal.
    pub(super) fn is_screen(&self) -> bool {
        matches!(self.place, Place::Screen(_))
    }

    /// Draws the table anew if the terminal has another size than when it was drawn.
    pub(super) fn fit(&mut self) -> Result<(), Failure> {
        match &mut self.place {
            Place::Screen(screen) if screen.has_new_size() => screen.draw(&mut self.output),
            Place::Screen(_) | Place::Lines { .. } => Ok(()),
        }
    }
}

impl Counted {
    fn of(counts: Counts) -> Counted {
        let Counts { lines, unparsed, without_time, not_numbers, late } = counts;
        Counted { r#type: "counts", lines, unparsed, without_time, not_numbers, late }
    }
}

/// Those of the counts that are to be told, since they have doubled at least. An answer that goes
/// on for days tells each of them some dozens of times.
fn news(counts: Counts, told: &mut Counts) -> Counts {
    let new = |now: u64, told: &mut u64| {
        let is_new = now > 0 && now >= told.saturating_mul(2);
        if is_new {
            *told = now;
        }
        if is_new { now } else { 0 }
    };
    Counts {
        lines: counts.lines,
        unparsed: new(counts.unparsed, &mut told.unparsed),
        without_time: new(counts.without_time, &mut told.without_time),
        not_numbers: new(counts.not_numbers, &mut told.not_numbers),
        late: new(counts.late, &mut told.late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_row_is_told_when_it_has_doubled() {
        let mut told = Counts::default();
        let mut late = Vec::new();
        for now in [0, 1, 1, 2, 3, 4, 7, 9, 9, 100] {
            let counts = Counts { late: now, unparsed: 5, ..Counts::default() };
            late.push(news(counts, &mut told).late);
        }
        assert_eq!(late, [0, 1, 0, 2, 0, 4, 0, 9, 0, 100]);
        assert_eq!(told.unparsed, 5);
    }
}
