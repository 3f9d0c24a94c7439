//! Exact decimal numbers: what lines have, and what is computed of them.

use std::cmp::Ordering;
use std::fmt;

/// The most digits behind the point. Further ones are left out.
const MAX_SCALE: u8 = 18;

/// No number is this large, in absolute value: 10 to the power of 28.
const BOUND: i128 = 10_i128.pow(28);

/// The most digits that are kept of a number with digits behind the point.
const MAX_DIGITS: i128 = 10_i128.pow(37);

/// Powers of ten up to 10^37.
const fn powers() -> [i128; 38] {
    let mut powers = [1_i128; 38];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
}

const POWERS: [i128; 38] = powers();

/// 10 to the power of `exponent`, which is at most 37.
pub(crate) fn power_of_ten(exponent: u8) -> i128 {
    POWERS[usize::from(exponent).min(POWERS.len() - 1)]
}

/// An exact number: below 10^28 in absolute value, with at most 18 digits behind the point. Equal
/// numbers have equal representations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    /// The number without its point. It does not end in a zero, unless `scale` is 0.
    mantissa: i128,
    /// How many digits are behind the point.
    scale: u8,
}

impl Decimal {
    /// None if it is too large. Digits behind the 18th one of the fraction are left out.
    pub(crate) fn new(mut mantissa: i128, mut scale: u8) -> Option<Self> {
        while scale > MAX_SCALE {
            mantissa /= 10;
            scale -= 1;
        }
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let fits = (mantissa / power_of_ten(scale)).unsigned_abs() < BOUND.unsigned_abs();
        fits.then_some(Self { mantissa, scale })
    }

    /// A sum, which may be larger than numbers of lines. It has at most 18 digits behind the point.
    pub(crate) fn unbounded(mut mantissa: i128, mut scale: u8) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// The number without its point, and how many of its digits are behind it.
    pub fn parts(self) -> (i128, u8) {
        (self.mantissa, self.scale)
    }

    /// Whether it is 0.
    pub(crate) fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The nearest floating-point number.
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(self) -> f64 {
        self.mantissa as f64 / power_of_ten(self.scale) as f64
    }

    /// Reads all of `text`: a sign, digits, a point and digits, and an exponent, as in JSON; and
    /// also `+1`, `.5` and `5.`. No spaces, no `inf`, no hexadecimal.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        // Most numbers are short: no digit of them can overflow.
        if digits.len() <= 18
            && let Some((mantissa, scale)) = short(digits)
        {
            let mantissa = i128::from(if negative { -mantissa } else { mantissa });
            if scale == 0 {
                return Some(Self { mantissa, scale });
            }
            return Self::new(mantissa, scale);
        }
        long(digits, negative)
    }

    /// The sum, unless it is too large.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?, scale)
    }

    pub(crate) fn negated(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    /// The product, unless it is too large. Exact if it has at most 18 digits behind the point.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        Self::new(product, self.scale + other.scale)
    }

    /// The quotient with at most 9 digits behind the point, the last one rounded half away from 0.
    /// None if `other` is 0 or the numbers are too large.
    pub(crate) fn divided_by(self, other: Self) -> Option<Self> {
        const DIGITS: u8 = 9;
        let shift = other.scale + DIGITS;
        let (mut numerator, mut denominator) = (self.mantissa, other.mantissa);
        if shift >= self.scale {
            numerator = numerator.checked_mul(power_of_ten(shift - self.scale))?;
        } else {
            denominator = denominator.checked_mul(power_of_ten(self.scale - shift))?;
        }
        Self::new(rounded_quotient(numerator, denominator)?, DIGITS)
    }

    /// What remains of whole multiples, with the sign of `self`. None if `other` is 0 or too small.
    pub(crate) fn remainder(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.at_scale(scale)?.checked_rem(other.at_scale(scale)?)?, scale)
    }

    /// The largest whole number that is not larger.
    pub(crate) fn floor(self) -> Self {
        let mantissa = self.mantissa.div_euclid(power_of_ten(self.scale));
        Self { mantissa, scale: 0 }
    }

    /// Rounded to this many digits behind the point, half away from 0.
    pub(crate) fn rounded(self, digits: u8) -> Option<Self> {
        if digits >= self.scale {
            return Some(self);
        }
        Self::new(rounded_quotient(self.mantissa, power_of_ten(self.scale - digits))?, digits)
    }

    /// The mantissa if the number had this scale, which is at least its own.
    fn at_scale(self, scale: u8) -> Option<i128> {
        self.mantissa.checked_mul(power_of_ten(scale - self.scale))
    }
}

