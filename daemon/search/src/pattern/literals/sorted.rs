//! The strings of a set in their order, and which of them a text begins with. It owns the strings.

use std::ops::Range;

use super::fold::Folding;

/// Sorted strings without repetition, each in the form that stands for all of its case.
#[derive(Debug)]
pub(super) struct Sorted {
    /// All strings, one after the other.
    bytes: Box<[u8]>,
    /// Where each of them ends. `u32` is enough, since patterns are bounded.
    ends: Box<[u32]>,
    /// The first eight bytes of each as a number, with zeros behind a shorter one. A search among
    /// numbers is fast.
    keys: Box<[u64]>,
    /// If all strings have eight bytes: by the hash of a key, the first string with that key, or
    /// [`NONE`]. The next free place has it if the place is taken.
    index: Option<Box<[u32]>>,
    /// For each, the longest other string that it begins with, or [`NONE`].
    parents: Box<[u32]>,
}

const NONE: u32 = u32::MAX;

/// Up to this many strings with one key are counted one after the other.
const FEW: usize = 4;

impl Sorted {
    /// Sorts strings, one a line.
    pub(super) fn new(texts: &[u8], folding: &Folding) -> Sorted {
        let mut forms = Vec::with_capacity(texts.len());
        let mut spans = Vec::new();
        for text in texts.split(|byte| *byte == b'\n') {
            let (start, mut rest) = (forms.len(), text);
            if matches!(folding, Folding::None) {
                forms.extend_from_slice(text);
                rest = &[];
            }
            while let Some(folded) = folding.first(rest) {
                forms.extend(folded.form.iter().take(folded.form_bytes));
                rest = rest.get(folded.text_bytes..).unwrap_or_default();
            }
            spans.push((narrow(start), narrow(forms.len())));
        }
        let of =
            |span: &(u32, u32)| forms.get(span.0 as usize..span.1 as usize).unwrap_or_default();
        spans.sort_unstable_by(|one, other| of(one).cmp(of(other)));
        spans.dedup_by(|one, other| of(one) == of(other));
        let mut bytes = Vec::with_capacity(forms.len());
        let (mut ends, mut keys) = (Vec::with_capacity(spans.len()), Vec::new());
        for span in &spans {
            bytes.extend_from_slice(of(span));
            ends.push(narrow(bytes.len()));
            keys.push(key(of(span)));
        }
        let mut sorted = Sorted {
            bytes: bytes.into(),
            ends: ends.into(),
            keys: keys.into(),
            index: None,
            parents: Box::default(),
        };
        sorted.parents = sorted.find_parents();
        let are_long = sorted.iter().all(|form| form.len() >= 8);
        sorted.index = are_long.then(|| sorted.make_index());
        sorted
    }

    fn make_index(&self) -> Box<[u32]> {
        let mut index: Box<[u32]> = vec![NONE; index_places(self.len())].into();
        for (at, key) in self.keys.iter().enumerate() {
            if at > 0 && self.keys.get(at - 1) == Some(key) {
                continue;
            }
            let free = places(*key, index.len()).find(|place| index.get(*place) == Some(&NONE));
            if let Some(place) = free.and_then(|place| index.get_mut(place)) {
                *place = narrow(at);
            }
        }
        index
    }

    /// The strings whose keys are this one, or an empty range. With an index, strings with other
    /// keys do not matter.
    fn same_keys(&self, wanted: u64) -> Range<usize> {
        let low = match &self.index {
            Some(index) => {
                let taken = places(wanted, index.len())
                    .map_while(|place| index.get(place).filter(|first| **first != NONE))
                    .find(|first| self.keys.get(**first as usize) == Some(&wanted));
                let Some(first) = taken else { return 0..0 };
                *first as usize
            }
            None => self.keys.partition_point(|key| *key < wanted),
        };
        let rest = self.keys.get(low..).unwrap_or_default();
        // Most keys are those of one string.
        let few = rest.iter().take(FEW).take_while(|key| **key == wanted).count();
        let same = if few < FEW { few } else { rest.partition_point(|key| *key <= wanted) };
        low..low + same
    }

    fn find_parents(&self) -> Box<[u32]> {
        let mut beginnings: Vec<usize> = Vec::new();
        let parent = |index: usize| {
            while let Some(last) = beginnings.last()
                && !self.get(index).starts_with(self.get(*last))
            {
                beginnings.pop();
            }
            let parent = beginnings.last().map_or(NONE, |last| narrow(*last));
            beginnings.push(index);
            parent
        };
        (0..self.len()).map(parent).collect()
    }

    fn get(&self, index: usize) -> &[u8] {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = index.checked_sub(1).map_or(0, end);
        self.bytes.get(start..end(index)).unwrap_or_default()
    }

    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All strings in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The string, if there is only one.
    pub(super) fn only(&self) -> Option<&[u8]> {
        (self.len() == 1).then(|| self.get(0))
    }

    /// Whether one of the strings is empty.
    pub(super) fn has_empty(&self) -> bool {
        self.len() > 0 && self.get(0).is_empty()
    }

    /// The memory of the strings, in bytes.
    pub(super) fn memory(&self) -> usize {
        let index = if self.index.is_some() { 4 * index_places(self.len()) } else { 0 };
        self.bytes.len() + 16 * self.len() + index
    }

