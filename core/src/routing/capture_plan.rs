//! Which segments of a path a template captures, apart from the template, so that equal plans are kept once.

use std::sync::Arc;

use super::captures::{Captures, MalformedCapture};

/// The captures of a template, from the left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct CapturePlan {
    captures: Box<[Capture]>,
    has_tail: bool,
}

/// A capture: the index of its segment, or of the first of the tail, and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Capture {
    pub(super) segment: usize,
    pub(super) name: Arc<str>,
}

impl CapturePlan {
    /// Makes a plan; with a tail the last capture takes all that remains.
    pub(super) fn new(captures: Vec<Capture>, has_tail: bool) -> Self {
        Self { captures: captures.into(), has_tail }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.captures.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|capture| &*capture.name)
    }

    pub(super) fn tail(&self) -> Option<&str> {
        self.captures.last().filter(|_| self.has_tail).map(|capture| &*capture.name)
    }

    /// Takes the captures out of a path that is known to match.
    pub(super) fn capture(&self, path: &str) -> Result<Captures, MalformedCapture> {
        let Some(last) = self.captures.len().checked_sub(1) else {
            return Ok(Captures::default());
        };
        let mut captures = Captures::with_capacity(self.captures.len());
        let mut rest = path.strip_prefix('/');
        let mut at = 0;
        for (index, Capture { segment, name }) in self.captures.iter().enumerate() {
            while at < *segment {
                rest = rest.and_then(|rest| split_segment(rest).1);
                at += 1;
            }
            let rest = rest.unwrap_or_default();
            let is_tail = self.has_tail && index == last;
            captures.push(name, if is_tail { rest } else { split_segment(rest).0 })?;
            if is_tail {
                captures.set_tail(path.len() - rest.len());
            }
        }
        Ok(captures)
    }
}

/// The first segment of a path without its leading slash, and what follows the next slash, if there is one.
pub(super) fn split_segment(path: &str) -> (&str, Option<&str>) {
    // Segments are short: a plain loop beats the set-up of a vectorised search.
    match path.bytes().position(|byte| byte == b'/') {
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => (path, None),
    }
}
