//! Times in events.

use std::time::SystemTime;

use time::OffsetDateTime;

use super::json::Json;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since 1970.
pub(super) fn epoch_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes `"12/Mar/2020:19:03:58 +0000"`, the time of the Common Log Format in UTC.
pub(super) fn write(json: &mut Json, time: SystemTime) {
    let seconds = i64::try_from(epoch_millis(time) / 1000).unwrap_or(i64::MAX);
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    json.quote().two_digits(time.day()).part("/").part(month).part("/");
    json.number(u64::from(time.year().unsigned_abs()));
    for part in [time.hour(), time.minute(), time.second()] {
        json.part(":").two_digits(part);
    }
    json.part(" +0000").quote();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_common_log_format() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_584_039_838_390);
        let mut json = Json::with_capacity(0);
        write(&mut json, time);
        assert_eq!(json.finish(), "\"12/Mar/2020:19:03:58 +0000\"");
        assert_eq!(epoch_millis(time), 1_584_039_838_390);
    }
}
