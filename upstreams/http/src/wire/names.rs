//! The names of headers that a peer has sent before.

use http::HeaderName;

use super::error::WireError;

/// How many names are remembered, and how long each may be: it is memory of every connection.
const MOST: usize = 24;
const LONGEST: usize = 32;

/// How many of the names that may come next are looked at.
const AHEAD: usize = 3;

/// The names of a connection's headers, in the order of their first heads. Peers send the same ones again and again, and to
/// know one again costs a tenth of reading it.
#[derive(Debug, Default)]
pub struct Names {
    known: Vec<(Box<[u8]>, HeaderName)>,
    /// Which is likely to come next.
    next: usize,
}

impl Names {
    /// A head begins.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }

    /// The name that is written so.
    pub(super) fn read(&mut self, written: &[u8]) -> Result<HeaderName, WireError> {
        let likely = self.known.iter().enumerate().skip(self.next).take(AHEAD);
        for (at, (known, name)) in likely {
            if **known == *written {
                self.next = at + 1;
                return Ok(name.clone());
            }
        }
        let name = HeaderName::from_bytes(written).map_err(|_| WireError::Head(httparse::Error::HeaderName))?;
        if self.known.len() < MOST && written.len() <= LONGEST {
            self.known.push((written.into(), name.clone()));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_whether_it_is_known_or_not() {
        let mut names = Names::default();
        let long = "x-".repeat(40);
        let heads: [&[&str]; 4] = [
            &["Host", "X-Custom", "host", &long],
            &["Host", "X-Custom", "host", &long],
            &["X-Custom", "accept", "Host", "HOST"],
            &["host"],
        ];
        for head in heads {
            names.rewind();
            for written in head {
                assert_eq!(names.read(written.as_bytes()).unwrap().as_str(), written.to_ascii_lowercase());
            }
        }
        assert!(names.read(b"a b").is_err());
        assert!(names.known.iter().all(|(known, _)| known.len() <= LONGEST));
        (0..100).for_each(|number| drop(names.read(format!("x-{number}").as_bytes()).unwrap()));
        assert_eq!(names.known.len(), MOST);
    }
}
