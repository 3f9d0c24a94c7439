//! Whatever is drawn: each line that is written counts once, through rotation and restarts.

use super::machine::{Machine, line, machine};
use super::*;

/// How many files are kept that were rotated away.
const KEPT: usize = 3;

/// Draws numbers from a seed (Marsaglia's xorshift).
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A machine, and one partition that counts its lines.
struct Story {
    machine: Machine,
    drawn: Drawn,
    /// Whether rotation copies and truncates.
    copies: bool,
    written: BTreeSet<String>,
    counted: BTreeMap<String, usize>,
    /// How far each file is counted, and whether nothing follows. They outlive restarts.
    cursors: BTreeMap<FileKey, (u64, bool)>,
    lines: i64,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut story = Story {
            machine: machine(Start::Beginning),
            drawn: Drawn(seed * 2 + 1),
            copies: seed % 2 == 1,
            written: BTreeSet::new(),
            counted: BTreeMap::new(),
            cursors: BTreeMap::new(),
            lines: 0,
        };
        story.write();
        story
    }

    /// Writes lines, and sometimes the last one in two parts.
    fn write(&mut self) {
        for _ in 0..=self.drawn.below(5) {
            self.lines += 1;
            let text = line(self.lines / 3, &format!("line {}", self.lines));
            self.written.insert(text.trim_end().to_owned());
            let (first, rest) = text.split_at(usize::try_from(self.drawn.below(9)).unwrap());
            self.machine.append("x.log", first);
            if self.drawn.below(4) == 0 {
                self.look();
            }
            self.machine.append("x.log", rest);
        }
    }

    fn rotate(&mut self) {
        let name = |number: usize| format!("x.log.{number}");
        // What a look has not seen once may be lost.
        self.look();
        if self.machine.path(&name(KEPT)).exists() {
            self.machine.remove(&name(KEPT));
        }
        for number in (1..KEPT).rev() {
            if self.machine.path(&name(number)).exists() {
                self.machine.rename(&name(number), &name(number + 1));
            }
        }
        if self.copies {
            self.machine.copy("x.log", &name(1));
            if self.drawn.below(3) == 0 {
                self.look();
            }
            self.machine.truncate("x.log");
            if self.drawn.below(3) == 0 {
                self.look();
            }
            return;
        }
        let is_open = self.drawn.below(3) == 0;
        if is_open {
            // Its last line never ends.
            self.lines += 1;
            let text = line(self.lines / 3, &format!("line {}", self.lines));
            self.written.insert(text.trim_end().to_owned());
            self.machine.append("x.log", text.trim_end());
        }
        self.machine.rename("x.log", &name(1));
        if self.drawn.below(3) == 0 {
            self.look();
        }
        self.write();
    }

    /// Looks, and counts a part of what is there.
    fn look(&mut self) {
        let part = 1 + self.drawn.below(200);
        self.count(part);
    }

    fn count(&mut self, most: u64) {
        let released: Vec<(FileKey, u64)> =
            self.cursors.iter().map(|(key, (at, _))| (*key, *at)).collect();
        for seen in self.machine.look(&released).files {
            let (at, is_finished) = self.cursors.entry(seen.key).or_insert((seen.first, false));
            if *is_finished {
                continue;
            }
            let told = self.machine.read(&seen);
            let text = &told.text[usize::try_from(*at).unwrap().min(told.text.len())..];
            let mut budget = most;
            for line in text.split_inclusive('\n') {
                if budget == 0 {
                    break;
                }
                budget = budget.saturating_sub(line.len() as u64);
                *self.counted.entry(line.trim_end().to_owned()).or_default() += 1;
                *at += line.len() as u64;
            }
            *is_finished = seen.is_finished && *at >= seen.end;
        }
    }

    /// Counts all that is there, the last lines of files that were rotated away included.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.count(u64::MAX);
            self.machine.pass(QUIET_MS);
        }
        self.count(u64::MAX);
    }

    fn run(&mut self) {
        for _ in 0..60 {
            match self.drawn.below(10) {
                0..=4 => self.write(),
                5..=6 => self.look(),
                7 => self.rotate(),
                8 => self.machine.pass(1_000),
                _ => {
                    // What has no name is lost with the daemon.
                    self.look();
                    let mut files = self.machine.files.files.values();
                    if files.any(|known| known.held_bytes(|_| 0).is_some()) {
                        self.settle();
                    }
                    self.write();
                    self.machine.restart();
                }
            }
        }
        self.settle();
    }
}

#[test]
fn each_line_counts_once_whatever_happens() {
    let seeds: u64 =
        std::env::var("MEMBERD_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    for seed in 0..seeds {
        let mut story = Story::new(seed);
        story.run();
        let count = |line: &String| story.counted.get(line).copied().unwrap_or(0);
        let counts = story.written.iter().map(|line| (line, count(line)));
        let wrong: Vec<(&String, usize)> = counts.filter(|(_, count)| *count != 1).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
        assert_eq!(story.counted.len(), story.written.len(), "seed {seed}");
    }
}
