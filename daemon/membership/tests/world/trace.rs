//! Makes the report of a failed run: the lists, the last actions and events, the seed, and the
//! command that runs it again. It owns no state.

use super::environment::SEED;
use super::{Seen, World};
use memberd_membership::Event;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// The number of members and of moments in a trace.
const MEMBERS: usize = 40;
const MOMENTS: usize = 100;

/// Sightings of one event within this time are shown as one.
const SAME_SIGHT: Duration = Duration::from_secs(1);

/// An event that many members saw at about the same time.
struct Sight {
    first: Duration,
    last: Duration,
    by: usize,
    lists: usize,
    what: String,
}

impl World {
    /// Adds an action on the world to its trace.
    pub fn note(&mut self, what: String) {
        self.notes.push((self.now, what));
    }

    /// The lists of the members, and the last actions and events.
    pub fn describe(&self) -> String {
        let mut text = format!("seed {}, at {:.3} s\n", self.seed, self.now.as_secs_f64());
        for (i, machine) in self.machines.iter().enumerate().take(MEMBERS) {
            let phase = machine.node.as_ref().map_or("down", |node| node.phase().as_str());
            let up = self.up_in_list(i);
            let names: Vec<&str> =
                up.iter().take(MEMBERS).map(memberd_membership::Name::as_str).collect();
            let last = machine.last.map_or(0, |last| last.0);
            let _ = writeln!(
                text,
                "vm{i} {phase}, incarnation {last}, {} up: {}",
                up.len(),
                names.join(" ")
            );
        }
        let mut moments: Vec<(Duration, String)> =
            self.notes.iter().map(|(at, what)| (*at, format!("--- {what}"))).collect();
        moments.extend(self.seen_in_brief());
        moments.sort_by_key(|(at, _)| *at);
        for (at, what) in &moments[moments.len().saturating_sub(MOMENTS)..] {
            let _ = writeln!(text, "{:.4} {what}", at.as_secs_f64());
        }
        text
    }

    /// The events. If many members saw one event, this shows the first observer, their number, and
    /// the last time.
    fn seen_in_brief(&self) -> impl Iterator<Item = (Duration, String)> {
        let mut sights: Vec<Sight> = Vec::new();
        let mut latest: BTreeMap<String, usize> = BTreeMap::new();
        for Seen { at, by, event } in &self.seen {
            let (what, shared) = match event {
                Event::Member(event) => (format!("{:?} {:?}", event.member, event.kind), true),
                other => (format!("{other:?}"), false),
            };
            let known = latest
                .get(&what)
                .filter(|index| shared && *at - sights[**index].last < SAME_SIGHT)
                .copied();
            if let Some(index) = known {
                sights[index].last = *at;
                sights[index].lists += 1;
            } else {
                latest.insert(what.clone(), sights.len());
                sights.push(Sight { first: *at, last: *at, by: *by, lists: 1, what });
            }
        }
        sights.into_iter().map(|Sight { first, last, by, lists, what }| {
            let more = if lists > 1 {
                format!(" ({lists} lists, until {:.4})", last.as_secs_f64())
            } else {
                String::new()
            };
            (first, format!("vm{by}: {what}{more}"))
        })
    }

    /// The command that runs this world again.
    pub fn replay(&self) -> String {
        let seed = self.seed;
        let program = std::env::current_exe().ok();
        let program = program.as_ref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("");
        match std::thread::current().name() {
            Some(test) if test != "main" => {
                let binary = program.rsplit_once('-').map_or(program, |(binary, _)| binary);
                format!(
                    "{SEED}={seed} cargo test -p memberd-membership --test {binary} -- \
                     --exact {test}"
                )
            }
            _ => {
                let arguments: Vec<String> = std::env::args().skip(1).collect();
                format!(
                    "cargo run --release -p memberd-membership --example {program} -- {} \
                     # seed {seed}",
                    arguments.join(" ")
                )
            }
        }
    }
}

impl Drop for World {
    /// A failed assertion prints the world that it is about.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}run it again: {}", self.describe(), self.replay());
        }
    }
}
