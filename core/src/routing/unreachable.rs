//! Routes that no request can reach.

use std::collections::HashMap;

use super::{
    rule::{Match, PathMatch, Rule},
    table::RouteTable,
};

/// A rule that no request can reach, as another one takes them all before.
#[derive(Debug)]
pub struct Unreachable<'t, T> {
    /// The rule that is never found.
    pub hidden: &'t Rule<T>,
    /// The rule that hides it.
    pub by: &'t Rule<T>,
}

impl<T> RouteTable<T> {
    /// The rules hidden by another one of the same host and path, each with the first that hides it.
    #[must_use]
    pub fn unreachable(&self) -> Vec<Unreachable<'_, T>> {
        let mut pairs = Vec::new();
        for run in self.rules().chunk_by(|one, other| one.compare_place(other).is_eq()) {
            let PathMatch::Regex(_) = run[0].matcher.path else {
                add_hidden(&run.iter().collect::<Vec<_>>(), &mut pairs);
                continue;
            };
            let mut by_source = HashMap::<&str, Vec<&Rule<T>>>::new();
            for rule in run {
                if let PathMatch::Regex(regex) = &rule.matcher.path {
                    by_source.entry(regex.as_str()).or_default().push(rule);
                }
            }
            by_source.values().for_each(|rules| add_hidden(rules, &mut pairs));
        }
        pairs.sort_by_key(|pair| pair.hidden.order);
        pairs
    }
}

/// Adds what is hidden among rules of the same host and path, which are in precedence order.
fn add_hidden<'t, T>(rules: &[&'t Rule<T>], pairs: &mut Vec<Unreachable<'t, T>>) {
    for (index, hidden) in rules.iter().enumerate() {
        if let Some(by) = rules[..index].iter().find(|earlier| covers(&earlier.matcher, &hidden.matcher)) {
            pairs.push(Unreachable { hidden, by });
        }
    }
}

/// Whether every request that matches the later rule matches the earlier one.
fn covers(earlier: &Match, later: &Match) -> bool {
    // By names, not by what is served: `HEAD` goes to the rule that names it, whatever `GET` rule stands before.
    let methods = earlier.methods.is_any() || (!later.methods.is_any() && later.methods.is_subset_of(&earlier.methods));
    methods
        && earlier.headers.iter().all(|condition| {
            later
                .headers
                .iter()
                .any(|other| other.name() == condition.name() && condition.test().is_implied_by(other.test()))
        })
        && earlier.query.iter().all(|condition| {
            later
                .query
                .iter()
                .any(|other| other.name() == condition.name() && condition.test().is_implied_by(other.test()))
        })
}
