//! Messages, and questions to the file system: late, lost, doubled, and done twice.

use super::sim::{Happening, World, name, short};
use memberd_jobs::{AskId, JobFile, Message, StoreAnswer, StoreAsk, decode, encode};
use rand::RngExt;

impl World {
    pub fn deliver(&mut self, from: usize, to: usize, message: Message) {
        if self.cut.contains(&(from, to)) {
            return;
        }
        self.note(|| format!("vm{from} -> vm{to} {}", short(&message)));
        if is_leaders(&message) {
            let from = name(from);
            return self.lead(to, |leader, _, out| leader.handle_message(&from, &message, out));
        }
        self.give(to, |worker, now| worker.handle_message(now, &name(from), message));
    }

    pub fn run_store(&mut self, at: usize, process: u32, ask: &StoreAsk, is_heard: bool) {
        let spread = ask.file.spread();
        let up = self.disks(spread);
        let before = self.store.files.get(&ask.file).map_or(0, |file| file.bytes.len());
        let answer = self.store.run(ask, &up);
        self.note(|| format!("store: vm{at} {} => {answer:?}", short(ask)));
        let file = self.store.files.get(&ask.file);
        let judged = self.oracle.stored(&self.machines, ask, at, (file, before), &answer);
        self.judge(judged);
        if is_heard {
            self.answers(at, process, ask, answer);
        }
    }

    /// An answer is on its way: it may come twice, and is sometimes lost.
    pub fn answers(&mut self, at: usize, process: u32, ask: &StoreAsk, answer: StoreAnswer) {
        let (id, file) = (ask.id, ask.file);
        let is_lost = !self.is_calm && self.rng.random_bool(self.setup.losses);
        let answer = if is_lost { StoreAnswer::Unknown } else { answer };
        let twice = !self.is_calm && self.rng.random_bool(self.setup.doubles);
        for _ in 0..=u8::from(twice) {
            let wait = self.delay();
            let answer = answer.clone();
            self.at(wait, Happening::Answer { at, process, id, file, answer });
        }
    }

    pub fn answer(&mut self, at: usize, id: AskId, file: JobFile, answer: StoreAnswer) {
        let is_leaders = self.machines[at]
            .leader
            .as_ref()
            .is_some_and(|leader| id.token == u64::from(leader.term()) << 32);
        if file == JobFile::Table || is_leaders {
            return self.lead(at, |leader, now, out| {
                leader.handle_store(now, (id, file), answer, out);
            });
        }
        self.give(at, |worker, now| worker.handle_store(now, id, file, answer));
    }

    /// How long a message or an operation takes, in microseconds.
    pub fn delay(&mut self) -> u64 {
        match self.rng.random_range(0..100) {
            0 if !self.is_calm => self.rng.random_range(50_000..3_000_000),
            1..8 => self.rng.random_range(5_000..60_000),
            _ => self.rng.random_range(200..5_000),
        }
    }

    pub fn send(&mut self, from: usize, to: usize, message: &Message) {
        let judged = self.oracle.sent(from, to, message);
        self.judge(judged);
        let message = &self.over_the_wire(message);
        if matches!(message, Message::Cursors(cursors) if cursors.has_more) {
            *self.notes.entry("pages").or_default() += 1;
        }
        let process = self.machines[to].process;
        let faulty = !self.is_calm && from != to;
        if faulty && self.rng.random_bool(self.setup.losses) {
            return;
        }
        let twice = faulty && self.rng.random_bool(self.setup.doubles);
        for _ in 0..=u8::from(twice) {
            let wait = self.delay();
            let message = message.clone();
            self.at(wait, Happening::Message { from, to, process, message });
        }
    }

    /// Every message has a form, within its bound, and is what is read of it.
    fn over_the_wire(&mut self, message: &Message) -> Message {
        let read = encode(message).and_then(|bytes| decode(&bytes));
        match read {
            Ok(read) if read == *message => read,
            other => {
                self.break_it(format!("wire: {other:?} of {message:?}"));
                message.clone()
            }
        }
    }

    /// A question goes to the file system. It may be refused, lost on the way, or done late.
    pub fn ask_store(&mut self, at: usize, ask: StoreAsk) {
        let process = self.machines[at].process;
        let faulty = !self.is_calm && self.rng.random_bool(self.setup.refusals);
        let wait = self.delay();
        if !faulty {
            return self.at(wait, Happening::Store { at, process, ask, is_heard: true });
        }
        let answer = match self.rng.random_range(0..3) {
            0 => StoreAnswer::Unavailable,
            // It happens once more, or later, and nobody hears of that.
            once => {
                let late = wait + self.rng.random_range(0..6_000_000);
                let again = StoreAsk::clone(&ask);
                self.at_any(late, Happening::Store { at, process, ask: again, is_heard: false });
                if once == 1 {
                    return self.at(wait, Happening::Store { at, process, ask, is_heard: true });
                }
                StoreAnswer::Unknown
            }
        };
        self.at(wait, Happening::Answer { at, process, id: ask.id, file: ask.file, answer });
    }

    /// Happens even if its process does not live any more: it is in the network.
    pub fn at_any(&mut self, after_us: u64, happening: Happening) {
        self.at(after_us, happening);
    }
}

fn is_leaders(message: &Message) -> bool {
    matches!(
        message,
        Message::AskTable
            | Message::Opened { .. }
            | Message::Stop { .. }
            | Message::Finished { .. }
    )
}

/// How files differ in where their copies are.
trait Spread {
    fn spread(&self) -> usize;
}

impl Spread for JobFile {
    fn spread(&self) -> usize {
        format!("{self:?}").bytes().map(usize::from).sum()
    }
}
