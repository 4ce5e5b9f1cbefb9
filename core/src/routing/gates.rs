//! What a search reads of the rules, small and in one place; the rules themselves are large and far apart.

use std::collections::HashMap;

use http::Method;

use super::{
    capture_plan::CapturePlan,
    captures::{Captures, MalformedCapture},
    methods::Methods,
    rule::{PathMatch, RequestLine, Rule},
};

/// One gate for each rule of a table, in the same order.
#[derive(Debug)]
pub(super) struct Gates {
    gates: Vec<Gate>,
    plans: Vec<CapturePlan>,
}

#[derive(Debug, Clone, Copy)]
struct Gate {
    methods: u16,
    has_conditions: bool,
    plan: u32,
}

/// Stands for a regular expression, which takes its captures itself.
const NO_PLAN: u32 = u32::MAX;

/// How a rule whose path matches takes the rest of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    WrongMethod,
    FailedCondition,
}

impl Gates {
    pub(super) fn build<T>(rules: &[Rule<T>]) -> Self {
        let mut plans = Vec::new();
        let mut known = HashMap::<CapturePlan, u32>::new();
        let gates = rules.iter().map(|rule| {
            let plan = match &rule.matcher.path {
                PathMatch::Regex(_) => NO_PLAN,
                PathMatch::Pattern(pattern) => *known.entry(pattern.plan().clone()).or_insert_with(|| {
                    plans.push(pattern.plan().clone());
                    u32::try_from(plans.len() - 1).unwrap_or(NO_PLAN)
                }),
            };
            Gate { methods: rule.matcher.methods.bits(), has_conditions: rule.matcher.condition_count() > 0, plan }
        });
        let gates = gates.collect();
        Self { gates, plans }
    }

    /// Checks method and conditions; `wanted` are the [`Methods::bits_of`] the request's method.
    pub(super) fn pass<T>(&self, rules: &[Rule<T>], index: usize, wanted: u16, request: &RequestLine<'_>) -> Passage {
        let gate = self.gates[index];
        let matcher = || &rules[index].matcher;
        let common = gate.methods & wanted;
        if common == 0 || (common == Methods::EXTENSION && !matcher().methods.lists(request.method)) {
            Passage::WrongMethod
        } else if gate.has_conditions && !matcher().conditions_hold(request) {
            Passage::FailedCondition
        } else {
            Passage::Open
        }
    }

    /// Whether the rule names `HEAD` itself.
    pub(super) fn lists_head(&self, index: usize) -> bool {
        self.gates[index].methods & Methods::bits_of(&Method::HEAD) & !Methods::bits_of(&Method::GET) != 0
    }

    /// Takes the captures of a rule whose path matches.
    pub(super) fn capture<T>(&self, rule: &Rule<T>, index: usize, path: &str) -> Result<Captures, MalformedCapture> {
        match self.plans.get(self.gates[index].plan as usize) {
            Some(plan) => plan.capture(path),
            None => rule.matcher.path.capture(path),
        }
    }
}
