//! A trie over path segments, for templates and for the prefixes of tail captures.

use std::{hash::BuildHasher, num::NonZeroU32, ops::ControlFlow, ops::Range};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{capture_plan::split_segment, pattern::Segment};

/// The rules of one path: a range of the table's rules, which are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    start: u32,
    end: u32,
}

impl Leaf {
    pub(super) fn new(range: &Range<usize>) -> Self {
        Self { start: narrow(range.start), end: narrow(range.end) }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// An index of 32 bits: four thousand million rules do not fit into memory.
fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Nodes lie in the order of the sorted rules, so that what one path reads is close together.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

/// A node fills one cache line: in a large table every line read is a miss.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Node {
    /// The literal that leads here, inline when it is short.
    label: SmallVec<[u8; 16]>,
    literals: Literals,
    capture: Option<NonZeroU32>,
    leaf: Leaf,
}

const _: () = assert!(size_of::<Node>() == 64);

/// Children by literal. A few are compared faster than hashed, and take less memory.
#[derive(Debug, Default)]
enum Literals {
    #[default]
    None,
    One(u32),
    Few(Box<SmallVec<[u32; FEW]>>),
    Many(Box<HashTable<u32>>),
}

const FEW: usize = 6;

/// The tables come from the configuration, so no client can make their literals collide.
fn hash(label: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(label)
}

impl Trie {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    pub(super) fn insert(&mut self, segments: &[Segment], leaf: Leaf) {
        let mut at = 0;
        for segment in segments {
            let known = match segment {
                Segment::Literal(literal) => self.literal_child(&self.nodes[at], literal.as_bytes()),
                Segment::Capture => self.nodes[at].capture.map(NonZeroU32::get),
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
        let child = narrow(index);
        let mut node = Node::default();
        match segment {
            Segment::Capture => self.nodes[parent].capture = NonZeroU32::new(child),
            Segment::Literal(literal) => {
                node.label = SmallVec::from_slice(literal.as_bytes());
            }
        }
        self.nodes.push(node);
        if let Segment::Literal(_) = segment {
            let before = std::mem::take(&mut self.nodes[parent].literals);
            self.nodes[parent].literals = self.with_child(before, child);
        }
        index
    }

    fn with_child(&self, literals: Literals, child: u32) -> Literals {
        let label_hash = |child: &u32| hash(self.label(*child));
        match literals {
            Literals::None => Literals::One(child),
            Literals::One(only) => Literals::Few(Box::new(SmallVec::from_slice(&[only, child]))),
            Literals::Few(mut few) if few.len() < FEW => {
                few.push(child);
                Literals::Few(few)
            }
            Literals::Few(few) => {
                let mut many = HashTable::with_capacity(2 * FEW);
                for child in few.iter().copied().chain([child]) {
                    many.insert_unique(label_hash(&child), child, label_hash);
                }
                Literals::Many(Box::new(many))
            }
            Literals::Many(mut many) => {
                many.insert_unique(label_hash(&child), child, label_hash);
                Literals::Many(many)
            }
        }
    }

    fn label(&self, child: u32) -> &[u8] {
        &self.nodes[child as usize].label
    }

    fn literal_child(&self, node: &Node, segment: &[u8]) -> Option<u32> {
        let is_labelled = |child: u32| self.label(child) == segment;
        match &node.literals {
            Literals::None => None,
            Literals::One(child) => is_labelled(*child).then_some(*child),
            Literals::Few(children) => children.iter().copied().find(|child| is_labelled(*child)),
            Literals::Many(children) => children.find(hash(segment), |child| is_labelled(*child)).copied(),
        }
    }

    /// Visits the leaves whose segments are the path's, in precedence order, until one breaks.
    pub(super) fn whole<B>(&self, path: &str, found: &mut impl FnMut(Leaf) -> ControlFlow<B>) -> ControlFlow<B> {
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
        if let Some(child) = self.literal_child(node, segment.as_bytes()) {
            self.descend(&self.nodes[child as usize], following, found)?;
        }
        match node.capture {
            Some(child) if !segment.is_empty() => self.descend(&self.nodes[child.get() as usize], following, found),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Visits the leaves whose segments begin the path, the longest first, until one breaks.
    pub(super) fn prefixes<B>(&self, path: &str, found: &mut impl FnMut(Leaf) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut leaves = SmallVec::<[(usize, Leaf); 16]>::new();
        self.collect(&self.nodes[0], 0, path.strip_prefix('/'), &mut leaves);
        // The sort is stable, so leaves of the same depth stay in precedence order.
        leaves.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        leaves.into_iter().try_for_each(|(_, leaf)| found(leaf))
    }

    fn collect(&self, node: &Node, depth: usize, rest: Option<&str>, leaves: &mut SmallVec<[(usize, Leaf); 16]>) {
        if !node.leaf.is_empty() {
            leaves.push((depth, node.leaf));
        }
        let Some(rest) = rest else { return };
        let (segment, following) = split_segment(rest);
        if let Some(child) = self.literal_child(node, segment.as_bytes()) {
            self.collect(&self.nodes[child as usize], depth + 1, following, leaves);
        }
        match node.capture {
            Some(child) if !segment.is_empty() => {
                self.collect(&self.nodes[child.get() as usize], depth + 1, following, leaves)
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
            trie.insert(PathPattern::parse(pattern).unwrap().segments(), Leaf::new(&(index..index + 1)));
        }
        let mut order = Vec::new();
        let mut visit = |leaf: Leaf| {
            order.push(leaf.range().start);
            ControlFlow::<()>::Continue(())
        };
        let end = if prefixes { trie.prefixes(path, &mut visit) } else { trie.whole(path, &mut visit) };
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
