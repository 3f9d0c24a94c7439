//! Random choices that can be replayed: the same seed gives the same choices.

/// A source of choices (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The choices of this seed.
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// A number below this count.
    ///
    /// # Panics
    /// When there are none.
    pub fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let count = u64::try_from(count).expect("a count");
        usize::try_from((mixed ^ (mixed >> 31)) % count).expect("less than the count")
    }

    /// Chooses this many of them, each at most once.
    pub fn pick(&mut self, from: &[usize], count: usize) -> Vec<usize> {
        let mut left = from.to_vec();
        (0..count.min(left.len())).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}
