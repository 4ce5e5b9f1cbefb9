//! Many path expressions at once.

use std::ops::{ControlFlow, Range};

use regex::{RegexSet, RegexSetBuilder};

use super::{
    rule::{PathMatch, Rule},
    whole_regex::WholeRegex,
};

/// Expressions that one set scans together: enough to share the scan, few enough for its automaton to stay small.
const CHUNK: usize = 128;
/// Up to here one after the other is faster, and allocates nothing.
const ALONE: usize = 8;
/// Bytes that one set may take; a larger one is halved.
const SIZE_LIMIT: usize = 16 << 20;

/// The rules with a `path_regex`, a run of the table's rules in precedence order.
#[derive(Debug, Default)]
pub(super) struct Regexes {
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    set: Option<RegexSet>,
    rules: Range<usize>,
}

impl Regexes {
    /// Compiles the sets for a run of the table's rules.
    pub(super) fn build<T>(rules: &[Rule<T>], run: Range<usize>) -> Self {
        let mut chunks = Vec::new();
        for start in run.clone().step_by(CHUNK) {
            add_chunks(rules, start..run.end.min(start + CHUNK), &mut chunks);
        }
        Self { chunks }
    }

    /// Visits the rules that match the path, in precedence order, until one breaks.
    pub(super) fn walk<T, B>(
        &self,
        rules: &[Rule<T>],
        path: &str,
        visit: &mut impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for Chunk { set, rules: run } in &self.chunks {
            match set {
                Some(set) if set.is_match(path) => {
                    set.matches(path).iter().try_for_each(|index| visit(run.start + index))?;
                }
                Some(_) => {}
                None => run.clone().filter(|index| is_match(&rules[*index], path)).try_for_each(&mut *visit)?,
            }
        }
        ControlFlow::Continue(())
    }
}

fn is_match<T>(rule: &Rule<T>, path: &str) -> bool {
    matches!(&rule.matcher.path, PathMatch::Regex(regex) if regex.is_match(path))
}

fn add_chunks<T>(rules: &[Rule<T>], run: Range<usize>, chunks: &mut Vec<Chunk>) {
    if run.len() <= ALONE {
        chunks.push(Chunk { set: None, rules: run });
        return;
    }
    let expressions = rules[run.clone()].iter().map(|rule| match &rule.matcher.path {
        PathMatch::Regex(regex) => WholeRegex::anchored(regex.as_str()),
        PathMatch::Pattern(pattern) => regex::escape(&pattern.to_string()),
    });
    match RegexSetBuilder::new(expressions).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build() {
        Ok(set) => chunks.push(Chunk { set: Some(set), rules: run }),
        Err(_) => {
            let middle = run.start + run.len() / 2;
            add_chunks(rules, run.start..middle, chunks);
            add_chunks(rules, middle..run.end, chunks);
        }
    }
}
