//! One rule of a route table and its place in the order of precedence.

use std::{cmp::Ordering, fmt};

use http::{HeaderMap, Method};

use super::{
    captures::{Captures, MalformedCapture},
    conditions::{HeaderCondition, QueryCondition},
    host::HostPattern,
    methods::Methods,
    path_regex::PathRegex,
    pattern::{PathPattern, compare_segments},
};

/// A route as the table sees it: what it matches and what it stands for.
#[derive(Debug, Clone)]
pub struct Rule<T> {
    /// The host that the route belongs to; without one it is a top-level route, tried for every host last.
    pub host: Option<HostPattern>,
    /// What a request must be.
    pub matcher: Match,
    /// The place in the document, which decides a full tie.
    pub order: usize,
    /// What is found.
    pub value: T,
}

/// What a request must be for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The path.
    pub path: PathMatch,
    /// The methods; empty for any.
    pub methods: Methods,
    /// Conditions on headers, all of which must hold.
    pub headers: Vec<HeaderCondition>,
    /// Conditions on the query, all of which must hold.
    pub query: Vec<QueryCondition>,
}

/// A path by template or by regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathMatch {
    /// `path`: a template, exact if it captures nothing.
    Pattern(PathPattern),
    /// `path_regex`.
    Regex(PathRegex),
}

/// What the table looks at in a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'r> {
    /// The authority or `Host` header; case, port and a final dot do not matter.
    pub host: Option<&'r str>,
    /// The method.
    pub method: &'r Method,
    /// The path as [`normalize`](super::normalize) returned it.
    pub path: &'r str,
    /// The raw query without `?`.
    pub query: Option<&'r str>,
    /// The headers.
    pub headers: &'r HeaderMap,
}

/// The four ways of matching a path, the most specific one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathClass {
    Exact,
    Template,
    Regex,
    Tail,
}

impl Match {
    /// Matches a path with any method, headers and query.
    #[must_use]
    pub fn path(path: PathMatch) -> Self {
        Self { path, methods: Methods::any(), headers: Vec::new(), query: Vec::new() }
    }

    /// Whether it matches every request.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        let any_path =
            matches!(&self.path, PathMatch::Pattern(path) if path.tail().is_some() && path.segments().is_empty());
        any_path && self.methods.is_any() && self.condition_count() == 0
    }

    /// How many conditions on headers and query there are.
    #[must_use]
    pub fn condition_count(&self) -> usize {
        self.headers.len() + self.query.len()
    }

    pub(super) fn conditions_hold(&self, request: &RequestLine<'_>) -> bool {
        self.headers.iter().all(|condition| condition.holds(request.headers))
            && self.query.iter().all(|condition| condition.holds(request.query))
    }
}

impl PathMatch {
    pub(super) fn class(&self) -> PathClass {
        match self {
            Self::Regex(_) => PathClass::Regex,
            Self::Pattern(pattern) if pattern.tail().is_some() => PathClass::Tail,
            Self::Pattern(pattern) if pattern.is_exact() => PathClass::Exact,
            Self::Pattern(_) => PathClass::Template,
        }
    }

    /// The names of the captures, from the left.
    pub fn capture_names(&self) -> Vec<&str> {
        match self {
            Self::Pattern(pattern) => pattern.capture_names().collect(),
            Self::Regex(regex) => regex.capture_names().collect(),
        }
    }

    pub(super) fn capture(&self, path: &str) -> Result<Captures, MalformedCapture> {
        match self {
            Self::Pattern(pattern) => pattern.plan().capture(path),
            Self::Regex(regex) => regex.capture(path),
        }
    }

    /// Compares by precedence. Templates that differ in the names of their captures only are equal, and so are all
    /// regular expressions.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.class().cmp(&other.class()).then_with(|| match (self, other) {
            (Self::Pattern(one), Self::Pattern(two)) => {
                let (left, right) = (one.segments(), two.segments());
                let longer_first = if one.tail().is_some() { right.len().cmp(&left.len()) } else { Ordering::Equal };
                longer_first.then_with(|| compare_segments(left, right))
            }
            _ => Ordering::Equal,
        })
    }
}

impl<T> Rule<T> {
    /// Compares by precedence: host, path, methods, number of conditions, place in the document.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.compare_place(other)
            .then_with(|| self.matcher.methods.is_any().cmp(&other.matcher.methods.is_any()))
            .then_with(|| other.matcher.condition_count().cmp(&self.matcher.condition_count()))
            .then_with(|| self.order.cmp(&other.order))
    }

    /// Compares host and path alone.
    pub(super) fn compare_place(&self, other: &Self) -> Ordering {
        let top_level_last = self.host.is_none().cmp(&other.host.is_none());
        top_level_last
            .then_with(|| self.host.cmp(&other.host))
            .then_with(|| self.matcher.path.compare(&other.matcher.path))
    }
}

impl From<PathPattern> for PathMatch {
    fn from(pattern: PathPattern) -> Self {
        Self::Pattern(pattern)
    }
}

impl From<PathRegex> for PathMatch {
    fn from(regex: PathRegex) -> Self {
        Self::Regex(regex)
    }
}

/// The template as it stands, a regular expression after `~`.
impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

/// `GET,POST /orders/{id} [x-tier: gold] [?q: {present: true}]`
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_any() {
            write!(f, "{} ", self.methods)?;
        }
        self.path.fmt(f)?;
        for condition in &self.headers {
            write!(f, " [{condition}]")?;
        }
        for condition in &self.query {
            write!(f, " [?{condition}]")?;
        }
        Ok(())
    }
}