/// None if `denominator` is 0, or the numbers are at the end of their range.
pub(crate) fn rounded_quotient(numerator: i128, denominator: i128) -> Option<i128> {
    let quotient = numerator.checked_div(denominator)?;
    let rest = numerator % denominator;
    let away = rest.unsigned_abs() >= denominator.unsigned_abs().div_ceil(2);
    let sign = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    quotient.checked_add(if rest != 0 && away { sign } else { 0 })
}

/// Digits and at most one point.
fn short(digits: &[u8]) -> Option<(i64, u8)> {
    let mut mantissa = 0_i64;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => mantissa = mantissa * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let scale = point.map_or(0, |at| digits.len() - 1 - at);
    let has_digit = digits.len() > usize::from(point.is_some());
    has_digit.then_some((mantissa, u8::try_from(scale).ok()?))
}

/// Any number of digits, and an exponent.
fn long(text: &[u8], negative: bool) -> Option<Decimal> {
    let (digits, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let mut mantissa = 0_i128;
    // How many digits behind the point are in `mantissa`; less than 0 for zeros left out before it.
    let mut scale = 0_i64;
    let (mut seen, mut behind) = (false, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                if mantissa < MAX_DIGITS / 10 {
                    mantissa = mantissa * 10 + i128::from(byte - b'0');
                    scale += i64::from(behind);
                } else if !behind {
                    scale -= 1;
                }
            }
            b'.' if !behind => behind = true,
            _ => return None,
        }
    }
    if !seen {
        return None;
    }
    let signed = if negative { -mantissa } else { mantissa };
    scaled(signed, scale - exponent)
}

/// `mantissa` / 10^`scale`, where the scale may be negative or large.
fn scaled(mantissa: i128, scale: i64) -> Option<Decimal> {
    if mantissa == 0 {
        return Some(Decimal::default());
    }
    if scale < 0 {
        let power = u8::try_from(-scale).ok().filter(|power| *power <= 28)?;
        return Decimal::new(mantissa.checked_mul(power_of_ten(power))?, 0);
    }
    match u8::try_from(scale) {
        Ok(scale) => Decimal::new(mantissa, scale),
        Err(_) => Some(Decimal::default()),
    }
}

/// An exponent of at most 4 digits.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Some(if negative { -value } else { value })
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self { mantissa: i128::from(number), scale: 0 }
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self { mantissa: i128::from(number), scale: 0 }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let whole = |number: &Self| number.mantissa.div_euclid(power_of_ten(number.scale));
        let fraction = |number: &Self| {
            number.mantissa.rem_euclid(power_of_ten(number.scale))
                * power_of_ten(MAX_SCALE - number.scale)
        };
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        whole(self).cmp(&whole(other)).then_with(|| fraction(self).cmp(&fraction(other)))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Digits without an exponent, such as `-0.5`.
impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let power = power_of_ten(self.scale).unsigned_abs();
        let (whole, fraction) =
            (self.mantissa.unsigned_abs() / power, self.mantissa.unsigned_abs() % power);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        if self.scale == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        write!(formatter, "{sign}{whole}.{fraction:0width$}", width = usize::from(self.scale))
    }
}

#[cfg(test)]
mod tests;
