//! Makes visible what was written: one publish, asked again until there is an answer.

use super::super::upload::Upload;
use super::{
    ANSWER_LIMIT, ASK_AGAIN, Publish, Publishing, SHORT_LIMIT, STALL_LIMIT, Writer, WriterError,
    WriterOutput, around,
};
use crate::catalog::Refusal;
use crate::content::{Content, ExtentRef, HolderSet};
use crate::ids::{OperationId, derived};
use crate::settings::{ExtentMutant, ExtentSettings};
use crate::transfer::Transfer;

impl Writer {
    /// Publishes once everything is on all its holders, and asks again if nobody answers.
    pub(super) fn publish(&mut self) {
        if self.ended.is_none() || self.is_open {
            return;
        }
        let age_s = self.age_s();
        match &mut self.publishing {
            None => {
                if let Some(content) = self.content() {
                    self.say_publish(content, 1);
                }
            }
            Some(publishing) if publishing.waits_for.is_some_and(|at| self.view.epoch >= at) => {
                let times = publishing.times + 1;
                if let Some(content) = self.content() {
                    self.say_publish(content, times);
                }
            }
            Some(publishing) if publishing.waits_for.is_none() => {
                if self.now.since(publishing.said) >= ASK_AGAIN {
                    publishing.said = self.now;
                    publishing.times += 1;
                    publishing.publish.age_s = age_s;
                    let publish = publishing.publish.clone();
                    if self.settings.mutant == Some(ExtentMutant::DeleteAmbiguous) {
                        self.abandon();
                        self.done(Err(WriterError::TooSlow));
                        return;
                    }
                    self.outputs.push_back(WriterOutput::Publish(publish));
                }
            }
            Some(_) => {}
        }
    }

    /// The bytes get an extent, and are published as another operation.
    pub(super) fn leave_catalog(&mut self) {
        self.publishing = None;
        if self.buffer.is_empty() {
            self.done(Err(WriterError::Refused(Refusal::NeedsExtent)));
            return;
        }
        let key = "memberd operation with an extent 1";
        let id = derived(key, &[&self.operation.0.to_be_bytes()]);
        (self.operation, self.needs_extent) = (OperationId(id), true);
    }

    pub(super) fn age_s(&self) -> u32 {
        u32::try_from(self.now.since(self.started).as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn say_publish(&mut self, content: Content, times: u32) {
        let publish = Publish {
            operation: self.operation,
            epoch: self.view.epoch,
            content,
            age_s: self.age_s(),
        };
        self.outputs.push_back(WriterOutput::Publish(publish.clone()));
        self.publishing = Some(Publishing { publish, said: self.now, times, waits_for: None });
    }

    /// The content, if all of it is on all its holders.
    pub(super) fn content(&mut self) -> Option<Content> {
        if self.uploads.is_empty() && !self.needs_extent {
            return Some(Content::Inline(self.buffer.clone()));
        }
        let around = around(self.now, &self.view, &self.hints, self.settings.mutant);
        let extent = |upload: &Upload| {
            let (length, root, members) = upload.whole(&around)?;
            let set = HolderSet { version: 1, members };
            Some(ExtentRef { id: upload.extent, length, root, set })
        };
        self.uploads.iter().map(extent).collect::<Option<_>>().map(Content::Extents)
    }

    /// Tells the holders that their extents count. What is lost of it, they ask for.
    pub(super) fn tell_sets(&mut self) {
        let Some(publishing) = &self.publishing else { return };
        for one in publishing.publish.content.extents().to_vec() {
            for member in &one.set.members {
                let message = Transfer::SetIs { extent: one.id, set: one.set.clone() };
                self.outputs.push_back(WriterOutput::Send { to: member.clone(), message });
            }
        }
    }

    pub(super) fn judge_time(&mut self) {
        if self.is_done {
            return;
        }
        let late = self.ended.is_some_and(|ended| self.now.since(ended) >= ANSWER_LIMIT)
            || self.now.since(self.started) >= ExtentSettings::PUBLISH_AGE;
        if self.publishing.is_some() {
            if late {
                self.done(Err(WriterError::Ambiguous));
            }
            return;
        }
        let short = self.uploads.iter().skip(self.settled).filter_map(Upload::short_since).min();
        let working = self.uploads.iter().skip(self.settled);
        let stalled = working.filter_map(Upload::stalled_since).min();
        if short.is_some_and(|since| self.now.since(since) >= SHORT_LIMIT) {
            self.abandon();
            let wanted = self.settings.copies.min(self.view.members.len());
            self.done(Err(WriterError::TooFew(wanted)));
        } else if late || stalled.is_some_and(|since| self.now.since(since) >= STALL_LIMIT) {
            self.abandon();
            self.done(Err(WriterError::TooSlow));
        }
    }
}
