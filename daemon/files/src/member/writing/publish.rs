//! How written bytes become visible: what the catalog is asked for, and what follows from its
//! answers. Owns no state of its own.

use super::super::asks::Asked;
use super::super::operation::{ClientError, WriteTo};
use super::{MAX_ATTEMPTS, MAX_TOO_FEW, Seen, Step, Writing};
use crate::catalog::{
    Answer, Append, Appended, Contents, Done, Mutation, Put, Refusal, StatusKind, Version,
};
use crate::content::{Content, ExtentRef};
use crate::coordinator::{PublishAnswer, Writer, WriterOutput};
use crate::ids::{Epoch, OperationId, derived};
use memberd_council::BootTime;

impl Writing {
    /// Asks the catalog to make visible what is on its holders.
    pub(super) fn propose(&mut self, now: BootTime) {
        let Some(publish) = self.publish.clone() else { return };
        let (epoch, age_s) = (publish.epoch, publish.age_s);
        if let WriteTo::Put { condition, copies, mode, parents } = self.write.to {
            let (path, token) = (self.write.path.clone(), self.write.token);
            let content = publish.content;
            let put = Put { path, condition, token, content, copies, mode, parents, age_s };
            self.is_asked = true;
            self.steps.push_back(Step::Propose(publish.operation, epoch, Mutation::Put(put)));
            return;
        }
        let Some(file) = &self.file else { return self.look_up() };
        if file.inline.is_empty() {
            let mutation = self.append(None, Appended::Content(publish.content), age_s);
            return self.ask(epoch, mutation);
        }
        let (old, version) = (file.inline.clone(), file.version);
        if self.prefix.is_none() {
            let id = self.numbered("memberd prefix of an append 1");
            let mut prefix = self.new_writer(id, now).with_extents();
            prefix.push(now, &old);
            prefix.end(now);
            self.prefix = Some(prefix);
            self.drain();
        }
        let Some(first) = self.prefix_publish.clone() else { return };
        let extents = |content: &Content| content.extents().to_vec();
        let whole: Vec<ExtentRef> = [extents(&first.content), extents(&publish.content)].concat();
        let mutation = self.append(Some(version), Appended::Whole(whole), age_s.max(first.age_s));
        self.ask(epoch.min(first.epoch), mutation);
    }

    /// An append under the client's conditions. `seen` is the version that it builds on; the
    /// client's own is the same, since another one was refused when the file was looked up.
    pub(super) fn append(&self, seen: Option<Version>, what: Appended, age_s: u32) -> Mutation {
        let WriteTo::Append { only, length } = self.write.to else {
            debug_assert!(false, "only an append appends");
            return Mutation::SetQuota { bytes: None, names: None };
        };
        let (path, token, only) = (self.write.path.clone(), self.write.token, seen.or(only));
        Mutation::Append(Append { path, only, length, token, what, age_s })
    }

    /// A change that was refused stays refused under its id: the next attempt gets another one.
    pub(super) fn ask(&mut self, epoch: Epoch, mutation: Mutation) {
        let id = match self.attempts {
            0 => self.write.operation,
            _ => self.numbered("memberd attempt of an append 1"),
        };
        self.is_asked = true;
        self.steps.push_back(Step::Propose(id, epoch, mutation));
    }

    pub(super) fn numbered(&self, key: &str) -> OperationId {
        let parts = [&self.write.operation.0.to_be_bytes()[..], &self.attempts.to_be_bytes()];
        OperationId(derived(key, &parts))
    }

    /// The file was looked up.
    pub(super) fn handle_lookup(&mut self, now: BootTime, found: Result<Contents, Refusal>) {
        self.is_asked = false;
        let kind = found.map(|found| (found.status.inode, found.status.kind, found.content));
        match kind {
            Ok((inode, StatusKind::File { generation, copies, .. }, content)) => {
                let version = Version { inode, generation };
                if self.only().is_some_and(|only| only != version) {
                    // It never comes again, so no later attempt could happen either.
                    self.refuse(Refusal::Changed(generation));
                }
                let (_, inline) = content.into_parts();
                self.copies.get_or_insert(usize::from(copies));
                self.file = Some(Seen { version, inline });
            }
            Ok(_) => self.refuse(Refusal::IsDirectory),
            Err(refusal) => self.refuse(refusal),
        }
        self.step(now);
    }

