//! The `date` of answers that have none (RFC 9110, 6.6.1).

use std::{
    cell::RefCell,
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

thread_local! {
    /// The second since 1970 of which the text tells.
    static NOW: RefCell<(u64, Vec<u8>)> = const { RefCell::new((0, Vec::new())) };
}

/// Writes the header with the time, which is made a text once a second.
pub(super) fn write(to: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(of, text)| {
        if *of != second {
            text.clear();
            // Nothing fails on the way to memory.
            write!(text, "date: {}\r\n", httpdate::HttpDate::from(now)).ok();
            *of = second;
        }
        to.extend_from_slice(text);
    });
}
