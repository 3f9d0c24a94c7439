//! What of a block's text has no key, so that some literals cannot exclude the block.

/// The marks of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// It shares a line with another block, or has a NUL byte.
    pub(super) is_always_read: bool,
    /// It has a letter beyond ASCII that is an ASCII letter where case is ignored.
    pub(super) folds: bool,
    /// It has a UUID.
    pub(super) has_uuid: bool,
    /// It has a long word with digits.
    pub(super) has_long: bool,
    /// It has bytes beyond ASCII that are not in the dictionary.
    pub(super) lost_high: bool,
    /// The longest run of hexadecimal letters that is not in the dictionary, within a word with
    /// digits.
    pub(super) lost_hex: u8,
    /// The longest run of letters that is not in the dictionary.
    pub(super) lost_letters: u8,
    /// The most digits in a fraction of a second.
    pub(super) fraction: u8,
}

impl Marks {
    /// The bytes that it takes in a filter.
    pub(super) const BYTES: usize = 4;

    pub(super) fn lose_hex(&mut self, len: usize) {
        self.lost_hex = self.lost_hex.max(narrow(len));
    }

    pub(super) fn lose_letters(&mut self, len: usize) {
        self.lost_letters = self.lost_letters.max(narrow(len));
    }

    /// Whether a piece of so many letters may be in a run that the dictionary lacks.
    pub(super) fn may_have_letters(&self, len: usize) -> bool {
        narrow(len) <= self.lost_letters
    }

    /// The same of hexadecimal letters within a word with digits.
    pub(super) fn may_have_hex(&self, len: usize) -> bool {
        narrow(len) <= self.lost_hex
    }

    pub(super) fn write(self) -> [u8; Marks::BYTES] {
        let flags = [self.is_always_read, self.folds, self.has_uuid, self.has_long, self.lost_high];
        let flags = flags.iter().rev().fold(0, |all, flag| all << 1 | u8::from(*flag));
        [flags, self.lost_hex, self.lost_letters, self.fraction]
    }

    pub(super) fn read([flags, lost_hex, lost_letters, fraction]: [u8; Marks::BYTES]) -> Marks {
        let flag = |bit: u32| flags >> bit & 1 == 1;
        Marks {
            is_always_read: flag(0),
            folds: flag(1),
            has_uuid: flag(2),
            has_long: flag(3),
            lost_high: flag(4),
            lost_hex,
            lost_letters,
            fraction,
        }
    }
}

/// A length, of which all from 255 on are the same.
fn narrow(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_were_written() {
        let mut one =
            Marks { is_always_read: true, has_uuid: true, fraction: 9, ..Marks::default() };
        one.lose_hex(6);
        one.lose_letters(1000);
        assert_eq!((one.lost_hex, one.lost_letters), (6, u8::MAX));
        assert_eq!(Marks::read(one.write()), one);
        let two = Marks { folds: true, has_long: true, lost_high: true, ..Marks::default() };
        assert_eq!(Marks::read(two.write()), two);
    }
}
