//! Makes the report of a broken run: what each machine holds, the last moments, the seed, and the
//! command that runs it again. It owns no state.

use super::World;
use super::environment::SEED;
use super::ring::Standing;
use std::fmt::Write;

/// The number of moments in a report.
const MOMENTS: usize = 150;

impl World {
    /// Writes a moment down, if the run is traced.
    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if self.traced {
            let what = what();
            self.notes.push((self.now, what));
        }
    }

    pub(super) fn describe_list(&self, i: usize) -> String {
        let mut text = String::new();
        for (target, entry) in self.ring.list(i).iter().enumerate() {
            let Some(entry) = entry else { continue };
            let mark = match entry.standing {
                Standing::Up => "",
                Standing::Failed => "(failed)",
                Standing::Left => "(left)",
            };
            let _ = write!(text, " vm{target}/{}{mark}", entry.incarnation);
        }
        text
    }

    /// What each machine holds, and the last moments of a traced run.
    pub fn describe(&self) -> String {
        let mut text = format!("seed {}, at {:.6} s\n", self.seed, self.now.as_secs_f64());
        for (i, machine) in self.machines.iter().enumerate() {
            let state = match &machine.process {
                None => "down".to_owned(),
                Some(process) => {
                    let stopped = if machine.stopped { "stopped, " } else { "" };
                    let status = process.status(self.clocks(i));
                    format!(
                        "{stopped}{}, view {} of term {}, leader {:?}, promised {:?}, exclusive \
                         until {:?}, council {:?}, members {:?}",
                        status.role.as_str(),
                        status.view.number,
                        status.view.term,
                        status.leader,
                        status.promised,
                        status.exclusive_until,
                        status.view.council,
                        status.view.members
                    )
                }
            };
            let _ = writeln!(text, "vm{i} {state}; list:{}", self.describe_list(i));
        }
        for (at, what) in &self.notes[self.notes.len().saturating_sub(self.moments())..] {
            let _ = writeln!(text, "{:.6} {what}", at.as_secs_f64());
        }
        text
    }

    fn moments(&self) -> usize {
        let asked = std::env::var("MEMBERD_SIM_MOMENTS").ok().and_then(|text| text.parse().ok());
        asked.unwrap_or(MOMENTS)
    }

    /// The command that runs this world again.
    pub fn replay(&self) -> String {
        // Threads that share the seeds have no name.
        let program = std::env::current_exe().ok();
        let program = program.as_ref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("");
        let binary = program.rsplit_once('-').map_or(program, |(binary, _)| binary);
        let test = std::thread::current().name().unwrap_or("").to_owned();
        let seed = self.seed;
        format!("{SEED}={seed} cargo test -p memberd-council --test {binary} {test}")
    }

    /// Fails the test if an invariant was broken, with the report.
    pub fn expect_sound(&self) {
        if let Some(violation) = &self.violation {
            panic!("{violation}\n{}run it again: {}", self.describe(), self.replay());
        }
    }
}
