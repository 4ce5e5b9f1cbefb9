//! The names of headers that peers have sent before.

use std::cell::RefCell;

use http::HeaderName;

use super::error::WireError;

/// How many names a thread remembers, a power of two, and how long each may be.
const PLACES: usize = 256;
const LONGEST: usize = 32;

/// A name as it was written, and what it is.
type Known = Option<(Box<[u8]>, HeaderName)>;

thread_local! {
    static KNOWN: RefCell<Names> = const { RefCell::new(Names(Vec::new())) };
}

/// The names that the peers of this thread have sent. They send the same ones again and again, and to know one again costs a
/// tenth of reading it. Those of all connections are together, as what each had for itself would not stay in the processor's
/// cache until its next request.
#[derive(Debug)]
pub(super) struct Names(Vec<Known>);

impl Names {
    /// Looks names up in those of this thread.
    pub(super) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        KNOWN.with_borrow_mut(work)
    }

    /// The name that is written so.
    pub(super) fn read(&mut self, written: &[u8]) -> Result<HeaderName, WireError> {
        let place = place(written);
        if let Some(Some((known, name))) = self.0.get(place)
            && **known == *written
        {
            return Ok(name.clone());
        }
        let name = HeaderName::from_bytes(written).map_err(|_| WireError::Head(httparse::Error::HeaderName))?;
        if written.len() <= LONGEST {
            if self.0.is_empty() {
                self.0.resize_with(PLACES, || None);
            }
            self.0[place] = Some((written.into(), name.clone()));
        }
        Ok(name)
    }
}

/// The only place where a name may be. The factors give the usual names places of their own, as they are written in lower case
/// and with capitals.
fn place(written: &[u8]) -> usize {
    let at = |index: usize| written.get(index).map_or(0, |byte| usize::from(*byte));
    let length = written.len();
    (length * 13 + at(0) * 29 + at(length / 2) + at(length.saturating_sub(1)) * 29) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_whether_it_is_known_or_not() {
        let long = "x-".repeat(40);
        for written in ["Host", "X-Custom", "host", &long, "Host", "X-Custom", "host", &long, "HOST", "x-Custom"] {
            let name = Names::with(|names| names.read(written.as_bytes()));
            assert_eq!(name.unwrap().as_str(), written.to_ascii_lowercase());
        }
        let mut names = Names(Vec::new());
        for wrong in [&b""[..], b"a b", b"\xff"] {
            assert!(names.read(wrong).is_err());
        }
        (0..1000).for_each(|number| drop(names.read(format!("x-{number}").as_bytes()).unwrap()));
        assert_eq!(names.0.len(), PLACES);
        assert!(names.0.iter().flatten().all(|(known, _)| known.len() <= LONGEST));
    }

    #[test]
    fn the_usual_names_have_places_of_their_own() {
        let usual = "host user-agent accept accept-encoding accept-language content-type content-length authorization cookie \
            connection date server etag cache-control vary origin referer x-request-id traceparent x-forwarded-for \
            x-forwarded-proto last-modified transfer-encoding location set-cookie if-none-match tracestate keep-alive te via \
            expires age";
        let capitals = |name: &str| {
            let words = name.split('-').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..]));
            words.collect::<Vec<_>>().join("-")
        };
        let names: Vec<_> = usual.split_whitespace().flat_map(|name| [name.to_owned(), capitals(name)]).collect();
        let places: std::collections::BTreeSet<_> = names.iter().map(|name| place(name.as_bytes())).collect();
        assert_eq!(places.len(), names.len());
    }
}
