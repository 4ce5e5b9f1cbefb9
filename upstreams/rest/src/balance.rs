//! Which endpoint gets the next request.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use callgate_http::Endpoint;

use crate::{config::Balance, in_flight::InFlight};

/// How long an endpoint that took no connection is left out, in milliseconds.
const LEFT_OUT_MS: u64 = 2000;

/// The endpoints of a service.
#[derive(Debug)]
pub(crate) struct Balancer {
    members: Box<[Member]>,
    balance: Balance,
    /// The members' numbers, each as often as its weight says, evenly mixed.
    turns: Box<[usize]>,
    next: AtomicUsize,
    start: Instant,
}

/// An endpoint with what is known of it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) endpoint: Endpoint,
    number: usize,
    weight: u32,
    in_flight: Arc<AtomicU32>,
    /// Until when it is left out, in milliseconds since the start; 0 when it is not.
    out_until: AtomicU64,
}

/// The endpoints that one call tries, one after the other.
#[derive(Debug)]
pub(crate) struct Tries {
    first: usize,
    tried: usize,
    /// What was left out is tried too, once all else has failed.
    last_resort: bool,
}

impl Member {
    /// A connection was there: the endpoint takes part again.
    pub(crate) fn recover(&self) {
        if self.out_until.load(Ordering::Relaxed) != 0 {
            self.out_until.store(0, Ordering::Relaxed);
        }
    }
}

impl Balancer {
    pub(crate) fn new(endpoints: Vec<(Endpoint, u32)>, balance: Balance) -> Self {
        let turns = turns(&endpoints.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
        let member = |(number, (endpoint, weight))| Member {
            endpoint,
            number,
            weight,
            in_flight: Arc::default(),
            out_until: AtomicU64::new(0),
        };
        Self {
            members: endpoints.into_iter().enumerate().map(member).collect(),
            balance,
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

    /// Chooses where a call begins.
    pub(crate) fn choose(&self) -> Tries {
        let first = match self.balance {
            _ if !self.has_several() => 0,
            Balance::RoundRobin => self.turns[self.next.fetch_add(1, Ordering::Relaxed) % self.turns.len()],
            Balance::LeastRequest => self.less_loaded(),
        };
        Tries { first, tried: 0, last_resort: false }
    }

    /// The member for the next try.
    pub(crate) fn member(&self, tries: &mut Tries) -> &Member {
        let count = self.members.len();
        while !tries.last_resort && tries.tried < count {
            let member = &self.members[(tries.first + tries.tried) % count];
            tries.tried += 1;
            if !self.is_out(member) {
                return member;
            }
        }
        // All are left out or have failed: perhaps the first has come back.
        tries.last_resort = true;
        &self.members[tries.first]
    }

    /// Whether another member may take the call.
    pub(crate) fn has_another(&self, tries: &Tries) -> bool {
        let rest = tries.tried..self.members.len();
        !tries.last_resort
            && rest.into_iter().any(|offset| !self.is_out(&self.members[(tries.first + offset) % self.members.len()]))
    }

    /// Counts a call, where the count matters.
    pub(crate) fn begin(&self, member: &Member) -> Option<InFlight> {
        (self.balance == Balance::LeastRequest && self.has_several()).then(|| InFlight::begin(&member.in_flight))
    }

    /// The member took no connection: others come first for a while.
    pub(crate) fn leave_out(&self, member: &Member) {
        if self.has_several() {
            member.out_until.store(self.now() + LEFT_OUT_MS, Ordering::Relaxed);
            tracing::debug!(endpoint = %member.endpoint, number = member.number, "An endpoint takes no connection.");
        }
    }

    fn less_loaded(&self) -> usize {
        let [one, other] = [self.random(), self.random()];
        let load = |number: usize| u64::from(self.members[number].in_flight.load(Ordering::Relaxed));
        let weight = |number: usize| u64::from(self.members[number].weight);
        let is_less = load(other) * weight(one) < load(one) * weight(other);
        if self.is_out(&self.members[one]) || (is_less && !self.is_out(&self.members[other])) { other } else { one }
    }

    fn random(&self) -> usize {
        self.turns[fastrand::usize(..self.turns.len())]
    }

    fn is_out(&self, member: &Member) -> bool {
        match member.out_until.load(Ordering::Relaxed) {
            0 => false,
            until => self.now() < until,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
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
        Balancer::new(weights.iter().enumerate().map(endpoint).collect(), balance)
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
            counts[balancer.member(&mut balancer.choose()).number] += 1;
        }
        assert_eq!(counts, [100, 300]);
    }

    #[test]
    fn the_less_loaded_of_two_is_chosen() {
        let balancer = balancer(&[1, 1], Balance::LeastRequest);
        let _calls: Vec<_> = (0..10).filter_map(|_| balancer.begin(&balancer.members[0])).collect();
        let first = (0..1000).filter(|_| balancer.member(&mut balancer.choose()).number == 0).count();
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
        loop {
            let member = balancer.member(&mut tries);
            tried.push(member.number);
            balancer.leave_out(member);
            if !balancer.has_another(&tries) {
                break;
            }
        }
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2]);
        // All are out: one is tried all the same.
        let mut tries = balancer.choose();
        let member = balancer.member(&mut tries);
        assert!(!balancer.has_another(&tries));
        member.recover();
        for _ in 0..6 {
            assert_eq!(balancer.member(&mut balancer.choose()).number, member.number);
        }
    }
}
