//! Serves `--merge`: it prints all members' lines in the order of time. It owns the frames that
//! wait to be merged.
//!
//! Each member sends its own lines in that order. The merge holds a frame or two of each member,
//! and prints the earliest line at the front. So it waits for a member without a frame, until the
//! member sends one, ends, or is lost.
//!
//! With context, members mark the beginning of a group of lines by an empty line. The merge writes
//! the separator, because it knows the order of all lines.

use super::answer_fault::AnswerFault;
use super::context::QueryContext;
use super::kept::Target;
use super::reply::PeerReply;
use super::timed::TimedLines;
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::task::JoinSet;

/// The bytes of merged lines in one frame to the client.
const CHUNK_BYTES: usize = 64 * 1024;

/// Asks all members and passes their lines on in the order of time, with `separator` between groups
/// of them.
pub(super) async fn merge(
    context: Arc<QueryContext>,
    members: Vec<Target>,
    line_end: u8,
    separator: Vec<u8>,
) {
    // Dropping the merge ends the tasks.
    let mut tasks = JoinSet::new();
    let mut sources = Vec::with_capacity(members.len());
    for member in members {
        // One frame waits here while the next is read.
        let (sender, frames) = mpsc::channel(1);
        sources.push(Source { frames, front: Front::Lines(TimedLines::default()) });
        let context = Arc::clone(&context);
        tasks.spawn(async move {
            let outcome = read(&context, &member, &sender)
                .await
                .unwrap_or_else(|error| context.outcome(&error));
            drop(sender);
            context.report(member.name(), outcome).await;
        });
    }
    let mut merger = Merger::new(context, line_end, separator);
    if merger.run(&mut sources).await.is_ok() {
        // Waits for the outcomes that are not reported yet.
        while tasks.join_next().await.is_some() {}
    }
}

/// Reads a member's answer to its end.
async fn read(
    context: &QueryContext,
    member: &Target,
    frames: &mpsc::Sender<PeerReply>,
) -> io::Result<GrepOutcome> {
    let mut replies = context.ask(member).await?;
    let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
    loop {
        let reply = replies.next().await;
        if matches!(reply, Err(_) | Ok(PeerReply::Refused(_))) {
            let end = replies.closing();
            if !end.is_empty() {
                frames.send(PeerReply::Lines(end)).await.map_err(|_| lost())?;
            }
        }
        match reply? {
            PeerReply::Message(text) => {
                context
                    .send(Reply::GrepMessage { member: member.name().to_string(), text })
                    .await?;
            }
            PeerReply::Done(totals) => return Ok(GrepOutcome::Searched(totals)),
            PeerReply::Refused(reason) => return Ok(GrepOutcome::Lost(reason)),
            PeerReply::Positions { .. } | PeerReply::Partial(_) | PeerReply::Broken(_) => {
                return Err(AnswerFault::Unasked.into());
            }
            frame => frames.send(frame).await.map_err(|_| lost())?,
        }
    }
}

/// One member's lines.
struct Source {
    frames: mpsc::Receiver<PeerReply>,
    front: Front,
}

/// The front of a member's lines.
enum Front {
    /// Whole lines. They may be used up.
    Lines(TimedLines),
    /// The first piece of a long line.
    Part(i64, Vec<u8>),
}

impl Front {
    fn time(&self) -> Option<i64> {
        match self {
            Front::Lines(lines) => lines.time(),
            Front::Part(time, _) => Some(*time),
        }
    }
}

struct Merger {
    context: Arc<QueryContext>,
    line_end: u8,
    /// The separator between groups of lines. It is empty without context.
    separator: Vec<u8>,
    /// The source of the last lines, unless another group has begun since.
    last: Last,
    out: Vec<u8>,
}

/// The kind of the last printed output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    /// Lines of the source of this index.
    Of(usize),
    /// Lines of a finished group.
    Group,
}

impl Merger {
    fn new(context: Arc<QueryContext>, line_end: u8, separator: Vec<u8>) -> Self {
        Merger { context, line_end, separator, last: Last::Nothing, out: Vec::new() }
    }

    async fn run(&mut self, sources: &mut [Source]) -> io::Result<()> {
        // The earliest comes first. Of equal times, the first member comes first.
        let mut fronts = BinaryHeap::new();
        for (index, source) in sources.iter_mut().enumerate() {
            if let Some(time) = self.refill(source).await? {
                fronts.push(Reverse((time, index)));
            }
        }
        while let Some(Reverse((_, index))) = fronts.pop() {
            let Some(source) = sources.get_mut(index) else { continue };
            let bound = fronts.peek().map(|Reverse(front)| *front);
            let next = loop {
                self.take(source, index).await?;
                let next = match source.front.time() {
                    Some(time) => Some(time),
                    None => self.refill(source).await?,
                };
                // While this member's lines come first, no comparison is needed.
                if next.is_none_or(|time| bound.is_some_and(|bound| bound < (time, index))) {
                    break next;
                }
            };
            if let Some(time) = next {
                fronts.push(Reverse((time, index)));
            }
        }
        self.flush().await
    }

    /// Prints the front of the source with this index.
    async fn take(&mut self, source: &mut Source, index: usize) -> io::Result<()> {
        match &mut source.front {
            Front::Lines(lines) => match lines.next().unwrap_or_default().1 {
                [] if self.last != Last::Nothing => self.last = Last::Group,
                [] => {}
                lines => {
                    self.separate(index);
                    self.out.extend_from_slice(lines);
                }
            },
            Front::Part(_, piece) => {
                self.separate(index);
                self.out.append(piece);
                source.front = Front::Lines(TimedLines::default());
                self.take_rest(source).await?;
            }
        }
        if self.out.len() >= CHUNK_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Separates the next lines, of the source with this index, from unrelated earlier lines.
    fn separate(&mut self, index: usize) {
        if self.last != Last::Nothing && self.last != Last::Of(index) {
            self.out.extend_from_slice(&self.separator);
        }
        self.last = Last::Of(index);
    }

    /// Prints the other pieces of a long line.
    async fn take_rest(&mut self, source: &mut Source) -> io::Result<()> {
        let mut is_open = false;
        loop {
            is_open = self.out.last().map_or(is_open, |last| *last != self.line_end);
            self.flush().await?;
            match source.frames.recv().await {
                Some(PeerReply::Part(piece)) => self.out = piece,
                Some(PeerReply::Lines(piece)) => {
                    self.out = piece;
                    return Ok(());
                }
                // The member was lost within the line, which must not run into another line.
                _ => {
                    self.out.extend(is_open.then_some(self.line_end));
                    return Ok(());
                }
            }
        }
    }

    /// Waits for the front, and returns its time; `None` at the end. It sends the printed lines
    /// before it waits.
    async fn refill(&mut self, source: &mut Source) -> io::Result<Option<i64>> {
        loop {
            let frame = match source.frames.try_recv() {
                Ok(frame) => Some(frame),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    self.flush().await?;
                    source.frames.recv().await
                }
            };
            source.front = match frame {
                Some(PeerReply::Timed(lines)) => Front::Lines(lines),
                Some(PeerReply::TimedPart(time, piece)) => Front::Part(time, piece),
                // A search by time sends no lines without a time.
                Some(_) => continue,
                None => return Ok(None),
            };
            if let Some(time) = source.front.time() {
                return Ok(Some(time));
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.out);
        self.context.send(Reply::GrepOutput { member: String::new(), bytes }).await
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
