//! The states of a circuit, without a clock and without a lock: the time is the caller's, in milliseconds.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use super::settings::Circuit;
use crate::policy::window::Window;

/// What a caller is told to wait while others try the circuit.
const WHILE_TRIED: Duration = Duration::from_secs(1);

/// How many bits of the state are the time at which the circuit may be tried; the rest is the generation.
const TIME_BITS: u32 = 40;

/// How many bits the number of calls that try the circuit has.
const TRIAL_BITS: u32 = 16;

/// The bits of a generation, which begins anew after the last one.
const GENERATIONS: u64 = (1 << (u64::BITS - TIME_BITS)) - 1;

/// A circuit, shared by all who call an upstream.
#[derive(Debug)]
pub(super) struct Breaker {
    circuit: Circuit,
    /// The generation, and until when the circuit is open; 0 when it is closed.
    state: AtomicU64,
    /// The generation, how many calls were let through to try, and how many of them succeeded.
    trial: AtomicU64,
    /// Failures one after the other.
    failures: AtomicU32,
    window: Window,
}

/// A call was let through. Its end is to be told, by one of [`Breaker::succeeded`], [`Breaker::failed`] and
/// [`Breaker::unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// What a call that began under another state finds out says nothing about this one.
    generation: u64,
    trial: bool,
}

/// What a circuit does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// All are let through.
    Closed,
    /// None is let through.
    Open {
        /// For how long.
        left: Duration,
    },
    /// A few are let through to try the upstream.
    HalfOpen,
}

/// The circuit has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
}

#[derive(Clone, Copy)]
struct Trial {
    begun: u32,
    succeeded: u32,
}

impl Trial {
    /// The calls that tried in this generation.
    fn of(generation: u64, word: u64) -> Self {
        if word >> (2 * TRIAL_BITS) != generation {
            return Self { begun: 0, succeeded: 0 };
        }
        let count = |shift: u32| u32::from((word >> shift & u64::from(u16::MAX)) as u16);
        Self { begun: count(TRIAL_BITS), succeeded: count(0) }
    }

    fn word(self, generation: u64) -> u64 {
        generation << (2 * TRIAL_BITS) | u64::from(self.begun) << TRIAL_BITS | u64::from(self.succeeded)
    }
}

impl Breaker {
    pub(super) fn new(circuit: Circuit) -> Self {
        Self {
            window: Window::new(circuit.window),
            circuit,
            state: AtomicU64::new(0),
            trial: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        }
    }

    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub(super) fn state(&self, now: u64) -> CircuitState {
        match self.read() {
            (_, 0) => CircuitState::Closed,
            (_, until) if now < until => CircuitState::Open { left: Duration::from_millis(until - now) },
            _ => CircuitState::HalfOpen,
        }
    }

    /// Lets a call through, or says how long to wait.
    pub(super) fn admit(&self, now: u64) -> Result<Passed, Duration> {
        let (generation, until) = self.read();
        if until == 0 {
            return Ok(Passed { generation, trial: false });
        }
        if now < until {
            return Err(Duration::from_millis(until - now));
        }
        let begun = self.try_trial(generation, |trial| {
            (trial.begun < self.circuit.half_open).then_some(Trial { begun: trial.begun + 1, ..trial })
        });
        begun.map(|_| Passed { generation, trial: true }).ok_or(WHILE_TRIED)
    }

    pub(super) fn succeeded(&self, passed: Passed, now: u64) -> Option<Change> {
        let (generation, until) = self.read();
        if generation != passed.generation {
            return None;
        }
        if !passed.trial {
            if self.failures.load(SeqCst) != 0 {
                self.failures.store(0, SeqCst);
            }
            if self.circuit.ratio.is_some() {
                self.window.count(now);
            }
            return None;
        }
        let trial =
            self.try_trial(generation, |trial| Some(Trial { succeeded: trial.succeeded.saturating_add(1), ..trial }))?;
        if trial.succeeded < self.circuit.half_open {
            return None;
        }
        self.window.clear();
        self.failures.store(0, SeqCst);
        self.change((generation, until), 0).then_some(Change::Closed)
    }

    pub(super) fn failed(&self, passed: Passed, now: u64) -> Option<Change> {
        let (generation, until) = self.read();
        if generation != passed.generation || !(passed.trial || self.is_too_much(now)) {
            return None;
        }
        let open = u64::try_from(self.circuit.open.as_millis()).unwrap_or(u64::MAX).max(1);
        let longest = (1 << TIME_BITS) - 1;
        self.change((generation, until), now.saturating_add(open).min(longest)).then(|| {
            self.window.clear();
            self.failures.store(0, SeqCst);
            Change::Opened
        })
    }

