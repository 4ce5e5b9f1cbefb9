//! The route table: which route serves a request.

use std::{collections::HashMap, ops::ControlFlow};

use foldhash::fast::FixedState;
use http::{HeaderValue, Method};

use super::{
    captures::{Captures, MalformedCapture},
    gates::{Gates, Passage},
    host::HostIndex,
    methods::Methods,
    regexes::Regexes,
    rule::{PathClass, PathMatch, RequestLine, Rule},
    trie::{Leaf, Trie},
};

/// All routes of a gateway, indexed by host and path.
///
/// Finding an exact path or a template takes a time that does not depend on the number of routes. The order in which
/// rules were given matters for full ties only, by [`Rule::order`].
#[derive(Debug)]
pub struct RouteTable<T> {
    rules: Vec<Rule<T>>,
    gates: Gates,
    hosts: HostIndex<Paths>,
    top_level: Paths,
}

/// What a request found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'t, T> {
    /// A route, with the decoded captures of its path.
    Route {
        /// The payload of the most specific rule that matches.
        value: &'t T,
        /// The captures of its path.
        captures: Captures,
    },
    /// Routes match in all but the method; the answer is 405.
    MethodNotAllowed {
        /// The methods of those routes; [`Methods::allow_header`] makes the `Allow` header of them.
        allow: Methods,
    },
    /// Nothing matches; the answer is 404.
    None,
}

impl<T> Found<'_, T> {
    /// The `Allow` header of a 405.
    #[must_use]
    pub fn allow(&self) -> Option<HeaderValue> {
        match self {
            Self::MethodNotAllowed { allow } => Some(allow.allow_header()),
            Self::Route { .. } | Self::None => None,
        }
    }
}

impl<T> RouteTable<T> {
    /// Builds the table.
    #[must_use]
    pub fn build(mut rules: Vec<Rule<T>>) -> Self {
        rules.sort_by(Rule::compare);
        let mut hosts = HostIndex::new();
        let mut top_level = Paths::new();
        let mut start = 0;
        for run in rules.chunk_by(|one, other| one.host == other.host) {
            let paths = Paths::build(&rules, start, run.len());
            match run[0].host.clone() {
                Some(host) => hosts.insert(host, paths),
                None => top_level = paths,
            }
            start += run.len();
        }
        let gates = Gates::build(&rules);
        Self { rules, gates, hosts, top_level }
    }

