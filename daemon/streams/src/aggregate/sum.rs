//! Exact sums: floating-point sums depend on the order, so they would differ from run to run.

use crate::decimal::{Decimal, power_of_ten};

/// The digits behind the point that fractions are summed with.
const SCALE: u8 = 18;

/// The most digits behind the point of an average.
const AVERAGE_SCALE: u8 = 9;

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

    /// The average with at most 9 digits behind the point, the last one rounded half away from 0.
    /// None of no numbers. The sum may be larger than what [`Decimal::divided_by`] can divide, so
    /// this divides digit by digit.
    pub(crate) fn average(self) -> Option<Decimal> {
        let (mantissa, scale) = self.total().parts();
        // At most 18 digits and 20 digits: below 2^128 / 10.
        let divisor = u128::from(self.count) * power_of_ten(scale).unsigned_abs();
        let mut quotient = mantissa.unsigned_abs().checked_div(divisor)?;
        let mut rest = mantissa.unsigned_abs() % divisor;
        for _ in 0..AVERAGE_SCALE {
            rest *= 10;
            quotient = quotient.checked_mul(10)?.checked_add(rest / divisor)?;
            rest %= divisor;
        }
        let away = u128::from(rest >= divisor.div_ceil(2));
        let quotient = i128::try_from(quotient.checked_add(away)?).ok()?;
        Decimal::new(if mantissa < 0 { -quotient } else { quotient }, AVERAGE_SCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;
    use crate::decimal::Decimal;

    fn average(sum: i128, scale: u8, count: u64) -> Option<String> {
        let power = 10_i128.pow(u32::from(scale));
        let fraction = sum % power * 10_i128.pow(u32::from(18 - scale));
        let average = Sum { count, whole: sum / power, fraction }.average();
        average.map(|average| average.to_string())
    }

    #[test]
    fn averages_are_rounded_half_away_from_zero() {
        let table = [
            (10, 0, 4, "2.5"),
            (2, 0, 3, "0.666666667"),
            (-2, 0, 3, "-0.666666667"),
            (1, 9, 2, "0.000000001"),
            (-1, 9, 2, "-0.000000001"),
            (1, 9, 3, "0"),
            (5, 18, 1, "0"),
            (7, 0, 7, "1"),
        ];
        for (sum, scale, count, expected) in table {
            assert_eq!(average(sum, scale, count).as_deref(), Some(expected), "{sum} {count}");
            let divided = Decimal::unbounded(sum, scale).divided_by(Decimal::from(count));
            assert_eq!(divided.unwrap().to_string(), expected, "as quotients are");
        }
        assert_eq!(average(1, 0, 0), None);
    }

    /// The average of numbers is never too large, however large their sum is.
    #[test]
    fn averages_of_large_sums_are_known() {
        let largest = 10_i128.pow(28) - 1;
        let expected = largest.to_string();
        for count in [2, 40, 1_000_000_000] {
            let sum = largest * i128::from(count);
            assert_eq!(average(sum, 0, count).as_deref(), Some(expected.as_str()), "{count}");
            assert_eq!(average(-sum, 0, count), Some(format!("-{expected}")), "{count}");
        }
        assert!(average(i128::MAX, 18, u64::MAX).is_some());
        assert_eq!(average(i128::MAX, 0, 1), None);
    }
}
