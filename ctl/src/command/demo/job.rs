//! The scene of a durable job: a member that works for it is killed while all log, and each line
//! counts once.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use super::{COUNCIL, Stage, elapsed, logs};
use crate::command::stream;
use crate::connection::unexpected_reply;
use crate::exit::{Exit, Failure};
use crate::format;
use crate::output::Style;

/// The name of the job.
const JOB: &str = "requests";

/// Where its rows go.
const SINK: &str = "/streams/requests.tsv";

/// How long the members log before one of them is killed, and afterwards.
const LOGGING: Duration = Duration::from_secs(2);

/// The pause between two lines of a log.
const PACE: Duration = Duration::from_millis(10);

/// How long rows may take. Another member must be chosen, and find the sums of the killed one.
const LIMIT: Duration = Duration::from_secs(120);

/// How many of its last rows are shown.
const SHOWN: usize = 3;

impl Stage {
    /// Starts a job, kills a member that works for it, and compares the rows with what was logged.
    pub(super) fn count_on(&mut self) -> Result<(), Failure> {
        if self.fleet.members.len() < COUNCIL {
            return Ok(());
        }
        self.start_job()?;
        let (name, work) = self.victim()?;
        let mut written = self.log_for(LOGGING)?;

        let index = self.index(&name)?;
        let other = usize::from(index == 0);
        let killed = Instant::now();
        self.fleet.members.get_mut(index).ok_or_else(unexpected_reply)?.crash()?;
        let members = format::count(self.fleet.members.len() as u64, "member");
        self.title(&format!("{name}, which {work}, was killed while {members} log"))?;
        written += self.log_for(LOGGING)?;
        self.fleet.start(index, &self.interrupt)?;
        let back = elapsed(killed.elapsed());
        self.output.line(&format!(
            "{name} is started again after {back}, and reads what was logged there meanwhile"
        ))?;

        let last = self.wait_for_rows(other, written)?;
        let after = elapsed(killed.elapsed());
        let asker = format!("vm{}", other + 1);
        self.command(&asker, &format!("file cat {SINK} | tail -n {SHOWN}"))?;
        for row in last {
            self.output.line(&row)?;
        }
        let line = format!(
            "{written} lines were written, and the rows count {written}: each line once. The \
             last row came {after} after the kill."
        );
        self.output.line(&self.output.styled(Style::Green, &line))?;
        self.breathe()
    }

    /// Starts the job over lines from now on.
    fn start_job(&mut self) -> Result<(), Failure> {
        let file = self.fleet.directory.join(format!("{JOB}.toml"));
        // A JSON string is also a TOML string.
        let logs = self.fleet.directory.join("*").join(logs::FILE);
        let logs = serde_json::Value::from(logs.to_string_lossy());
        let from = format::timestamp(format::now());
        let text = format!(
            "name = \"{JOB}\"\nquery = \"| count by member every 1s\"\nfiles = [{logs}]\n\
             from = \"{from}\"\nlateness = \"1s\"\nsink = {{ file = \"{SINK}\" }}\n"
        );
        fs::write(&file, &text).map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write {}: {error}", file.display()))
        })?;
        self.title("A job that counts all lines, for weeks if it must")?;
        self.command("vm1", &format!("stream start {}", file.display()))?;
        stream::Start::plain(file).run(&self.daemon(0)?)
    }

    /// The member that writes the rows, or else sums some of them, and what it does. One that has
    /// crashed before is left alone: it would not be in the view again for ten seconds.
    fn victim(&self) -> Result<(String, &'static str), Failure> {
        let begun = Instant::now();
        let crashed = self.fleet.members.iter().filter(|member| member.has_crashed);
        let crashed: Vec<&str> = crashed.map(|member| member.name.as_str()).collect();
        loop {
            if let Ok(status) = stream::status(&self.daemon(0)?, JOB)
                && let Some(writer) = status.sink_owner
            {
                let parts = status.partitions.into_iter().filter_map(|part| part.owner);
                let sums = parts.map(|owner| (owner, "sums some of its keys"));
                let mut owners = std::iter::once((writer, "writes the rows")).chain(sums);
                if let Some(victim) = owners.find(|(owner, _)| !crashed.contains(&owner.as_str())) {
                    return Ok(victim);
                }
            }
            self.look_again((begun, LIMIT), PACE, "no member has taken over the job")?;
        }
    }

    /// Appends lines to the logs of all for this long, as their programs would. Returns how many.
    fn log_for(&self, time: Duration) -> Result<u64, Failure> {
        let (begun, mut lines) = (Instant::now(), 0);
        while begun.elapsed() < time {
            for member in &self.fleet.members {
                member.log("INFO  http    GET /cart 200")?;
                lines += 1;
            }
            self.interrupt.pause(PACE)?;
        }
        Ok(lines)
    }

    /// Waits until the rows, as this member has them, count so many lines. Returns the last rows.
    fn wait_for_rows(&self, asked: usize, lines: u64) -> Result<Vec<String>, Failure> {
        let daemon = self.daemon(asked)?;
        let mut sink = stream::SinkFile::new(SINK.to_owned(), 0);
        let mut rows = Rows::default();
        let begun = Instant::now();
        loop {
            let read = sink.read(&daemon, |row| {
                rows.take(&String::from_utf8_lossy(&row.text));
                Ok(())
            });
            let counted = rows.counted();
            let problem = match read {
                Ok(None) if counted == lines => return Ok(rows.last),
                Ok(None) => format!("the rows count {counted} of {lines} lines"),
                Ok(Some(end)) => {
                    let end = format!("the job has ended: {}", String::from_utf8_lossy(&end));
                    return Err(Failure::new(Exit::Failed, end));
                }
                // While the members that keep the sink change, it cannot be read for a moment.
                Err(failure) => failure.to_string(),
            };
            self.look_again((begun, LIMIT), PACE, &problem)?;
        }
    }
}

/// The rows of a sink.
#[derive(Debug, Default)]
struct Rows {
    /// Of each window and member the count of its last revision.
    counts: BTreeMap<(String, String), u64>,
    /// The last rows, in their order.
    last: Vec<String>,
}

impl Rows {
    /// Takes the next row: `seq TAB window TAB member TAB count TAB rev`.
    fn take(&mut self, row: &str) {
        let cells: Vec<&str> = row.split('\t').collect();
        if let [_, window, member, count, _] = cells.as_slice()
            && let Ok(count) = count.parse()
        {
            self.counts.insert(((*window).to_owned(), (*member).to_owned()), count);
        }
        self.last.push(row.to_owned());
        let surplus = self.last.len().saturating_sub(SHOWN);
        self.last.drain(..surplus);
    }

    fn counted(&self) -> u64 {
        self.counts.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_revision_of_a_row_counts() {
        let mut rows = Rows::default();
        for row in ["0\tW1\tvm1\t7\t0", "1\tW1\tvm2\t5\t0", "2\tW2\tvm1\t1\t0", "3\tW1\tvm1\t9\t1"]
        {
            rows.take(row);
        }
        assert_eq!((rows.counted(), rows.last.len()), (9 + 5 + 1, SHOWN));
        assert_eq!(rows.last.last().map(String::as_str), Some("3\tW1\tvm1\t9\t1"));
        // A gap is a row that counts nothing.
        rows.take("4\tgap\tvm2\t00ff\t0-9\tp3\tdeleted\t0");
        assert_eq!(rows.counted(), 15);
    }
}