    /// Finds the route for a request: the first in precedence order that matches in everything.
    ///
    /// The routes of the most specific host are tried before the top-level ones. `HEAD` is served by routes that name
    /// it before those that name `GET`.
    ///
    /// # Errors
    ///
    /// A capture of the route found that is not UTF-8; the answer is 400.
    pub fn find(&self, request: &RequestLine<'_>) -> Result<Found<'_, T>, MalformedCapture> {
        let mut wrong_method = false;
        let wanted = Methods::bits_of(request.method);
        let found = self.candidates(request, &mut |index| match self.gates.pass(&self.rules, index, wanted, request) {
            Passage::Open => ControlFlow::Break(index),
            Passage::FailedCondition => ControlFlow::Continue(()),
            Passage::WrongMethod => {
                wrong_method = true;
                ControlFlow::Continue(())
            }
        });
        match found {
            ControlFlow::Break(index) => {
                let rule = &self.rules[index];
                Ok(Found::Route { value: &rule.value, captures: self.gates.capture(rule, index, request.path)? })
            }
            ControlFlow::Continue(()) if wrong_method => Ok(self.not_allowed(request)),
            ControlFlow::Continue(()) => Ok(Found::None),
        }
    }

    /// All rules in precedence order: by host, path, methods, conditions, place in the document. Top-level rules are last.
    pub fn order(&self) -> impl ExactSizeIterator<Item = &Rule<T>> {
        self.rules.iter()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn rules(&self) -> &[Rule<T>] {
        &self.rules
    }

    /// Visits the rules whose host and path match, in precedence order, until one breaks.
    pub(super) fn candidates<B>(
        &self,
        request: &RequestLine<'_>,
        visit: &mut impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !request.path.starts_with('/') {
            return ControlFlow::Continue(());
        }
        if let Some(paths) = self.hosts.find(request.host) {
            paths.walk(&self.rules, &self.gates, request, visit)?;
        }
        self.top_level.walk(&self.rules, &self.gates, request, visit)
    }

    fn not_allowed(&self, request: &RequestLine<'_>) -> Found<'_, T> {
        let mut allow = Methods::any();
        let end = self.candidates(request, &mut |index| {
            let matcher = &self.rules[index].matcher;
            if matcher.conditions_hold(request) {
                allow.extend(&matcher.methods);
            }
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(end.is_continue());
        if allow.is_any() { Found::None } else { Found::MethodNotAllowed { allow } }
    }
}

/// The paths of one host.
#[derive(Debug)]
struct Paths {
    exact: HashMap<Box<str>, Leaf, FixedState>,
    templates: Trie,
    regexes: Regexes,
    tails: Trie,
}

impl Paths {
    fn new() -> Self {
        Self { exact: HashMap::default(), templates: Trie::new(), regexes: Regexes::default(), tails: Trie::new() }
    }

    /// Indexes the rules of one host, which are sorted.
    fn build<T>(rules: &[Rule<T>], start: usize, length: usize) -> Self {
        let mut paths = Self::new();
        let mut start = start;
        let end = start + length;
        for run in rules[start..end].chunk_by(|one, other| one.compare_place(other).is_eq()) {
            let range = start..start + run.len();
            start = range.end;
            let path = &run[0].matcher.path;
            match (path.class(), path) {
                (PathClass::Exact, PathMatch::Pattern(pattern)) => {
                    paths.exact.insert(pattern.to_string().into(), Leaf::new(&range));
                }
                (PathClass::Tail, PathMatch::Pattern(pattern)) => {
                    paths.tails.insert(pattern.segments(), Leaf::new(&range))
                }
                (_, PathMatch::Pattern(pattern)) => paths.templates.insert(pattern.segments(), Leaf::new(&range)),
                (_, PathMatch::Regex(_)) => paths.regexes = Regexes::build(rules, range),
            }
        }
        paths
    }

    fn walk<T, B>(
        &self,
        rules: &[Rule<T>],
        gates: &Gates,
        request: &RequestLine<'_>,
        visit: &mut impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let head = *request.method == Method::HEAD;
        if let Some(leaf) = self.exact.get(request.path) {
            walk_leaf(gates, *leaf, head, visit)?;
        }
        self.templates.whole(request.path, &mut |leaf| walk_leaf(gates, leaf, head, visit))?;
        if head {
            let mut walk = |visit: &mut Visit<'_, B>| self.regexes.walk(rules, request.path, &mut |index| visit(index));
            named_head_first(gates, &mut walk, visit)?;
        } else {
            self.regexes.walk(rules, request.path, visit)?;
        }
        self.tails.prefixes(request.path, &mut |leaf| walk_leaf(gates, leaf, head, visit))
    }
}

type Visit<'v, B> = dyn FnMut(usize) -> ControlFlow<B> + 'v;

/// Visits the rules of one path.
fn walk_leaf<B>(
    gates: &Gates,
    leaf: Leaf,
    head: bool,
    visit: &mut impl FnMut(usize) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if head && leaf.range().len() > 1 {
        named_head_first(gates, &mut |visit| leaf.range().try_for_each(visit), visit)
    } else {
        leaf.range().try_for_each(visit)
    }
}

/// Walks twice, so that among equal paths the rules that name `HEAD` come before those that serve it through `GET`.
fn named_head_first<B>(
    gates: &Gates,
    walk: &mut dyn FnMut(&mut Visit<'_, B>) -> ControlFlow<B>,
    visit: &mut impl FnMut(usize) -> ControlFlow<B>,
) -> ControlFlow<B> {
    for named in [true, false] {
        walk(&mut |index| match gates.lists_head(index) == named {
            true => visit(index),
            false => ControlFlow::Continue(()),
        })?;
    }
    ControlFlow::Continue(())
}