    /// The call says nothing about the upstream; another one may try in its place.
    pub(super) fn unknown(&self, passed: Passed) {
        if passed.trial {
            self.try_trial(passed.generation, |trial| Some(Trial { begun: trial.begun.saturating_sub(1), ..trial }));
        }
    }

    /// Counts a failure. Whether there are too many now.
    fn is_too_much(&self, now: u64) -> bool {
        let row = self.failures.fetch_add(1, SeqCst).saturating_add(1);
        let by_row = self.circuit.failures.is_some_and(|most| row >= most);
        let by_ratio = self.circuit.ratio.is_some_and(|ratio| {
            self.window.count_some(now);
            let (succeeded, failed) = self.window.sums(now);
            let all = succeeded + failed;
            all >= u64::from(self.circuit.min_requests) && ratio.is_reached(failed, all)
        });
        by_row || by_ratio
    }

    fn read(&self) -> (u64, u64) {
        let word = self.state.load(SeqCst);
        (word >> TIME_BITS, word & ((1 << TIME_BITS) - 1))
    }

    /// Goes over to the next generation, unless somebody else just did.
    fn change(&self, (generation, until): (u64, u64), next: u64) -> bool {
        let following = (generation + 1) & GENERATIONS;
        let (from, to) = (generation << TIME_BITS | until, following << TIME_BITS | next);
        self.state.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    fn try_trial(&self, generation: u64, next: impl Fn(Trial) -> Option<Trial>) -> Option<Trial> {
        let is_over = |word: u64| is_later(word >> (2 * TRIAL_BITS), generation);
        let step = |word: u64| {
            let trial = if is_over(word) { None } else { next(Trial::of(generation, word)) };
            trial.map(|trial| trial.word(generation))
        };
        let former = self.trial.fetch_update(SeqCst, SeqCst, step).ok()?;
        next(Trial::of(generation, former))
    }
}

/// Whether a generation comes after another one: the next half of them do.
fn is_later(one: u64, other: u64) -> bool {
    let ahead = one.wrapping_sub(other) & GENERATIONS;
    ahead != 0 && ahead <= GENERATIONS / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::policy::circuit_breaker::settings::BreakerSettings;

    fn breaker(settings: serde_json::Value) -> Breaker {
        Breaker::new(serde_json::from_value::<BreakerSettings>(settings).unwrap().resolve())
    }

    fn fail(breaker: &Breaker, now: u64) -> Option<Change> {
        breaker.failed(breaker.admit(now).unwrap(), now)
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_closes_it_again() {
        let breaker = breaker(json!({"failures": 3, "open": "30s"}));
        assert_eq!((fail(&breaker, 0), fail(&breaker, 1)), (None, None));
        breaker.succeeded(breaker.admit(2).unwrap(), 2);
        assert_eq!((fail(&breaker, 3), fail(&breaker, 4)), (None, None));
        assert_eq!(fail(&breaker, 5), Some(Change::Opened));
        assert_eq!(breaker.admit(1_005), Err(Duration::from_secs(29)));
        assert_eq!(breaker.state(1_005), CircuitState::Open { left: Duration::from_secs(29) });
        let trial = breaker.admit(30_005).unwrap();
        assert_eq!((breaker.state(30_005), breaker.admit(30_006)), (CircuitState::HalfOpen, Err(WHILE_TRIED)));
        assert_eq!(breaker.succeeded(trial, 30_007), Some(Change::Closed));
        assert_eq!(breaker.state(30_007), CircuitState::Closed);
        assert!((0..9).all(|_| breaker.admit(30_008).is_ok()));
    }

    #[test]
    fn a_trial_that_fails_opens_it_again_and_one_that_says_nothing_makes_room() {
        let breaker = breaker(json!({"failures": 1, "open": "1s"}));
        assert_eq!(fail(&breaker, 0), Some(Change::Opened));
        breaker.unknown(breaker.admit(1_000).unwrap());
        assert_eq!(fail(&breaker, 1_000), Some(Change::Opened));
        assert_eq!(breaker.admit(1_500), Err(Duration::from_millis(500)));
    }

    #[test]
    fn several_trials_have_all_to_succeed() {
        let breaker = breaker(json!({"failures": 1, "open": "1s", "half_open": 2}));
        fail(&breaker, 0);
        let (one, other) = (breaker.admit(1_000).unwrap(), breaker.admit(1_000).unwrap());
        assert!(breaker.admit(1_000).is_err());
        assert_eq!((breaker.succeeded(one, 1_001), breaker.succeeded(other, 1_001)), (None, Some(Change::Closed)));
    }

    #[test]
    fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
        let breaker = breaker(json!({"ratio": "50%", "min_requests": 4, "window": "10s"}));
        assert_eq!((fail(&breaker, 0), fail(&breaker, 0)), (None, None));
        breaker.succeeded(breaker.admit(0).unwrap(), 0);
        breaker.succeeded(breaker.admit(0).unwrap(), 0);
        breaker.succeeded(breaker.admit(0).unwrap(), 0);
        assert_eq!(fail(&breaker, 0), Some(Change::Opened), "3 of 6");
    }

    #[test]
    fn what_began_before_it_opened_says_nothing_of_it_afterwards() {
        let breaker = breaker(json!({"failures": 1, "open": "1s"}));
        let (late, later) = (breaker.admit(0).unwrap(), breaker.admit(0).unwrap());
        fail(&breaker, 0);
        let trial = breaker.admit(1_000).unwrap();
        assert_eq!((breaker.succeeded(late, 1_001), breaker.failed(later, 1_001)), (None, None));
        assert_eq!(breaker.succeeded(trial, 1_002), Some(Change::Closed));
    }

    #[test]
    fn it_closes_after_the_last_generation_too() {
        let last = GENERATIONS - 1;
        let breaker = Breaker {
            state: AtomicU64::new(last << TIME_BITS),
            trial: AtomicU64::new(Trial { begun: 1, succeeded: 1 }.word(last - 1)),
            ..breaker(json!({"failures": 1, "open": "1s"}))
        };
        let mut now = 1;
        for _ in 0..4 {
            let late = breaker.admit(now).unwrap();
            assert_eq!(fail(&breaker, now), Some(Change::Opened));
            now += 1_000;
            assert_eq!(breaker.succeeded(breaker.admit(now).unwrap(), now), Some(Change::Closed), "{now}");
            assert_eq!(breaker.failed(late, now), None);
        }
        assert!(breaker.read().0 < last, "it began anew");
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Wait(u64),
        Begin,
        End(usize, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0_u64..2_000).prop_map(Step::Wait),
            Just(Step::Begin),
            (any::<usize>(), 0_u8..3).prop_map(|(which, how)| Step::End(which, how)),
        ];
        prop::collection::vec(step, 1..300)
    }

