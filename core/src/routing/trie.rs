//! A trie over path segments, for templates and for the prefixes of tail captures.

use std::{collections::HashMap, ops::ControlFlow, ops::Range};

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use super::pattern::{Segment, split_segment};

/// The rules of one path: a range of the table's rules, which are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    start: u32,
    end: u32,
}

impl Leaf {
    pub(super) fn new(range: &Range<usize>) -> Self {
        let index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Self { start: index(range.start), end: index(range.end) }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: Literals,
    capture: Option<u32>,
    leaf: Leaf,
}

/// Children by literal. A few are compared faster than hashed, and take less memory.
#[derive(Debug)]
enum Literals {
    Few(SmallVec<[(Box<str>, u32); 1]>),
    Many(HashMap<Box<str>, u32, FixedState>),
}

const FEW: usize = 6;

impl Default for Literals {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Literals {
    fn get(&self, segment: &str) -> Option<u32> {
        match self {
            Self::Few(children) => {
                children.iter().find(|(literal, _)| &**literal == segment).map(|(_, child)| *child)
            }
            Self::Many(children) => children.get(segment).copied(),
        }
    }

    fn insert(&mut self, literal: &str, child: u32) {
        match self {
            Self::Few(children) if children.len() < FEW => children.push((literal.into(), child)),
            Self::Few(children) => {
                let mut many: HashMap<_, _, _> = std::mem::take(children).into_iter().collect();
                many.insert(literal.into(), child);
                *self = Self::Many(many);
            }
            Self::Many(children) => drop(children.insert(literal.into(), child)),
        }
    }
}

impl Trie {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    pub(super) fn insert(&mut self, segments: &[Segment], leaf: Leaf) {
        let mut at = 0;
        for segment in segments {
            let known = match segment {
                Segment::Literal(literal) => self.nodes[at].literals.get(literal),
                Segment::Capture(_) => self.nodes[at].capture,
            };
            at = match known {
                Some(child) => child as usize,
                None => self.add_child(at, segment),
            };
        }
        self.nodes[at].leaf = leaf;
    }

    fn add_child(&mut self, parent: usize, segment: &Segment) -> usize {
        let index = self.nodes.len();
        let child = u32::try_from(index).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        match segment {
            Segment::Literal(literal) => self.nodes[parent].literals.insert(literal, child),
            Segment::Capture(_) => self.nodes[parent].capture = Some(child),
        }
        index
    }

    /// Visits the leaves whose segments are the path's, in precedence order, until one breaks.
    pub(super) fn whole<B>(
        &self,
        path: &str,
        found: &mut impl FnMut(Leaf) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self.nodes.len() {
            1 => ControlFlow::Continue(()),
            _ => self.descend(&self.nodes[0], path.strip_prefix('/'), found),
        }
    }

    fn descend<B>(
        &self,
        node: &Node,
        rest: Option<&str>,
        found: &mut impl FnMut(Leaf) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Some(rest) = rest else {
            return if node.leaf.is_empty() { ControlFlow::Continue(()) } else { found(node.leaf) };
        };
        let (segment, following) = split_segment(rest);
        if let Some(child) = node.literals.get(segment) {
            self.descend(&self.nodes[child as usize], following, found)?;
        }
        match node.capture {
            Some(child) if !segment.is_empty() => {
                self.descend(&self.nodes[child as usize], following, found)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Visits the leaves whose segments begin the path, the longest first, until one breaks.
    pub(super) fn prefixes<B>(
        &self,
        path: &str,
        found: &mut impl FnMut(Leaf) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut leaves = SmallVec::<[(usize, Leaf); 16]>::new();
        self.collect(&self.nodes[0], 0, path.strip_prefix('/'), &mut leaves);
        // The sort is stable, so leaves of the same depth stay in precedence order.
        leaves.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        leaves.into_iter().try_for_each(|(_, leaf)| found(leaf))
    }

    fn collect(
        &self,
        node: &Node,
        depth: usize,
        rest: Option<&str>,
        leaves: &mut SmallVec<[(usize, Leaf); 16]>,
    ) {
        if !node.leaf.is_empty() {
            leaves.push((depth, node.leaf));
        }
        let Some(rest) = rest else { return };
        let (segment, following) = split_segment(rest);
        if let Some(child) = node.literals.get(segment) {
            self.collect(&self.nodes[child as usize], depth + 1, following, leaves);
        }
        match node.capture {
            Some(child) if !segment.is_empty() => {
                self.collect(&self.nodes[child as usize], depth + 1, following, leaves)
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::PathPattern;

    fn visited(patterns: &[&str], path: &str, prefixes: bool) -> Vec<usize> {
        let mut trie = Trie::new();
        for (index, pattern) in patterns.iter().enumerate() {
            trie.insert(
                PathPattern::parse(pattern).unwrap().segments(),
                Leaf::new(&(index..index + 1)),
            );
        }
        let mut order = Vec::new();
        let mut visit = |leaf: Leaf| {
            order.push(leaf.range().start);
            ControlFlow::<()>::Continue(())
        };
        let end =
            if prefixes { trie.prefixes(path, &mut visit) } else { trie.whole(path, &mut visit) };
        assert!(end.is_continue());
        order
    }

    #[test]
    fn literals_come_before_captures_from_the_left() {
        let patterns = ["/{a}/{b}", "/{a}/y", "/x/{b}", "/x/{b}/z"];
        assert_eq!(visited(&patterns, "/x/y", false), [2, 1, 0]);
        assert_eq!(visited(&patterns, "/x/", false), [] as [usize; 0]);
    }

    #[test]
    fn longer_prefixes_come_first() {
        let patterns = ["/{*r}", "/{a}/{b}/{*r}", "/x/{*r}", "/{a}/{*r}", "/x/y/z/{*r}"];
        assert_eq!(visited(&patterns, "/x/y", true), [1, 2, 3, 0]);
        assert_eq!(visited(&patterns, "/", true), [0]);
    }

    #[test]
    fn nodes_with_many_children_find_each() {
        let patterns: Vec<String> = (0..50).map(|index| format!("/p{index}/{{a}}")).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        for index in 0..50 {
            assert_eq!(visited(&patterns, &format!("/p{index}/x"), false), [index]);
        }
    }
}
