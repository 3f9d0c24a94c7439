//! One conversation with the store about one file: fence, read, and then write under a condition.
//! Owns what is known of the file. Whatever is in doubt ends in opening it again, so there is one
//! way to recover and no second one.

use crate::ids::{JobId, Stage};
use crate::output::Note;
use crate::settings::{Mutant, Settings};
use crate::store::{
    AskId, At, Condition, JobFile, StoreAnswer, StoreAsk, StoreOperation as Operation,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not open. It is opened at this time, in milliseconds since boot.
    Closed(u64),
    Fencing,
    Reading,
    Ready,
    Writing,
    /// Another one has it now, or it is lost.
    Ended,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing new.
    Nothing,
    /// The file is open, and this is in it from the offset on that was asked for.
    Opened(Vec<u8>),
    /// What was written is durable.
    Written,
    /// Nobody knows what the file has. It will be opened again: all in memory is void.
    Doubt,
    /// Somebody with a larger token has it.
    Deposed,
    /// The file is not there, although it was made: all copies are lost.
    Lost,
}

impl Heard {
    /// What is noted of a stage whose file this has taken away.
    pub(crate) fn end_of(&self, job: JobId, stage: Stage) -> Option<Note> {
        match self {
            Heard::Deposed => Some(Note::Deposed(job, stage)),
            Heard::Lost => Some(Note::LogLost(job, stage)),
            Heard::Nothing | Heard::Opened(_) | Heard::Written | Heard::Doubt => None,
        }
    }
}

/// A conversation about a file.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    file: JobFile,
    token: u64,
    phase: Phase,
    number: u64,
    asked_ms: u64,
    /// The bytes of what is being written, which take their time.
    bytes: usize,
    /// From where it is read.
    from: u64,
    at: At,
}

impl Log {
    /// It is opened at the first [`Log::work`].
    pub(crate) fn new(file: JobFile, token: u64) -> Log {
        let phase = Phase::Closed(0);
        Log { file, token, phase, number: 0, asked_ms: 0, bytes: 0, from: 0, at: At::default() }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Writing)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// The file as of the last answer.
    pub(crate) fn at(&self) -> At {
        self.at
    }

    /// The next time at which [`Log::work`] has something to do.
    pub(crate) fn due_ms(&self, settings: &Settings) -> Option<u64> {
        match self.phase {
            Phase::Closed(at) => Some(at),
            Phase::Ready | Phase::Ended => None,
            _ => Some(self.asked_ms + self.patience_ms(settings)),
        }
    }

    /// How long an answer is waited for: a write takes a second for each MiB more.
    fn patience_ms(&self, settings: &Settings) -> u64 {
        3 * settings.retry_ms + u64::try_from(self.bytes / 1_000).unwrap_or(u64::MAX)
    }

    /// Reads from here on when it opens.
    pub(crate) fn read_from(&mut self, from: u64) {
        self.from = from;
    }

    /// Opens it if that is due.
    pub(crate) fn work(&mut self, now_ms: u64, settings: &Settings) -> (Heard, Option<StoreAsk>) {
        let unfenced = match self.file {
            JobFile::Table => settings.is(Mutant::TableUnfenced),
            _ => settings.is(Mutant::NoFence),
        };
        match self.phase {
            Phase::Closed(at) if at <= now_ms && unfenced => {
                let read = Operation::Read { from: self.from };
                (Heard::Nothing, Some(self.ask(now_ms, Phase::Reading, read)))
            }
            Phase::Closed(at) if at <= now_ms => {
                let fence = Operation::Fence { token: self.token };
                (Heard::Nothing, Some(self.ask(now_ms, Phase::Fencing, fence)))
            }
            Phase::Fencing | Phase::Reading | Phase::Writing
                if self.asked_ms + self.patience_ms(settings) <= now_ms =>
            {
                self.phase = Phase::Closed(now_ms);
                (Heard::Doubt, None)
            }
            _ => (Heard::Nothing, None),
        }
    }

