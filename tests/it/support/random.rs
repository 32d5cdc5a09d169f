//! Choices for storms that can be repeated.

/// Always the same choices for a seed (xorshift32).
pub struct Random(pub u32);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        usize::try_from(self.0).unwrap() % limit
    }
}
