//! Uploads at a holder: pieces in their order, handed on in a chain, sealed at the end.

use super::{Holder, Purpose};
use crate::disk::{ExtentDone, ExtentFault, ExtentJob, StoredExtent};
use crate::extent::PIECE_BYTES;
use crate::ids::ExtentId;
use crate::path::ShareName;
use crate::transfer::{CopyOrder, Piece, ReadOrder, ReadPurpose, RefusalReason, Transfer};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// After how long an unanswered read of a copy is asked again.
const COPY_AGAIN: Duration = Duration::from_millis(700);

/// An extent that comes in.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    coordinator: Name,
    share: ShareName,
    hint: Arc<str>,
    next: Option<Name>,
    copy: Option<CopyOrder>,
    /// The question for the next piece of the copy, and when it was asked.
    asked: Option<(u64, BootTime)>,
    /// What the disk was given.
    given: u64,
    /// What the disk has.
    taken: u64,
    finish: Option<u64>,
    is_sealing: bool,
    touched: BootTime,
}

impl Upload {
    pub(super) fn hint(&self) -> &str {
        &self.hint
    }
}

impl Holder {
    pub(super) fn on_begin(
        &mut self,
        from: &Name,
        extent: ExtentId,
        (share, hint): (ShareName, Arc<str>),
        (next, copy): (Option<Name>, Option<CopyOrder>),
    ) {
        if self.held.contains_key(&extent) {
            self.say_sealed(from, extent);
            return;
        }
        if let Some(upload) = self.uploads.get_mut(&extent) {
            // The same upload: the rest of the chain, or whom to copy from, may have changed.
            upload.next = next;
            if upload.copy != copy {
                upload.copy = copy;
                upload.asked = None;
            }
            let upto = upload.taken;
            self.send(from, Transfer::Got { extent, upto });
            return;
        }
        if self.uploads.len() + self.pulls.len() >= Self::MAX_UPLOADS {
            self.refuse(from, extent, RefusalReason::Busy);
            return;
        }
        // An earlier process may have left a part of it.
        self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
        let upload = Upload {
            coordinator: from.clone(),
            share,
            hint,
            next,
            copy,
            asked: None,
            given: 0,
            taken: 0,
            finish: None,
            is_sealing: false,
            touched: self.now,
        };
        self.uploads.insert(extent, upload);
        self.send(from, Transfer::Got { extent, upto: 0 });
        for (offset, bytes) in self.early.take(extent) {
            self.on_piece(extent, offset, &bytes);
        }
    }

    pub(super) fn on_piece(&mut self, extent: ExtentId, offset: u64, bytes: &Piece) {
        let Some(upload) = self.uploads.get_mut(&extent) else {
            if !self.held.contains_key(&extent) {
                self.early.keep(self.now, extent, offset, bytes);
            }
            return;
        };
        if offset != upload.given || bytes.is_empty() || bytes.len() > PIECE_BYTES {
            return;
        }
        if upload.finish.is_some_and(|length| offset + bytes.len() as u64 > length) {
            return;
        }
        upload.touched = self.now;
        upload.given += bytes.len() as u64;
        let end = upload.given;
        // The chain: the next gets it together with the disk here.
        if let Some(to) = upload.next.clone() {
            self.send(&to, Transfer::Piece { extent, offset, bytes: bytes.clone() });
        }
        self.job(
            ExtentJob::Piece { extent, offset, bytes: bytes.clone() },
            Purpose::Piece(extent, end),
        );
    }

    pub(super) fn on_taken(
        &mut self,
        extent: ExtentId,
        end: u64,
        result: &Result<ExtentDone, ExtentFault>,
    ) {
        let Some(upload) = self.uploads.get_mut(&extent) else { return };
        let coordinator = upload.coordinator.clone();
        if let Err(fault) = *result {
            self.uploads.remove(&extent);
            self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
            self.refuse(&coordinator, extent, reason(fault));
            return;
        }
        upload.taken = end;
        upload.touched = self.now;
        self.send(&coordinator, Transfer::Got { extent, upto: end });
        self.seal_if_whole(extent);
    }

    pub(super) fn on_finish(&mut self, from: &Name, extent: ExtentId, length: u64) {
        if self.held.contains_key(&extent) {
            self.say_sealed(from, extent);
        } else if let Some(upload) = self.uploads.get_mut(&extent) {
            upload.finish = Some(length);
            upload.touched = self.now;
            self.seal_if_whole(extent);
        } else {
            self.refuse(from, extent, RefusalReason::Unknown);
        }
    }

