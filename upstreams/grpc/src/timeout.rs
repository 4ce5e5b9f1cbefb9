//! `grpc-timeout`: how long the service may take.

use std::time::Duration;

use http::HeaderValue;

/// The largest number that the header holds: eight digits.
const MOST: u128 = 99_999_999;

/// Written in milliseconds, or in seconds where those are too many. What is left is rounded up, so that the service
/// never gives up before the gateway does.
pub(crate) fn encode(left: Duration) -> HeaderValue {
    let millis = left.as_nanos().div_ceil(1_000_000).max(1);
    let text = if millis <= MOST { format!("{millis}m") } else { format!("{}S", millis.div_ceil(1000).min(MOST)) };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("1m"))
}

/// What a client says; `None` for what is no timeout.
pub(crate) fn decode(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_rounded_up_and_fits() {
        for (left, written) in [
            (Duration::ZERO, "1m"),
            (Duration::from_micros(1500), "2m"),
            (Duration::from_secs(30), "30000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(encode(left), written);
            let read = decode(&encode(left)).unwrap();
            assert!(read >= left || left == Duration::MAX, "{read:?}");
        }
    }

    #[test]
    fn every_unit_is_read_and_nothing_else() {
        let read = |text: &'static str| decode(&HeaderValue::from_static(text));
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("5u"), Some(Duration::from_micros(5)));
        assert_eq!(read("6n"), Some(Duration::from_nanos(6)));
        for wrong in ["", "1", "S", "-1S", "1 S", "123456789S", "1x", "1.5S"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
