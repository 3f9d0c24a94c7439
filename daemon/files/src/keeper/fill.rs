//! A keeper without the whole catalog gets an image of it, piece by piece: [`Filling`].

use crate::catalog::{Catalog, Position};
use crate::keeper::message::Body;
use crate::keeper::record::{ImageAt, Record};
use crate::keeper::{Keeper, Role};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::sync::Arc;

/// The largest image.
const MAX_IMAGE: u64 = 1 << 30;

/// An image on its way.
#[derive(Debug, Clone)]
pub(super) struct Filling {
    from: Name,
    /// The image is of there or later.
    covering: Position,
    at: Option<Position>,
    bytes: Vec<u8>,
    ask_at: BootTime,
}

impl Filling {
    pub(super) fn new(from: Name, covering: Position, now: BootTime) -> Filling {
        Filling { from, covering, at: None, bytes: Vec::new(), ask_at: now }
    }
}

impl Keeper {
    pub(super) fn fill_due(&self) -> Option<BootTime> {
        self.filling.as_ref().map(|filling| filling.ask_at)
    }

    pub(super) fn tick_fill(&mut self) {
        let now = self.now.boot;
        let follows = matches!(self.role, Role::Backup) && self.mark.level == self.mark.promised;
        if follows && self.catalog.is_none() && self.filling.is_none() {
            let primary = self.primary().filter(|primary| *primary != self.own);
            let before = self.mark.before;
            self.filling = primary.map(|primary| Filling::new(primary, before, now));
        }
        let again = now + self.settings.resend;
        let Some(filling) = self.filling.as_mut().filter(|filling| filling.ask_at <= now) else {
            return;
        };
        filling.ask_at = again;
        let (from, covering, at) = (filling.from.clone(), filling.covering, filling.at);
        let (offset, ballot) = (filling.bytes.len() as u64, self.mark.promised);
        self.send(&from, Body::WantImage { ballot, covering, at, offset });
    }

    pub(super) fn on_image_piece(
        &mut self,
        from: &Name,
        (at, hash): (Position, [u8; 32]),
        (offset, total): (u64, u64),
        bytes: &[u8],
    ) {
        let now = self.now.boot;
        let Some(filling) = self.filling.as_mut().filter(|filling| filling.from == *from) else {
            return;
        };
        if filling.at != Some(at) {
            filling.at = Some(at);
            filling.bytes.clear();
        }
        let end = offset.saturating_add(bytes.len() as u64);
        if offset != filling.bytes.len() as u64 || end > total || total > MAX_IMAGE {
            return;
        }
        filling.bytes.extend_from_slice(bytes);
        filling.ask_at = now;
        if end < total {
            return;
        }
        let bytes = std::mem::take(&mut filling.bytes);
        filling.at = None;
        filling.ask_at = now + self.settings.resend;
        if *blake3::hash(&bytes).as_bytes() == hash
            && let Ok(catalog) = Catalog::from_image(&self.share, &bytes)
            && catalog.applied() == at
        {
            self.take_image(catalog, bytes);
        }
    }

    /// The image is whole. It must be of a place in this log, or this log begins anew with it.
    fn take_image(&mut self, catalog: Catalog, bytes: Vec<u8>) {
        let at = catalog.applied();
        if matches!(self.role, Role::Claiming(_)) && !self.is_closed() {
            self.begin_from_image(at);
        } else if !self.log.contains(at) {
            return;
        }
        self.filling = None;
        (self.image, self.image_bytes, self.log_bytes) = (at, bytes.len(), 0);
        self.disk.write(Record::Image(ImageAt { at, bytes: Arc::new(bytes) }));
        self.catalog = Some(catalog);
        self.commit(self.committed.max(at.index));
        match &mut self.role {
            Role::Backup => self.tell_primary(),
            Role::Waiting { say_at, .. } => *say_at = self.now.boot,
            Role::Former | Role::Claiming(_) | Role::Primary(_) => {}
        }
    }

    fn is_closed(&self) -> bool {
        matches!(&self.role, Role::Claiming(claim) if claim.is_closed)
    }
}
