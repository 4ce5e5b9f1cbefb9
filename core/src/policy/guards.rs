//! What the policies of an upstream remember from call to call, shared by all routes that lead to it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{
    circuit_breaker::{Circuit, CircuitBreaker, CircuitState},
    concurrency::{ConcurrencyState, Gate, Places},
    retry::{Retries, Retry},
};

/// The circuits, places and budgets of an upstream. Routes with the same settings share them, and keep them: what no
/// route has any more is forgotten.
#[derive(Debug)]
pub(crate) struct Guards {
    upstream: Arc<str>,
    circuits: Kept<CircuitBreaker>,
    gates: Kept<Gate>,
    retries: Kept<Retries>,
}

impl Guards {
    pub(crate) fn new(upstream: &str) -> Self {
        Self { upstream: upstream.into(), circuits: Kept::default(), gates: Kept::default(), retries: Kept::default() }
    }

    pub(super) fn circuit(&self, circuit: &Circuit) -> Arc<CircuitBreaker> {
        let new = || CircuitBreaker::new(Arc::clone(&self.upstream), circuit.clone());
        self.circuits.find(|known| known.settings() == circuit, new)
    }

    pub(super) fn gate(&self, places: Places) -> Arc<Gate> {
        self.gates.find(|known| known.settings() == places, || Gate::new(places))
    }

    pub(super) fn retries(&self, retry: &Retry) -> Arc<Retries> {
        self.retries.find(|known| known.settings() == retry, || Retries::new(retry.clone()))
    }

    pub(crate) fn circuits(&self) -> Vec<CircuitState> {
        self.circuits.all().iter().map(|circuit| circuit.state()).collect()
    }

    pub(crate) fn concurrency(&self) -> Vec<ConcurrencyState> {
        self.gates.all().iter().map(|gate| gate.state()).collect()
    }
}

/// Things that others hold. Looked at when a configuration is loaded, and never by a request.
#[derive(Debug)]
struct Kept<T>(Mutex<Vec<Weak<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    fn find(&self, is_same: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.strong_count() > 0);
        if let Some(known) = kept.iter().filter_map(Weak::upgrade).find(|known| is_same(known)) {
            return known;
        }
        let new = Arc::new(new());
        kept.push(Arc::downgrade(&new));
        new
    }

    fn all(&self) -> Vec<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::ConcurrencySettings;

    fn places(limit: u32) -> Places {
        serde_json::from_value::<ConcurrencySettings>(json!(limit)).unwrap().resolve().unwrap()
    }

    #[test]
    fn the_same_settings_share_and_others_do_not() {
        let guards = Guards::new("u");
        let (one, same, other) = (guards.gate(places(1)), guards.gate(places(1)), guards.gate(places(2)));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert_eq!(guards.concurrency().iter().map(|state| state.limit).collect::<Vec<_>>(), [1, 2]);
        drop((one, same));
        assert_eq!(guards.concurrency().len(), 1);
    }
}