    proptest! {
        #[test]
        fn an_open_circuit_lets_nothing_through_and_a_half_open_one_no_more_than_its_trials(
            steps in steps(), failures in 1_u32..4, half_open in 1_u32..4,
        ) {
            let breaker = breaker(json!({"failures": failures, "open": "3s", "half_open": half_open}));
            let (mut now, mut running, mut row, mut opened) = (0, Vec::new(), 0, None);
            for step in steps {
                match step {
                    Step::Wait(time) => now += time,
                    Step::Begin => {
                        let state = breaker.state(now);
                        let admitted = breaker.admit(now);
                        match state {
                            CircuitState::Closed => prop_assert!(admitted.is_ok()),
                            CircuitState::Open { left } => {
                                prop_assert_eq!(admitted, Err(left));
                                prop_assert!(opened.is_some_and(|at| at + 3_000 > now));
                            }
                            CircuitState::HalfOpen => prop_assert!(opened.is_some_and(|at| at + 3_000 <= now)),
                        }
                        running.extend(admitted.ok());
                        let trials = |one: &&Passed| one.trial && one.generation == breaker.read().0;
                        prop_assert!(running.iter().filter(trials).count() <= half_open as usize);
                    }
                    Step::End(..) if running.is_empty() => {}
                    Step::End(which, how) => {
                        let passed = running.swap_remove(which % running.len());
                        let current = passed.generation == breaker.read().0;
                        let change = match how {
                            0 => breaker.succeeded(passed, now),
                            1 => breaker.failed(passed, now),
                            _ => { breaker.unknown(passed); None }
                        };
                        prop_assert!(current || change.is_none());
                        match (change, current && !passed.trial, how) {
                            (Some(Change::Opened), ..) => {
                                prop_assert!(passed.trial || row + 1 >= failures);
                                (row, opened) = (0, Some(now));
                            }
                            (Some(Change::Closed), ..) => (row, opened) = (0, None),
                            (None, true, 0) => row = 0,
                            (None, true, 1) => {
                                row += 1;
                                prop_assert!(row < failures);
                            }
                            _ => {}
                        }
                    }
                }
            }
            // However it went, it does not stay shut: when all has ended, a success after the time closes it.
            running.drain(..).for_each(|passed| breaker.unknown(passed));
            now += 3_000;
            for _ in 0..half_open {
                if let Ok(passed) = breaker.admit(now) {
                    breaker.succeeded(passed, now);
                }
            }
            prop_assert_eq!(breaker.state(now), CircuitState::Closed);
        }
    }
}
