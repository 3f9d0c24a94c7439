//! The key of a file: what it is made of, so that it stays the same for as long as the file only
//! grows, and is found again after a restart. Owns no state.
//!
//! State of jobs outlives upgrades, so all of this is pinned: the tests below have its values.

use memberd_jobs::FileKey;

/// The most bytes at the beginning of a file that are a part of its identity.
pub(super) const HEAD_BYTES: usize = 1024;

/// A line with so many digits is taken for one with a time: each has hours, minutes and seconds, or
/// as many digits of a number.
const DIGITS: usize = 6;

/// What a file begins with: its lines up to the first one with a time. A program may begin each of
/// its logs with the same lines, but with no time twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// How many bytes it has, at most [`HEAD_BYTES`].
    pub(super) length: usize,
    hash: [u8; 32],
}

impl Head {
    /// Of a file that begins with these bytes, [`HEAD_BYTES`] of them if it has so many. None while
    /// the file has no such line and is shorter.
    pub(super) fn of(bytes: &[u8]) -> Option<Head> {
        let bytes = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
        let length = length(bytes)?;
        let hash = blake3::hash(bytes.get(..length).unwrap_or(bytes)).into();
        Some(Head { length, hash })
    }

    /// Whether a file that begins with these bytes begins with it.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        bytes
            .get(..self.length)
            .is_some_and(|head| self.hash == <[u8; 32]>::from(blake3::hash(head)))
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let mut begin = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = bytes.get(begin..end).unwrap_or_default();
        begin = end + 1;
        if line.iter().filter(|byte| byte.is_ascii_digit()).count() >= DIGITS {
            return Some(begin);
        }
    }
    (bytes.len() == HEAD_BYTES).then_some(HEAD_BYTES)
}

/// What the file system knows a file by, as long as it is there. Inodes alone are used again at
/// once, and the number of a device is another one after a start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Birth {
    pub(super) inode: u64,
    /// When it was created, in nanoseconds since 1970. 0 if the file system does not tell.
    pub(super) born_ns: i128,
}

/// The key of a file. `written_anew` is how many times it was truncated and got the same head
/// again.
pub(super) fn key(birth: Birth, head: &Head, written_anew: u32) -> FileKey {
    let mut hasher = blake3::Hasher::new_derive_key("memberd 2026-11-30 jobs key of a file");
    hasher.update(&birth.inode.to_le_bytes());
    hasher.update(&birth.born_ns.to_le_bytes());
    hasher.update(&head.hash);
    hasher.update(&written_anew.to_le_bytes());
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    FileKey(u128::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Option<usize> {
        Head::of(text.as_bytes()).map(|head| head.length)
    }

    #[test]
    fn a_head_ends_behind_the_first_line_with_a_time() {
        assert_eq!(head(""), None);
        assert_eq!(head("12:34:56 x"), None);
        assert_eq!(head("12:34:56 x\n"), Some(11));
        assert_eq!(head("#Version: 1.0\n"), None);
        assert_eq!(head("#Version: 1.0\nNov 30 12:34:56 x\nmore\n"), Some(32));
        assert_eq!(head(&"x\n".repeat(511)), None);
        assert_eq!(head(&"x\n".repeat(512)), Some(HEAD_BYTES));
        assert_eq!(head(&"7".repeat(5_000)), Some(HEAD_BYTES));
    }

    /// Whatever is appended, the head is the same.
    #[test]
    fn a_head_stays_when_the_file_grows() {
        let text = "# a log\n\n12:34:56 x\n".to_owned() + &"12:34:57 y\n".repeat(200);
        let whole = Head::of(text.as_bytes()).unwrap();
        for length in whole.length..text.len() {
            let bytes = &text.as_bytes()[..length];
            assert_eq!(Head::of(bytes), Some(whole));
            assert!(whole.is_of(bytes));
        }
        assert!(!whole.is_of(&text.as_bytes()[..whole.length - 1]));
        assert!(!whole.is_of(text.replace('x', "z").as_bytes()));
    }

    #[test]
    fn the_key_of_a_file_is_pinned() {
        let head = Head::of(b"12:34:56 x\n").unwrap();
        let birth = Birth { inode: 7, born_ns: 1_795_224_033_000_000_001 };
        let keys = [key(birth, &head, 0), key(birth, &head, 1)];
        let keys = keys.map(|key| format!("{:032x}", key.0));
        assert_eq!(keys, ["cc9e8f53c46ae712601d4f856b772ec8", "cfd012bf99c1a6ec4824257295574111"]);
    }
}
