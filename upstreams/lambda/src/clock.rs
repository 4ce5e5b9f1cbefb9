//! The service's clock, as far as it differs from the machine's.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, header::DATE};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

/// How much better than the known offset a new one has to be before a call is worth repeating, in seconds. Lambda
/// accepts five minutes to either side.
const WORTHWHILE: i64 = 60;

/// The machine's clock, corrected by what the service said of its own.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset: AtomicI64,
}

impl Clock {
    /// The time by the service's clock.
    pub(crate) fn now(&self) -> SystemTime {
        shifted(SystemTime::now(), self.offset.load(Ordering::Relaxed))
    }

    /// Takes over the time of an answer's `date`. Says whether that changed anything, so that another try has a chance.
    pub(crate) fn adjust(&self, headers: &HeaderMap) -> bool {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(seconds);
        let Some(date) = date else {
            return false;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let offset = date.saturating_sub(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let before = self.offset.swap(offset, Ordering::Relaxed);
        offset.abs_diff(before) >= WORTHWHILE.unsigned_abs()
    }
}

fn seconds(date: &str) -> Option<i64> {
    // An HTTP date is one of RFC 2822 but for the zone's name.
    let date = date.strip_suffix("GMT").map(|date| format!("{date}+0000"))?;
    OffsetDateTime::parse(&date, &Rfc2822).ok().map(OffsetDateTime::unix_timestamp)
}

fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time.checked_sub(by) } else { time.checked_add(by) }.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use time::macros::format_description;

    use super::*;

    fn dated(time: SystemTime) -> HeaderMap {
        let format =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        let date = OffsetDateTime::from(time).format(&format).unwrap();
        HeaderMap::from_iter([(DATE, HeaderValue::from_str(&date).unwrap())])
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("yesterday"), None);
    }

    #[test]
    fn a_clock_that_is_wrong_is_put_right_once() {
        let clock = Clock::default();
        let service = SystemTime::now() + Duration::from_secs(1200);
        assert!(clock.adjust(&dated(service)));
        let off = clock.now().duration_since(service).or_else(|early| Ok::<_, ()>(early.duration())).unwrap();
        assert!(off < Duration::from_secs(10), "{off:?}");
        assert!(!clock.adjust(&dated(service)), "nothing new: another try would fail alike");
        assert!(clock.adjust(&dated(SystemTime::now())), "and back");
    }

    #[test]
    fn an_answer_without_a_date_changes_nothing() {
        let clock = Clock::default();
        assert!(!clock.adjust(&HeaderMap::new()));
        assert!(clock.now().duration_since(SystemTime::now()).unwrap_or_default() < Duration::from_secs(5));
    }
}
