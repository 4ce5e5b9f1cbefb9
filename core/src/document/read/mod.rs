//! A tree is read into types through serde, and everything that does not fit is found in one go.
//!
//! serde stops at the first error. So the node that failed is passed over and the tree is read again, until it
//! passes or only consequences of what was passed over are left. A required field that is not there is made up, so
//! that the next missing one is found too; what is read with it is thrown away.

mod collection;
mod error;
mod key;
mod node;
mod placeholder;
mod variant;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
};

use serde::de::DeserializeOwned;

pub(crate) use self::error::HELP;
use self::node::NodeDeserializer;
use super::{DocPath, Flaw, Node};

/// Where no more flaws are looked for in one tree.
const MOST_FLAWS: usize = 200;

/// Reads a node into a type and finds everything that does not fit.
///
/// Unknown fields are errors of every struct, whatever its attributes say. Nothing given (`null`) stands for an
/// empty mapping or list. Scalars whose reference is missing are passed over.
///
/// # Errors
/// All flaws. None of them when the node itself is a scalar whose reference is missing, which has been said.
pub fn from_node<T: DeserializeOwned>(node: &Node, path: &DocPath) -> Result<T, Vec<Flaw>> {
    let session = Session::default();
    loop {
        let result = T::deserialize(NodeDeserializer::new(node, path.clone(), &session))
            .map_err(|error| error.or_at(node, path));
        let error = match result {
            Ok(value) => {
                let flaws = session.flaws.take();
                return if flaws.is_empty() { Ok(value) } else { Err(flaws) };
            }
            Err(error) => error,
        };
        let Some(failure) = error.into_failure(&session) else { return Err(session.flaws.take()) };
        session.flaws.borrow_mut().extend(failure.flaw);
        let again = match failure.missing {
            Some(field) if session.supply(failure.node, field) => true,
            _ => failure.node != identity(node) && session.skipped.borrow_mut().insert(failure.node),
        };
        if !again || session.flaws.borrow().len() >= MOST_FLAWS {
            return Err(session.flaws.take());
        }
    }
}

/// A node is known by its address: the tree does not move while it is read.
fn identity(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

/// What repeated readings of one tree have found.
#[derive(Debug, Default)]
struct Session {
    flaws: RefCell<Vec<Flaw>>,
    /// Nodes that failed and are passed over.
    skipped: RefCell<HashSet<usize>>,
    /// Collections that lack something which was passed over, so that their own errors are consequences.
    incomplete: RefCell<HashSet<usize>>,
    /// Fields that a mapping lacks because they were passed over or misspelt.
    explained: RefCell<HashSet<(usize, Box<str>)>>,
    /// Fields that mappings lack and that are made up.
    supplied: RefCell<HashMap<usize, Vec<&'static str>>>,
}

impl Session {
    fn skips(&self, node: &Node) -> bool {
        node.substituted.as_ref().is_some_and(|substituted| substituted.missing)
            || self.skipped.borrow().contains(&identity(node))
    }

    fn is_skipped(&self, node: &Node) -> bool {
        self.skipped.borrow().contains(&identity(node))
    }

    fn incomplete(&self, collection: &Node) {
        self.incomplete.borrow_mut().insert(identity(collection));
    }

    /// Has a field of a mapping made up; false when it is already.
    fn supply(&self, mapping: usize, field: &'static str) -> bool {
        let mut supplied = self.supplied.borrow_mut();
        let fields = supplied.entry(mapping).or_default();
        let new = !fields.contains(&field);
        if new {
            fields.push(field);
        }
        new
    }

    fn explain(&self, mapping: &Node, field: &str) {
        self.explained.borrow_mut().insert((identity(mapping), field.into()));
    }
}
