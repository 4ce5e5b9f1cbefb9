//! A function by the name that a route would give it, without a route.

use super::{Plan, destination::target_node, root};
use crate::{
    document::{DocPath, Flaw, Node, Report, Span, Value},
    upstream::AnySettings,
};

/// The target of a function, with the place that stands for it.
pub(crate) struct Meant {
    pub(crate) target: AnySettings,
    pub(crate) node: Node,
    pub(crate) path: DocPath,
}

impl Plan {
    /// The target that `to: upstream/function` would have.
    pub(crate) fn meant(&self, upstream: &str, function: Option<&str>) -> Result<Option<Meant>, Report> {
        let Some(plan) = self.upstreams.get(upstream) else { return Ok(None) };
        let declared = function.and_then(|function| plan.functions.get(function));
        let path = root().key("upstreams").key(upstream).key("functions").key(function.unwrap_or_default());
        let at = declared.map_or(plan.node.at, |declared| declared.node.at);
        let options = Node::new(Value::Mapping(Vec::new()), at);
        let mut flaws = Vec::new();
        let named = function.map(|function| (function, Node::new(Value::String(function.to_owned()), at)));
        let node = target_node(plan, upstream, named, declared, &options, &path, &mut flaws);
        let read = node.map(|node| {
            let target = plan.kind.target(Some(&plan.config), &node, &path);
            target.map(|target| Meant { target, node, path: path.clone() })
        });
        let found = match read {
            Some(Ok(meant)) => return Ok(Some(meant)),
            Some(Err(found)) => found,
            None => flaws,
        };
        // The name stands on the command line: no place of the document is wrong, unless it is declared there.
        let placed = |flaw: Flaw| if declared.is_some() { flaw } else { Flaw { at: Span::default(), ..flaw } };
        Err(Report::new(found.into_iter().map(placed).collect(), self.sources()))
    }
}