    fn seal_if_whole(&mut self, extent: ExtentId) {
        let Some(upload) = self.uploads.get_mut(&extent) else { return };
        if upload.is_sealing || upload.finish != Some(upload.taken) {
            return;
        }
        upload.is_sealing = true;
        let share = upload.share.clone();
        self.job(ExtentJob::Seal { extent, share, expect: None }, Purpose::Seal(extent));
    }

    /// An upload or a pull is sealed, or cannot be.
    pub(super) fn on_sealed(&mut self, extent: ExtentId, result: &Result<ExtentDone, ExtentFault>) {
        if self.pulls.contains_key(&extent) {
            self.on_pull_sealed(extent, result);
            return;
        }
        let Some(upload) = self.uploads.remove(&extent) else { return };
        match *result {
            Ok(ExtentDone::Sealed { length, root }) => {
                let share = upload.share;
                self.keep(StoredExtent { extent, share, length, root, set: None });
                self.send(&upload.coordinator, Transfer::Sealed { extent, length, root });
            }
            Ok(_) => {}
            Err(fault) => {
                self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
                self.refuse(&upload.coordinator, extent, reason(fault));
            }
        }
    }

    /// Nobody publishes it, so it may go at once, sealed or not.
    pub(super) fn on_abandon(&mut self, extent: ExtentId) {
        self.early.take(extent);
        if let Some(upload) = self.uploads.get(&extent)
            && !upload.is_sealing
        {
            self.uploads.remove(&extent);
            self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
        } else if self.held.get(&extent).is_some_and(|held| held.set.is_none()) {
            self.drop_held(extent);
        }
    }

    /// The next piece of what is copied from another holder came.
    pub(super) fn on_copied(&mut self, extent: ExtentId, request: u64, bytes: &Piece) {
        let Some(upload) = self.uploads.get_mut(&extent) else { return };
        if upload.asked.is_none_or(|(asked, _)| asked != request) {
            return;
        }
        upload.asked = None;
        let offset = upload.given;
        self.on_piece(extent, offset, bytes);
    }

    pub(super) fn tick_uploads(&mut self) {
        let now = self.now;
        let rests = |upload: &Upload| now.since(upload.touched) >= Self::UPLOAD_REST;
        let given_up: Vec<ExtentId> = self
            .uploads
            .iter()
            .filter(|(_, upload)| rests(upload) && !upload.is_sealing)
            .map(|(extent, _)| *extent)
            .collect();
        for extent in given_up {
            self.uploads.remove(&extent);
            self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
        }
        let mut questions = Vec::new();
        for (extent, upload) in &mut self.uploads {
            let Some(copy) = upload.copy.as_ref().filter(|copy| upload.given < copy.upto) else {
                continue;
            };
            if upload.asked.is_some_and(|(_, at)| now.since(at) < COPY_AGAIN) {
                continue;
            }
            let request = self.reads.next_request();
            upload.asked = Some((request, now));
            let rest = (copy.upto - upload.given).min(PIECE_BYTES as u64);
            let bytes = u32::try_from(rest).unwrap_or(u32::MAX);
            let (offset, purpose) = (upload.given, ReadPurpose::Upload);
            let order = ReadOrder { request, extent: *extent, offset, bytes, purpose };
            questions.push((copy.from.clone(), order));
        }
        for (from, order) in questions {
            self.reads.expect(order.request, order.extent);
            self.send(&from, Transfer::Read(order));
        }
    }

    pub(super) fn uploads_due(&self) -> Option<BootTime> {
        let due = |upload: &Upload| {
            let asked = upload.asked.map(|(_, at)| at + COPY_AGAIN);
            asked.unwrap_or(upload.touched + Self::UPLOAD_REST)
        };
        self.uploads.values().filter(|upload| !upload.is_sealing).map(due).min()
    }
}

pub(super) fn reason(fault: ExtentFault) -> RefusalReason {
    match fault {
        ExtentFault::Full => RefusalReason::Full,
        ExtentFault::Failed | ExtentFault::Bad => RefusalReason::Failed,
        ExtentFault::Unknown | ExtentFault::Misplaced(_) => RefusalReason::Unknown,
        ExtentFault::Mismatch => RefusalReason::Mismatch,
    }
}