    /// The state to which the client wants to add, if it says so.
    fn only(&self) -> Option<Version> {
        match self.write.to {
            WriteTo::Append { only, .. } => only,
            WriteTo::Put { .. } => None,
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.stop();
        self.finish(Err(ClientError::Refused(refusal)));
    }

    pub(super) fn handle_asked(&mut self, now: BootTime, asked: &Asked) {
        self.is_asked = false;
        match *asked {
            Asked::Answer(Answer::Done(done)) => self.on_done(now, done),
            Asked::Answer(Answer::Refused(refusal)) => self.on_refused(now, refusal),
            Asked::OldEpoch(epoch) => self.on_old_epoch(now, epoch),
            Asked::TooFewCopies(epoch) => self.on_too_few(now, epoch),
            Asked::OutOfBounds => {
                self.stop();
                self.finish(Err(ClientError::OutOfBounds));
            }
            Asked::NoShare => {
                self.stop();
                self.finish(Err(ClientError::NoShare(self.share().clone())));
            }
            Asked::Silence { in_doubt } if self.writer.is_none() => {
                let closed = self.closed();
                self.finish(Err(if in_doubt { ClientError::Ambiguous } else { closed }));
            }
            // The writer ends by itself.
            Asked::Silence { .. } | Asked::Found { .. } => self.publish = None,
        }
        self.step(now);
    }

    pub(super) fn closed(&self) -> ClientError {
        let keepers = self.view.shares.get(self.share()).map(|of| of.keepers.clone());
        let (share, keepers) = (self.share().clone(), keepers.unwrap_or_default());
        ClientError::Closed { share, keepers }
    }

    pub(super) fn on_done(&mut self, now: BootTime, done: Done) {
        self.done = Some(done);
        let answer = PublishAnswer::Done(done.generation);
        if let Some(prefix) = &mut self.prefix {
            prefix.handle_published(now, answer);
        }
        match &mut self.writer {
            Some(writer) => writer.handle_published(now, answer),
            None => self.finish(Ok(done)),
        }
        // The holders of both hear of their sets before this ends.
        self.drain_prefix_first();
    }

    pub(super) fn drain_prefix_first(&mut self) {
        while let Some(output) = self.prefix.as_mut().and_then(Writer::poll_output) {
            if let WriterOutput::Send { to, message } = output {
                self.steps.push_back(Step::Send(to, message));
            }
        }
    }

    pub(super) fn on_refused(&mut self, now: BootTime, refusal: Refusal) {
        let is_put = matches!(self.write.to, WriteTo::Put { .. });
        let needs_extent = matches!(refusal, Refusal::NeedsExtent | Refusal::InlineFull);
        let is_inline = self.publish.as_ref().is_some_and(|it| it.content.extents().is_empty());
        if is_put && needs_extent && is_inline {
            self.publish = None;
            if let Some(writer) = &mut self.writer {
                writer.handle_published(now, PublishAnswer::NeedsExtent);
            }
            return;
        }
        let may_again = match refusal {
            // What the client wants to add to is no more.
            Refusal::Changed(_) => self.only().is_none(),
            Refusal::Misfit => true,
            _ => needs_extent,
        };
        if !is_put && may_again && self.attempts < MAX_ATTEMPTS {
            self.attempts += 1;
            (self.needs_extent, self.prefix_publish) = (true, None);
            if let Some(mut prefix) = self.prefix.take() {
                prefix.cancel();
            }
            return self.look_up();
        }
        self.publish = None;
        match &mut self.writer {
            Some(writer) => writer.handle_published(now, PublishAnswer::Refused(refusal)),
            None => self.finish(Err(ClientError::Refused(refusal))),
        }
    }

    /// It did not happen, and the members that hold it may be none of the newer view.
    pub(super) fn on_old_epoch(&mut self, now: BootTime, epoch: Epoch) {
        (self.publish, self.prefix_publish) = (None, None);
        for writer in self.writer.iter_mut().chain(&mut self.prefix) {
            writer.handle_published(now, PublishAnswer::OldEpoch(epoch));
        }
    }

    pub(super) fn on_too_few(&mut self, now: BootTime, epoch: Epoch) {
        let own = self.publish.as_ref().map_or(self.view.epoch, |publish| publish.epoch);
        if epoch > own {
            return self.on_old_epoch(now, epoch);
        }
        self.too_few += u32::from(epoch == own);
        // The writers ask again in a second: the primary may not have this view yet.
        (self.publish, self.prefix_publish) = (None, None);
        if self.too_few >= MAX_TOO_FEW {
            self.stop();
            let wanted = self.view.copies(self.copies.unwrap_or(self.settings.copies));
            self.finish(Err(ClientError::TooFew(wanted)));
        }
    }
}
