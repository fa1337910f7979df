//! Numbers on the command line: out of range, a value is refused with its range.

use std::fmt::Display;
use std::str::FromStr;

/// A whole number from `least` to `most`.
pub(in crate::commands) fn whole<N>(least: N, most: N) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: TryFrom<i128> + PartialOrd + Display + Copy,
{
    move |text| {
        let number = i128::from_str(text).ok().and_then(|number| N::try_from(number).ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("a whole number from {least} to {most} is wanted"))
    }
}

/// A whole number, at least `least`.
pub(in crate::commands) fn at_least(least: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        whole(least, usize::MAX)(text).map_err(|_| format!("a whole number is wanted, at least {least}"))
    }
}

/// A probability.
pub(in crate::commands) fn probability(text: &str) -> Result<f32, String> {
    real(text, |number| (0.0..=1.0).contains(&number), "a probability is wanted, from 0 to 1")
}

/// A number from 0 upwards.
pub(in crate::commands) fn not_negative(text: &str) -> Result<f32, String> {
    real(text, |number| number >= 0.0, "a number is wanted, at least 0")
}

/// A number above 0.
pub(in crate::commands) fn positive(text: &str) -> Result<f32, String> {
    real(text, |number| number > 0.0, "a number is wanted, above 0")
}

fn real(text: &str, fits: impl Fn(f32) -> bool, wanted: &str) -> Result<f32, String> {
    let number = f32::from_str(text).ok().filter(|number| number.is_finite() && fits(*number));
    number.ok_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(whole(1_u16, 1024)("1024"), Ok(1024));
        for wrong in ["0", "1025", "-1", "x", "", "99999999999999999999999999999999999999999"] {
            let refused = Err("a whole number from 1 to 1024 is wanted".to_owned());
            assert_eq!(whole(1_u16, 1024)(wrong), refused, "{wrong}");
        }
        assert_eq!(whole(0, u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(at_least(1)("-5"), Err("a whole number is wanted, at least 1".to_owned()));
        assert_eq!((probability("1"), not_negative("0"), positive("0.5")), (Ok(1.0), Ok(0.0), Ok(0.5)));
        for wrong in ["NaN", "inf", "-0.1", "1.1", ""] {
            assert!(probability(wrong).is_err(), "{wrong}");
        }
        assert!(not_negative("inf").is_err() && positive("0").is_err());
    }
}
