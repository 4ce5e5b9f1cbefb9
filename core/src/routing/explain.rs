//! Why a request finds the route it finds.

use std::{fmt, ops::ControlFlow};

use http::Method;

use super::{
    captures::MalformedCapture,
    conditions::{HeaderCondition, QueryCondition},
    methods::Methods,
    rule::{RequestLine, Rule},
    table::{Found, RouteTable},
};

/// The search for one request, step by step.
#[derive(Debug)]
pub struct Explanation<'t, T> {
    /// The rules whose host and path match, in the order in which they are tried.
    pub candidates: Vec<Candidate<'t, T>>,
    /// What [`RouteTable::find`] answers.
    pub outcome: Result<Found<'t, T>, MalformedCapture>,
}

/// A rule whose host and path match the request.
#[derive(Debug)]
pub struct Candidate<'t, T> {
    /// The rule.
    pub rule: &'t Rule<T>,
    /// What became of it.
    pub verdict: Verdict<'t>,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'t> {
    /// The route that serves the request.
    Chosen,
    /// It matches as well, but a more specific rule was chosen.
    LessSpecific,
    /// It does not match, for these reasons.
    PassedOver(Vec<Mismatch<'t>>),
}

/// A reason why a candidate does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch<'t> {
    /// The rule takes other methods.
    Method {
        /// The method of the request.
        given: Method,
        /// What the rule takes.
        taken: &'t Methods,
    },
    /// A condition on a header does not hold.
    Header(&'t HeaderCondition),
    /// A condition on the query does not hold.
    Query(&'t QueryCondition),
}

impl<T> Explanation<'_, T> {
    /// The rule that serves the request.
    #[must_use]
    pub fn chosen(&self) -> Option<&Rule<T>> {
        self.candidates.iter().find(|candidate| candidate.verdict == Verdict::Chosen).map(|candidate| candidate.rule)
    }
}

impl<T> RouteTable<T> {
    /// Searches as [`find`](Self::find) does, and keeps the reasons.
    #[must_use]
    pub fn explain<'t>(&'t self, request: &RequestLine<'_>) -> Explanation<'t, T> {
        let mut candidates = Vec::<Candidate<'t, T>>::new();
        let mut chosen = false;
        let end = self.candidates(request, &mut |index| {
            let rule = &self.rules()[index];
            let mismatches = mismatches(rule, request);
            let verdict = match (mismatches.is_empty(), chosen) {
                (false, _) => Verdict::PassedOver(mismatches),
                (true, true) => Verdict::LessSpecific,
                (true, false) => Verdict::Chosen,
            };
            chosen |= verdict == Verdict::Chosen;
            candidates.push(Candidate { rule, verdict });
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(end.is_continue());
        Explanation { candidates, outcome: self.find(request) }
    }
}

fn mismatches<'t, T>(rule: &'t Rule<T>, request: &RequestLine<'_>) -> Vec<Mismatch<'t>> {
    let matcher = &rule.matcher;
    let method = (!matcher.methods.allows(request.method))
        .then(|| Mismatch::Method { given: request.method.clone(), taken: &matcher.methods });
    let headers = matcher.headers.iter().filter(|condition| !condition.holds(request.headers)).map(Mismatch::Header);
    let query = matcher.query.iter().filter(|condition| !condition.holds(request.query)).map(Mismatch::Query);
    method.into_iter().chain(headers).chain(query).collect()
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { given, taken } => write!(f, "it takes {taken}, not {given}"),
            Self::Header(condition) => {
                write!(f, "the header condition `{condition}` does not hold")
            }
            Self::Query(condition) => write!(f, "the query condition `{condition}` does not hold"),
        }
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::LessSpecific => f.write_str("matches, but is less specific than the chosen route"),
            Self::PassedOver(mismatches) => {
                f.write_str("passed over: ")?;
                for (index, mismatch) in mismatches.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{mismatch}")?;
                }
                Ok(())
            }
        }
    }
}