    /// The end of the longest string at `start` whose end is accepted. Also returns how many bytes
    /// were compared.
    pub(super) fn longest_at(
        &self,
        folding: &Folding,
        text: &[u8],
        start: usize,
        accepts: impl Fn(usize) -> bool,
    ) -> (Option<usize>, usize) {
        let text = text.get(start..).unwrap_or_default();
        let (wanted, known) = text_key(folding, text);
        let mut compared = 0;
        let Range { start: first, end: mut high } = self.same_keys(wanted);
        // The strings up to `low` are not greater than the text, and those from `high` are.
        let mut low = first;
        // How many bytes of the last one that is not greater are the text's.
        let mut common = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let (equal, is_greater) = compare(folding, self.get(middle), text, known);
            compared += equal;
            if is_greater {
                high = middle;
            } else {
                (low, common) = (middle + 1, Some(equal));
            }
        }
        if low == first && self.index.is_some() {
            return (None, compared);
        }
        let Some(mut index) = low.checked_sub(1) else { return (None, compared) };
        // The strings that the text begins with are this one and its beginnings.
        let common = common.unwrap_or_else(|| compare(folding, self.get(index), text, 0).0);
        loop {
            let form_bytes = self.get(index).len();
            if form_bytes <= common {
                let end = start + text_bytes(folding, text, form_bytes);
                if accepts(end) {
                    return (Some(end), compared);
                }
            }
            match self.parents.get(index) {
                Some(parent) if *parent != NONE => index = *parent as usize,
                _ => return (None, compared),
            }
        }
    }
}

/// Numbers of bytes and strings fit into `u32`, because patterns are bounded to a few MiB.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

fn key(form: &[u8]) -> u64 {
    let mut key = [0; 8];
    key.iter_mut().zip(form).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(key)
}

/// How many places an index of strings has.
fn index_places(strings: usize) -> usize {
    (strings + strings / 2).next_power_of_two()
}

/// The places of a key in an index of that many places, one after the other.
fn places(key: u64, places: usize) -> impl Iterator<Item = usize> {
    let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let first = usize::try_from(hash).unwrap_or(0);
    (0..places).map(move |at| (first + at) & (places - 1))
}

/// The first eight bytes of a text's form as a number, and how many of them are as many bytes of
/// the text.
fn text_key(folding: &Folding, text: &[u8]) -> (u64, usize) {
    if let Some(bytes) = text.first_chunk::<8>() {
        if matches!(folding, Folding::None) {
            return (u64::from_be_bytes(*bytes), 8);
        }
        if bytes.is_ascii() {
            return (u64::from_be_bytes(bytes.map(|byte| byte.to_ascii_lowercase())), 8);
        }
    } else if matches!(folding, Folding::None) {
        return (key(text), 0);
    }
    let (mut form, mut filled, mut rest) = ([0; 8], 0, text);
    while filled < form.len()
        && let Some(folded) = folding.first(rest)
    {
        let free = form.get_mut(filled..).unwrap_or_default();
        let bytes = folded.form.iter().take(folded.form_bytes);
        free.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        filled += folded.form_bytes;
        rest = rest.get(folded.text_bytes..).unwrap_or_default();
    }
    (u64::from_be_bytes(form), 0)
}

/// How many bytes of a string are those of the text's form, and whether it is greater than that.
/// The first `known` bytes of both have the same key.
fn compare(folding: &Folding, form: &[u8], text: &[u8], known: usize) -> (usize, bool) {
    let mut equal = if form.len() >= known { known } else { 0 };
    let mut rest = text.get(equal..).unwrap_or_default();
    if matches!(folding, Folding::None) {
        // Whole blocks compare fast.
        const BLOCK: usize = 32;
        let left = form.get(equal..).unwrap_or_default();
        let blocks = left.chunks_exact(BLOCK).zip(rest.chunks_exact(BLOCK));
        let same = BLOCK * blocks.take_while(|(one, other)| one == other).count();
        let left = left.iter().zip(rest).skip(same);
        equal += same + left.take_while(|(one, other)| one == other).count();
        return match (form.get(equal), text.get(equal)) {
            (Some(one), Some(other)) => (equal, one > other),
            (one, _) => (equal, one.is_some()),
        };
    }
    while equal < form.len() {
        let Some(folded) = folding.first(rest) else { return (equal, true) };
        for byte in folded.form.iter().take(folded.form_bytes) {
            match form.get(equal) {
                Some(one) if one == byte => equal += 1,
                one => return (equal, one.is_some_and(|one| one > byte)),
            }
        }
        rest = rest.get(folded.text_bytes..).unwrap_or_default();
    }
    (equal, false)
}

/// How many bytes of a text have this many bytes in its form.
fn text_bytes(folding: &Folding, text: &[u8], form_bytes: usize) -> usize {
    let Folding::Unicode(_) = folding else { return form_bytes };
    let (mut form, mut bytes) = (0, 0);
    while form < form_bytes
        && let Some(folded) = folding.first(text.get(bytes..).unwrap_or_default())
    {
        form += folded.form_bytes;
        bytes += folded.text_bytes;
    }
    bytes
}
