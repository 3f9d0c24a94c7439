//! Checks each piece of a member's answer where it arrives: it must be that member's own, and what
//! was asked for. It owns what is known of the line in which the last piece ended.
//!
//! The group's key does not tell its members from each other. But the asking daemon knows whom it
//! has asked. So a member that turned bad can lie about its own logs, and about no other's.

use super::answer_fault::{AnswerFault, MAX_ANSWERED_LINE};
use super::answer_json::AnswerJson;
use super::answer_text::AnswerText;
use super::reply::PeerReply;
use super::timed::TimedLines;
use memberd_control::grep::{GrepPrint, GrepRequest};
use memberd_control::stats::MAX_PARTIAL_BYTES;
use memberd_membership::Name;

/// The answer of one member to one request.
#[derive(Debug)]
pub(super) struct AnswerCheck {
    form: Form,
    /// Whether sums come in place of lines.
    is_question: bool,
    /// Whether lines come with their times.
    by_time: bool,
    /// Whether only long lines are looked at, because this daemon itself has printed them.
    is_own: bool,
    /// Whether pieces of a line have come, and its end has not.
    is_within: bool,
    /// The end of the last piece, which could not be checked yet and was not passed on.
    held: Vec<u8>,
    /// The bytes of the pieces since the last whole line.
    within_bytes: usize,
    /// The bytes that end the line in which the last piece that was passed on ended.
    closing: Vec<u8>,
}

#[derive(Debug)]
enum Form {
    Nothing,
    Text(AnswerText),
    Json(AnswerJson),
}

impl Form {
    fn check(&mut self, bytes: &[u8]) -> Result<usize, AnswerFault> {
        match self {
            Form::Nothing if bytes.is_empty() => Ok(0),
            Form::Nothing => Err(AnswerFault::Unasked),
            Form::Text(text) => text.check(bytes),
            Form::Json(json) => json.check(bytes),
        }
    }

    fn closing(&self) -> Vec<u8> {
        match self {
            Form::Nothing => Vec::new(),
            Form::Text(text) => text.closing(),
            Form::Json(json) => json.closing(),
        }
    }

    fn is_in_line(&self) -> bool {
        match self {
            Form::Nothing => false,
            Form::Text(text) => text.is_in_line(),
            Form::Json(json) => json.is_in_line(),
        }
    }
}

impl AnswerCheck {
    /// The check of the answer that this member gives. `is_own` if the member is this daemon.
    pub(super) fn new(member: &Name, request: &GrepRequest, is_own: bool) -> Self {
        let printing = &request.printing;
        let form = match printing.what {
            _ if request.stats.is_some() => Form::Nothing,
            GrepPrint::Nothing => Form::Nothing,
            _ if printing.json => Form::Json(AnswerJson::new(member.as_str(), request)),
            _ => Form::Text(AnswerText::new(member.as_str(), request)),
        };
        let prints_lines = matches!(printing.what, GrepPrint::Lines | GrepPrint::Matches);
        AnswerCheck {
            form,
            is_question: request.stats.is_some(),
            by_time: printing.by_time && prints_lines,
            is_own,
            is_within: false,
            held: Vec::new(),
            within_bytes: 0,
            closing: Vec::new(),
        }
    }

    /// The bytes of the pieces of the present line. `None` if the last piece ended with whole
    /// lines.
    pub(super) fn within_bytes(&self) -> Option<usize> {
        self.is_within.then_some(self.within_bytes)
    }

    /// The bytes that end the line of which the last pieces were passed on. Empty if they end with
    /// whole lines.
    pub(super) fn closing(&self) -> Vec<u8> {
        self.closing.clone()
    }

    /// Checks the next reply, and returns what of it may be passed on.
    ///
    /// # Errors
    /// When it cannot be this member's own, or was not asked for. Nothing of it may be passed on,
    /// nor of what follows.
    pub(super) fn check(&mut self, reply: PeerReply) -> Result<PeerReply, AnswerFault> {
        let is_timed = matches!(reply, PeerReply::Timed(_) | PeerReply::TimedPart(..));
        let is_output = is_timed || matches!(reply, PeerReply::Lines(_) | PeerReply::Part(_));
        // The first piece of a long line has its time, and the others have none.
        if is_output
            && (is_timed && self.is_within || is_timed != (self.by_time && !self.is_within))
        {
            return Err(AnswerFault::Unasked);
        }
        match reply {
            PeerReply::Lines(bytes) => self.lines(bytes).map(PeerReply::Lines),
            PeerReply::Part(bytes) => self.part(bytes).map(PeerReply::Part),
            PeerReply::Timed(lines) => self.timed(lines).map(PeerReply::Timed),
            PeerReply::TimedPart(time, bytes) => {
                self.part(bytes).map(|bytes| PeerReply::TimedPart(time, bytes))
            }
            PeerReply::Done(_) if self.is_within => Err(AnswerFault::Unended),
            PeerReply::Partial(bytes) if !self.is_question || bytes.len() > MAX_PARTIAL_BYTES => {
                Err(AnswerFault::Unasked)
            }
            reply => Ok(reply),
        }
    }

    /// Whole lines, or the end of a begun line.
    fn lines(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, AnswerFault> {
        if self.is_own && !self.is_within {
            return Ok(bytes);
        }
        let bytes = self.with_held(bytes)?;
        self.whole(&bytes)?;
        (self.is_within, self.within_bytes) = (false, 0);
        self.closing.clear();
        Ok(bytes)
    }

    /// A piece that ends within a line, or between two.
    fn part(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, AnswerFault> {
        let mut bytes = self.with_held(bytes)?;
        let checked = self.form.check(&bytes)?;
        self.held = bytes.split_off(checked);
        self.is_within = true;
        self.closing = self.form.closing();
        Ok(bytes)
    }

    /// Whole lines, each with its time. Several lines may have one time, and no bytes are a mark.
    fn timed(&mut self, lines: TimedLines) -> Result<TimedLines, AnswerFault> {
        if !self.is_own {
            lines.iter().try_for_each(|(_, bytes)| self.whole(bytes))?;
        }
        Ok(lines)
    }

    fn whole(&mut self, bytes: &[u8]) -> Result<(), AnswerFault> {
        let checked = self.form.check(bytes)?;
        let is_whole = checked == bytes.len() && !self.form.is_in_line();
        if is_whole { Ok(()) } else { Err(AnswerFault::Unended) }
    }

    /// The bytes after those that were held back.
    fn with_held(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, AnswerFault> {
        self.within_bytes = self.within_bytes.saturating_add(bytes.len());
        if self.within_bytes > MAX_ANSWERED_LINE {
            return Err(AnswerFault::TooLong);
        }
        if self.held.is_empty() {
            return Ok(bytes);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(&bytes);
        Ok(all)
    }
}

#[cfg(test)]
#[path = "answer_check_tests.rs"]
mod tests;
