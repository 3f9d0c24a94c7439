//! Exact sums: floating-point sums depend on the order, so they would differ from run to run.

use crate::decimal::{Decimal, power_of_ten};

/// The digits behind the point that fractions are summed with.
const SCALE: u8 = 18;

/// A sum, and how many numbers it has. Whole parts are below 10^28, and fractions have 18 digits.
/// So neither overflows before 10^10 numbers of the largest size. Beyond that they stay at the
/// largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    /// The sum of all whole parts.
    pub(crate) whole: i128,
    /// The sum of all fractions, in units of 10^-18. It may exceed 1.
    pub(crate) fraction: i128,
}

impl Sum {
    pub(crate) fn add(&mut self, number: Decimal) {
        let (mantissa, scale) = number.parts();
        self.count = self.count.saturating_add(1);
        if scale == 0 {
            self.whole = self.whole.saturating_add(mantissa);
            return;
        }
        let power = power_of_ten(scale);
        let (whole, fraction) = match (i64::try_from(mantissa), i64::try_from(power)) {
            // Division of 128 bits takes several times as long.
            (Ok(mantissa), Ok(power)) => {
                (i128::from(mantissa / power), i128::from(mantissa % power))
            }
            _ => (mantissa / power, mantissa % power),
        };
        self.whole = self.whole.saturating_add(whole);
        self.fraction = self.fraction.saturating_add(fraction * power_of_ten(SCALE - scale));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.whole = self.whole.saturating_add(other.whole);
        self.fraction = self.fraction.saturating_add(other.fraction);
    }

    /// The sum. If it has more than 38 digits, the last ones behind the point are left out.
    pub(crate) fn total(self) -> Decimal {
        let unit = power_of_ten(SCALE);
        let whole = self.whole.saturating_add(self.fraction / unit);
        let fraction = self.fraction % unit;
        let at_scale = |scale: u8| {
            let fraction = fraction / power_of_ten(SCALE - scale);
            let mantissa = whole.checked_mul(power_of_ten(scale))?.checked_add(fraction)?;
            Some(Decimal::unbounded(mantissa, scale))
        };
        let best = (0..=SCALE).rev().find_map(at_scale);
        best.unwrap_or_else(|| Decimal::unbounded(whole, 0))
    }

    /// The average with at most 9 digits behind the point. None of no numbers.
    pub(crate) fn average(self) -> Option<Decimal> {
        self.total().divided_by(Decimal::from(self.count))
    }
}
