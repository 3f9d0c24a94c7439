//! How numbers and texts are written in records, and how a whole file is sealed by a checksum.

use crate::ids::{Epoch, ExtentId, InodeId};
use crate::path::ShareName;
use memberd_membership::Name;

/// Writes little-endian numbers, and bytes with their length.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

/// Reads what a [`Writer`] wrote. Nothing comes out of what is too short.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Writer {
    pub(super) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn id(&mut self, id: ExtentId) {
        self.0.extend(id.0.to_le_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Bytes with their length: less than 4 GiB, as all that is written here.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    pub(super) fn share(&mut self, share: &ShareName) {
        self.bytes(share.as_str().as_bytes());
    }

    pub(super) fn names(&mut self, names: &[Name]) {
        self.u32(u32::try_from(names.len()).unwrap_or(u32::MAX));
        names.iter().for_each(|name| self.bytes(name.as_str().as_bytes()));
    }
}

impl<'a> Reader<'a> {
    pub(super) fn raw(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.raw(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn hash(&mut self) -> Option<[u8; 32]> {
        self.array()
    }

    pub(super) fn id(&mut self) -> Option<ExtentId> {
        self.array().map(|bytes| ExtentId(u128::from_le_bytes(bytes)))
    }

    pub(super) fn epoch(&mut self) -> Option<Epoch> {
        self.u64().map(Epoch)
    }

    pub(super) fn inode(&mut self) -> Option<InodeId> {
        self.u64().map(InodeId)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.raw(usize::try_from(length).ok()?)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn share(&mut self) -> Option<ShareName> {
        ShareName::new(self.text()?).ok()
    }

    pub(super) fn names(&mut self) -> Option<Vec<Name>> {
        let count = self.u32()?;
        (0..count).map(|_| Name::new(self.text()?).ok()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A file that is written at once: a magic word, the length and the crc32c of its body, the body.
pub(super) fn seal(magic: [u8; 8], body: &[u8]) -> Vec<u8> {
    let mut writer = Writer(magic.to_vec());
    writer.u64(body.len() as u64);
    writer.u32(crc32c::crc32c(body));
    writer.raw(body);
    writer.0
}

/// The body of a file that [`seal`] made, if it is whole.
pub(super) fn unseal(magic: [u8; 8], bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    let is_ours = reader.raw(8)? == magic;
    let length = usize::try_from(reader.u64()?).ok()?;
    let crc = reader.u32()?;
    let body = reader.raw(length)?;
    (is_ours && reader.is_empty() && crc == crc32c::crc32c(body)).then_some(body)
}
