//! A set of the blocks of a segment, by their numbers in it.

/// A set of the blocks of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSet {
    words: Vec<u64>,
    len: usize,
}

impl BlockSet {
    /// No block of a segment that has `len` blocks.
    pub fn none(len: usize) -> BlockSet {
        BlockSet { words: vec![0; len.div_ceil(64)], len }
    }

    /// All blocks of a segment that has `len` blocks.
    pub fn all(len: usize) -> BlockSet {
        let mut words = vec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        BlockSet { words, len }
    }

    /// Adds the blocks that are marked in `row`: a bit each, in bytes from the lowest bit on. It
    /// marks no others than the segment has.
    pub(super) fn unite_row(&mut self, row: &[u8]) {
        self.words.iter_mut().zip(row.chunks(8)).for_each(|(word, bytes)| *word |= number(bytes));
    }

    /// Leaves the blocks that are marked in `row`, too.
    pub(super) fn intersect_row(&mut self, row: &[u8]) {
        self.words.iter_mut().zip(row.chunks(8)).for_each(|(word, bytes)| *word &= number(bytes));
    }

    /// The blocks of a segment of `len` blocks for which `is_in` holds.
    pub(super) fn filled(len: usize, is_in: impl Fn(usize) -> bool) -> BlockSet {
        let mut set = BlockSet::none(len);
        (0..len).filter(|block| is_in(*block)).for_each(|block| set.insert(block));
        set
    }

    /// How many blocks the segment has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the set has no block.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many blocks are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the set has a block.
    pub fn contains(&self, block: usize) -> bool {
        self.words.get(block / 64).is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    /// Adds a block. One that the segment does not have changes nothing.
    pub fn insert(&mut self, block: usize) {
        if block < self.len
            && let Some(word) = self.words.get_mut(block / 64)
        {
            *word |= 1 << (block % 64);
        }
    }

    /// The blocks of the set in their order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.len).filter(|block| self.contains(*block))
    }

    /// Adds the blocks of another set of the same segment.
    pub fn unite(&mut self, other: &BlockSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(to, from)| *to |= from);
    }

    /// Leaves the blocks that another set of the same segment has too.
    pub fn intersect(&mut self, other: &BlockSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(to, from)| *to &= from);
    }

    /// The set with the blocks that have the context of its blocks: `before` lines before their
    /// first one, and `after` lines after their last one. `lines` tells how many lines each block
    /// of the segment has.
    pub fn with_context(&self, lines: &[u32], before: u32, after: u32) -> BlockSet {
        let mut wider = self.clone();
        for block in self.iter() {
            let back = (0..block).rev();
            spread(&mut wider, back, lines, before);
            spread(&mut wider, block + 1..self.len, lines, after);
        }
        wider
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Adds blocks in their order until they have as many lines as are wanted.
fn spread(set: &mut BlockSet, blocks: impl Iterator<Item = usize>, lines: &[u32], wanted: u32) {
    let mut left = u64::from(wanted);
    for block in blocks {
        if left == 0 {
            return;
        }
        set.insert(block);
        left = left.saturating_sub(u64::from(lines.get(block).copied().unwrap_or(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(len: usize, blocks: &[usize]) -> BlockSet {
        BlockSet::filled(len, |block| blocks.contains(&block))
    }

    #[test]
    fn a_set_has_the_blocks_of_its_segment_alone() {
        for len in [0, 1, 63, 64, 65, 128, 130] {
            let all = BlockSet::all(len);
            assert_eq!((all.count(), all.iter().count()), (len, len));
            let mut none = BlockSet::none(len);
            none.insert(len);
            assert!(none.is_empty());
        }
        let row = [0b101, 0, 0, 0, 0, 0, 0, 0, 2];
        let (mut none, mut all) = (BlockSet::none(70), BlockSet::all(70));
        none.unite_row(&row);
        all.intersect_row(&row);
        assert_eq!((&none, &all), (&set(70, &[0, 2, 65]), &set(70, &[0, 2, 65])));
    }

    /// Context goes as far as its lines do, also over blocks with few or no line ends.
    #[test]
    fn context_takes_neighbours_until_it_has_its_lines() {
        let lines = [10, 10, 2, 0, 10, 10, 10];
        let one = set(7, &[4]);
        assert_eq!(one.with_context(&lines, 0, 0), one);
        assert_eq!(one.with_context(&lines, 1, 0), set(7, &[2, 3, 4]));
        assert_eq!(one.with_context(&lines, 3, 11), set(7, &[1, 2, 3, 4, 5, 6]));
        assert_eq!(one.with_context(&lines, u32::MAX, u32::MAX), BlockSet::all(7));
    }
}
