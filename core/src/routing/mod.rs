//! Routing: which route serves a request.
//!
//! A request's path goes through [`normalize`], then [`RouteTable::find`] looks for the most specific [`Rule`]:
//! exact path, template (from the left, a literal before a capture), regular expression, tail capture (the longer
//! prefix first); among equal paths a rule with methods before one without, then the one with more conditions, then
//! the earlier one in the document. A rule whose method or conditions fail gives way to the next one.

mod capture_plan;
mod captures;
mod conditions;
mod explain;
mod gates;
mod host;
mod methods;
mod normalize;
mod path_regex;
mod pattern;
mod query;
mod regexes;
mod rule;
mod shorthand;
mod table;
#[cfg(test)]
mod tests;
mod trie;
mod unreachable;
mod whole_regex;

pub use captures::{Captures, MalformedCapture};
pub use conditions::{ConditionError, HeaderCondition, QueryCondition, ValueTest};
pub use explain::{Candidate, Explanation, Mismatch, Verdict};
pub use host::{HostError, HostPattern};
pub use methods::{MethodError, Methods};
pub use normalize::{MalformedPath, normalize};
pub use path_regex::PathRegex;
pub use pattern::{PathPattern, PatternError};
pub use rule::{Match, PathMatch, RequestLine, Rule};
pub use shorthand::{Shorthand, ShorthandError};
pub use table::{Found, RouteTable};
pub use unreachable::Unreachable;
pub use whole_regex::{RegexError, WholeRegex};
