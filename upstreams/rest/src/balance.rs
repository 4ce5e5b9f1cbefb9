//! Which endpoint gets the next request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Instant,
};

use callgate_core::{EndpointState, Tried};
use callgate_http::{Endpoint, HttpError};
use http::StatusCode;

use crate::{
    config::Balance,
    in_flight::InFlight,
    standing::{Ejection, Standing},
};

/// The endpoints of a service.
#[derive(Debug)]
pub(crate) struct Balancer {
    members: Box<[Member]>,
    balance: Balance,
    ejection: Ejection,
    /// The members' numbers, each as often as its weight says, evenly mixed.
    turns: Box<[usize]>,
    next: AtomicUsize,
    start: Instant,
}

/// An endpoint with what is known of it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) endpoint: Endpoint,
    pub(crate) number: usize,
    weight: u32,
    in_flight: Arc<AtomicU32>,
    pub(crate) standing: Standing,
}

/// The endpoints that one call tries, one after the other.
#[derive(Debug)]
pub(crate) struct Tries {
    first: usize,
    /// A bit for each number; those from 64 on share the bits of those below.
    used: u64,
}

impl Balancer {
    pub(crate) fn new(endpoints: Vec<(Endpoint, u32)>, balance: Balance, ejection: Ejection) -> Self {
        let turns = turns(&endpoints.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
        let member = |(number, (endpoint, weight))| Member {
            endpoint,
            number,
            weight,
            in_flight: Arc::default(),
            standing: Standing::default(),
        };
        Self {
            members: endpoints.into_iter().enumerate().map(member).collect(),
            balance,
            ejection,
            // Gateways that start together don't all begin with the same endpoint.
            next: AtomicUsize::new(fastrand::usize(..turns.len().max(1))),
            turns,
            start: Instant::now(),
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(crate) fn has_several(&self) -> bool {
        self.members.len() > 1
    }

    /// Whether an endpoint may be called at all.
    pub(crate) fn has_healthy(&self) -> bool {
        self.members.iter().any(|member| !member.standing.is_unhealthy())
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = EndpointState> {
        let now = self.now();
        self.members()
            .map(move |member| EndpointState::new(member.endpoint.authority().to_string(), member.standing.health(now)))
    }

    /// The only endpoint, if there is one and it is well.
    pub(crate) fn only(&self) -> Option<&Member> {
        match &*self.members {
            [only] if !only.standing.is_unhealthy() => Some(only),
            _ => None,
        }
    }

    /// Chooses where a call begins.
    pub(crate) fn choose(&self) -> Tries {
        let first = match self.balance {
            _ if !self.has_several() => 0,
            Balance::RoundRobin => self.turns[self.next.fetch_add(1, Ordering::Relaxed) % self.turns.len()],
            Balance::LeastRequest => self.less_loaded(),
        };
        Tries { first, used: 0 }
    }

    /// The member for the next try of a call: one that its former attempts did not use, if there is one. Where all are
    /// left out one is tried all the same, as it may have come back; one that is not well never is.
    pub(crate) fn member(&self, tries: &mut Tries, former: Option<&Tried>) -> Option<&Member> {
        let now = self.now();
        let count = self.members.len();
        let Tries { first, used } = *tries;
        let members = || {
            let order = (0..count).map(move |offset| &self.members[(first + offset) % count]);
            order.filter(move |member| !member.standing.is_unhealthy() && used & bit(member.number) == 0)
        };
        let is_new = |member: &&Member| former.is_none_or(|former| !former.has(member.number));
        let within = || members().filter(|member| !member.standing.is_out(now));
        let found = within().find(is_new).or_else(|| within().next());
        let found = match found {
            None if tries.used == 0 => members().find(is_new).or_else(|| members().next()),
            found => found,
        }?;
        tries.used |= bit(found.number);
        if let Some(former) = former {
            former.add(found.number);
        }
        Some(found)
    }

    /// Counts a call, where the count matters.
    pub(crate) fn begin(&self, member: &Member) -> Option<InFlight> {
        (self.balance == Balance::LeastRequest && self.has_several()).then(|| InFlight::begin(&member.in_flight))
    }

    /// The member answered.
    pub(crate) fn answered(&self, member: &Member, status: StatusCode) {
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                self.fail(member)
            }
            _ => member.standing.recover(),
        }
    }

    /// The member gave no answer.
    pub(crate) fn failed(&self, member: &Member, error: &HttpError) {
        match error {
            HttpError::Request(_) | HttpError::Body(_) => {}
            error if error.is_before_sent() => self.leave_out(member, "it takes no connection"),
            _ => self.fail(member),
        }
    }

    /// The member failed, and may do so again.
    pub(crate) fn fail(&self, member: &Member) {
        // Half of the endpoints at least go on: rather than the endpoints it is what they all need that fails.
        let now = self.now();
        let out = || self.members.iter().filter(|member| !member.standing.is_in(now)).count();
        if member.standing.fail(&self.ejection) && (out() + 1) * 2 <= self.members.len() {
            self.leave_out(member, "it fails too often");
        }
    }

    /// Others come first for a while.
    fn leave_out(&self, member: &Member, reason: &str) {
        if !self.has_several() {
            return;
        }
        if let Some(time) = member.standing.leave_out(&self.ejection, self.now()) {
            let endpoint = member.endpoint.authority();
            tracing::warn!(%endpoint, number = member.number, reason, ?time, "An endpoint is left out for a while.");
        }
    }

    fn less_loaded(&self) -> usize {
        let [one, other] = [self.random(), self.random()];
        let load = |number: usize| u64::from(self.members[number].in_flight.load(Ordering::Relaxed));
        let weight = |number: usize| u64::from(self.members[number].weight);
        let now = self.now();
        let is_in = |number: usize| self.members[number].standing.is_in(now);
        let is_less = load(other) * weight(one) < load(one) * weight(other);
        if !is_in(one) || (is_less && is_in(other)) { other } else { one }
    }

    fn random(&self) -> usize {
        self.turns[fastrand::usize(..self.turns.len())]
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

const fn bit(number: usize) -> u64 {
    1 << (number % u64::BITS as usize)
}

/// Smooth weighted round robin: each number as often as its weight says, as far apart as can be.
fn turns(weights: &[u32]) -> Box<[usize]> {
    let common = weights.iter().copied().fold(0, divisor).max(1);
    let weights: Vec<_> = weights.iter().map(|weight| i64::from(weight / common)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let turn = |_| {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        let richest = (0..credit.len()).rev().max_by_key(|number| credit[*number]).unwrap_or(0);
        credit[richest] -= total;
        richest
    };
    (0..total).map(turn).collect()
}

fn divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { divisor(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(weights: &[u32], balance: Balance) -> Balancer {
        let endpoint = |(number, weight): (usize, &u32)| {
            (Endpoint::parse(&format!("http://127.0.0.1:{}", number + 1)).unwrap(), *weight)
        };
        Balancer::new(weights.iter().enumerate().map(endpoint).collect(), balance, Ejection::default())
    }

    fn first(balancer: &Balancer) -> &Member {
        balancer.member(&mut balancer.choose(), None).unwrap()
    }

    fn refuse(balancer: &Balancer, member: &Member) {
        balancer.failed(member, &HttpError::ConnectTimeout { host: "test".to_owned() });
    }

    #[test]
    fn turns_are_mixed_by_weight() {
        assert_eq!(*turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(*turns(&[10, 10]), [0, 1]);
    }

    #[test]
    fn round_robin_keeps_the_shares() {
        let balancer = balancer(&[1, 3], Balance::RoundRobin);
        let mut counts = [0; 2];
        for _ in 0..400 {
            counts[first(&balancer).number] += 1;
        }
        assert_eq!(counts, [100, 300]);
    }

    #[test]
    fn the_less_loaded_of_two_is_chosen() {
        let balancer = balancer(&[1, 1], Balance::LeastRequest);
        let _calls: Vec<_> = (0..10).filter_map(|_| balancer.begin(&balancer.members[0])).collect();
        let first = (0..1000).filter(|_| first(&balancer).number == 0).count();
        assert!((150..350).contains(&first), "{first}: only when both choices fall on it");
    }

    #[test]
    fn calls_count_until_they_are_dropped() {
        let balancer = balancer(&[1, 1], Balance::LeastRequest);
        let call = balancer.begin(&balancer.members[0]);
        assert_eq!(balancer.members[0].in_flight.load(Ordering::Relaxed), 1);
        drop(call);
        assert_eq!(balancer.members[0].in_flight.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_call_tries_each_endpoint_once_and_what_failed_is_left_out() {
        let balancer = balancer(&[1, 1, 1], Balance::RoundRobin);
        let mut tries = balancer.choose();
        let mut tried = Vec::new();
        while let Some(member) = balancer.member(&mut tries, None) {
            tried.push(member.number);
            refuse(&balancer, member);
        }
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2]);
        // All are out: one is tried all the same.
        let mut tries = balancer.choose();
        let member = balancer.member(&mut tries, None).unwrap();
        assert!(balancer.member(&mut tries, None).is_none());
        balancer.answered(member, StatusCode::OK);
        for _ in 0..6 {
            assert_eq!(first(&balancer).number, member.number);
        }
    }

    #[test]
    fn another_attempt_goes_to_another_endpoint_while_there_is_one() {
        let balancer = balancer(&[1, 1, 1], Balance::LeastRequest);
        for _ in 0..50 {
            let former = Tried::default();
            let mut used: Vec<_> =
                (0..3).map(|_| balancer.member(&mut balancer.choose(), Some(&former)).unwrap().number).collect();
            used.sort_unstable();
            assert_eq!(used, [0, 1, 2]);
            assert!(balancer.member(&mut balancer.choose(), Some(&former)).is_some());
        }
    }

    #[test]
    fn what_fails_too_often_is_left_out_but_never_more_than_half() {
        let balancer = balancer(&[1, 1, 1], Balance::RoundRobin);
        for _ in 0..100 {
            balancer.answered(first(&balancer), StatusCode::SERVICE_UNAVAILABLE);
        }
        assert_eq!(balancer.members().filter(|member| member.standing.is_in(balancer.now())).count(), 2);
        let balancer = self::balancer(&[1], Balance::RoundRobin);
        for _ in 0..100 {
            balancer.answered(first(&balancer), StatusCode::BAD_GATEWAY);
        }
        assert!(balancer.only().is_some_and(|member| member.standing.is_in(balancer.now())));
    }

    #[test]
    fn what_is_not_well_gets_no_calls_at_all() {
        let balancer = balancer(&[1, 1], Balance::RoundRobin);
        balancer.members[0].standing.set_unhealthy(true);
        assert!((0..10).all(|_| first(&balancer).number == 1));
        balancer.members[1].standing.set_unhealthy(true);
        assert!(balancer.member(&mut balancer.choose(), None).is_none() && !balancer.has_healthy());
    }
}
