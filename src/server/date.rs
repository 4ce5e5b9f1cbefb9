//! The `date` of answers that have none (RFC 9110, 6.6.1).

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

thread_local! {
    /// The second since 1970 that the value tells.
    static NOW: RefCell<(u64, Option<HeaderValue>)> = const { RefCell::new((0, None)) };
}

/// The time as the header's value, which is made once a second.
pub(super) fn now() -> Option<HeaderValue> {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(of, value)| {
        if *of != second || value.is_none() {
            *value = HeaderValue::try_from(httpdate::HttpDate::from(now).to_string()).ok();
            *of = second;
        }
        value.clone()
    })
}