    /// Everything that is known of the file is in doubt.
    pub(crate) fn reopen(&mut self, now_ms: u64, settings: &Settings) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Closed(now_ms + settings.retry_ms / 8);
        }
    }

    /// Nothing is asked of the file any more.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
    }

    /// Appends under a condition. It is [`Log::is_ready`].
    pub(crate) fn append(&mut self, now_ms: u64, only: Condition, bytes: Vec<u8>) -> StoreAsk {
        let append = Operation::Append { token: self.token, only, bytes };
        self.ask(now_ms, Phase::Writing, append)
    }

    /// Replaces all of it, if it has not changed. It is [`Log::is_ready`].
    pub(crate) fn replace(&mut self, now_ms: u64, bytes: Vec<u8>) -> StoreAsk {
        let only = Condition::Version(self.at.version);
        let replace = Operation::Replace { token: self.token, only, bytes };
        self.ask(now_ms, Phase::Writing, replace)
    }

    fn ask(&mut self, now_ms: u64, phase: Phase, operation: Operation) -> StoreAsk {
        self.phase = phase;
        self.asked_ms = now_ms;
        self.bytes = match &operation {
            Operation::Append { bytes, .. } | Operation::Replace { bytes, .. } => bytes.len(),
            Operation::Create { .. } | Operation::Fence { .. } | Operation::Read { .. } => 0,
        };
        self.number += 1;
        let id = AskId { token: self.token, number: self.number };
        StoreAsk { id, file: self.file, operation }
    }

    /// Takes an answer. An answer to an earlier question says nothing any more.
    pub(crate) fn answer(
        &mut self,
        now_ms: u64,
        settings: &Settings,
        id: AskId,
        answer: StoreAnswer,
    ) -> (Heard, Option<StoreAsk>) {
        let current = AskId { token: self.token, number: self.number };
        if id != current || matches!(self.phase, Phase::Closed(_) | Phase::Ready | Phase::Ended) {
            return (Heard::Nothing, None);
        }
        match (self.phase, answer) {
            (_, StoreAnswer::Fenced(token)) if token > self.token => {
                self.phase = Phase::Ended;
                (Heard::Deposed, None)
            }
            (_, StoreAnswer::Absent) => {
                self.phase = Phase::Ended;
                (Heard::Lost, None)
            }
            (Phase::Fencing, StoreAnswer::Done(_)) => {
                let read = Operation::Read { from: self.from };
                (Heard::Nothing, Some(self.ask(now_ms, Phase::Reading, read)))
            }
            (Phase::Reading, StoreAnswer::Bytes(at, bytes)) => {
                self.at = at;
                self.phase = Phase::Ready;
                (Heard::Opened(bytes), None)
            }
            (Phase::Writing, StoreAnswer::Done(at)) => {
                self.at = at;
                self.phase = Phase::Ready;
                (Heard::Written, None)
            }
            _ => {
                self.reopen(now_ms, settings);
                (Heard::Doubt, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { version: 4, length: 9 };

    fn opened() -> (Log, Settings) {
        let (mut log, settings) = (Log::new(JobFile::Table, 7), Settings::default());
        let (_, fence) = log.work(1, &settings);
        let fence = fence.unwrap();
        assert_eq!(fence.operation, Operation::Fence { token: 7 });
        let (_, read) = log.answer(1, &settings, fence.id, StoreAnswer::Done(AT));
        let (heard, _) =
            log.answer(1, &settings, read.unwrap().id, StoreAnswer::Bytes(AT, vec![1]));
        assert_eq!(heard, Heard::Opened(vec![1]));
        (log, settings)
    }

    #[test]
    fn an_answer_to_an_earlier_question_says_nothing() {
        let (mut log, settings) = opened();
        let first = log.append(2, Condition::Version(4), vec![2]);
        let (heard, _) = log.answer(2, &settings, first.id, StoreAnswer::Done(AT));
        assert_eq!(heard, Heard::Written);
        let second = log.append(3, Condition::Version(4), vec![3]);
        let late = StoreAnswer::Changed(AT);
        assert_eq!(log.answer(3, &settings, first.id, late).0, Heard::Nothing);
        let (heard, _) = log.answer(3, &settings, second.id, StoreAnswer::Done(AT));
        assert_eq!(heard, Heard::Written);
    }

    #[test]
    fn whatever_is_in_doubt_is_opened_again() {
        for answer in [StoreAnswer::Unknown, StoreAnswer::Changed(AT), StoreAnswer::Unavailable] {
            let (mut log, settings) = opened();
            let ask = log.append(2, Condition::Version(4), vec![2]);
            assert_eq!(log.answer(2, &settings, ask.id, answer).0, Heard::Doubt);
            let due = log.due_ms(&settings).unwrap();
            let (_, fence) = log.work(due, &settings);
            assert_eq!(fence.unwrap().operation, Operation::Fence { token: 7 });
        }
        let (mut log, settings) = opened();
        log.append(2, Condition::Version(4), vec![2]);
        let due = log.due_ms(&settings).unwrap();
        assert_eq!(log.work(due, &settings).0, Heard::Doubt, "no answer came");
    }

    #[test]
    fn a_fenced_or_lost_file_is_not_opened_again() {
        for (answer, ends) in
            [(StoreAnswer::Fenced(8), Heard::Deposed), (StoreAnswer::Absent, Heard::Lost)]
        {
            let (mut log, settings) = opened();
            let ask = log.append(2, Condition::Version(4), vec![2]);
            assert_eq!(log.answer(2, &settings, ask.id, answer).0, ends);
            assert!(log.has_ended() && log.due_ms(&settings).is_none());
            assert_eq!(log.work(1_000_000, &settings), (Heard::Nothing, None));
        }
    }
}
