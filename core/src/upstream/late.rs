//! What is made of a description that comes late.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What a kind makes of its service's description (`D`), which may come after the load, and be another one by and by: a
/// function that is bound, for instance. It is made once, of the first description that allows it; what could not be made
/// of one is tried again with the next one, and costs a request no more than a look until then.
#[derive(Debug)]
pub struct Late<T, D, E> {
    made: OnceLock<T>,
    /// The last description that did not fit, and why.
    unfit: Mutex<Option<(Arc<D>, E)>>,
}

impl<T, D, E> Default for Late<T, D, E> {
    fn default() -> Self {
        Self { made: OnceLock::new(), unfit: Mutex::new(None) }
    }
}

impl<T, D, E> From<T> for Late<T, D, E> {
    fn from(made: T) -> Self {
        Self { made: OnceLock::from(made), ..Self::default() }
    }
}

impl<T, D, E: Clone> Late<T, D, E> {
    /// What was made.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.made.get()
    }

    /// What was made, or is made now of this description. Nobody waits for another: requests that come while it is made
    /// make it as well, each on its own thread, and the first to be done decides.
    ///
    /// # Errors
    /// Those of `make`, which is not called again for a description that it has refused.
    pub fn of(&self, description: &Arc<D>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        // The guard must not outlive the condition: `make` may take a while, and those who wait here are workers.
        let known =
            self.unfit().as_ref().filter(|(known, _)| Arc::ptr_eq(known, description)).map(|(_, why)| why.clone());
        if let Some(reason) = known {
            return Err(reason);
        }
        match make() {
            Ok(made) => {
                *self.unfit() = None;
                Ok(self.made.get_or_init(|| made))
            }
            Err(reason) => {
                *self.unfit() = Some((Arc::clone(description), reason.clone()));
                Err(reason)
            }
        }
    }

    fn unfit(&self) -> MutexGuard<'_, Option<(Arc<D>, E)>> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn it_is_made_of_the_first_description_that_fits() {
        let late = Late::<usize, &str, &str>::default();
        let (old, new) = (Arc::new("old"), Arc::new("new"));
        assert_eq!(late.of(&old, || Err("too old")), Err("too old"));
        assert_eq!(late.of(&old, || panic!("it is known not to fit")), Err("too old"));
        assert_eq!((late.get(), late.of(&new, || Ok(7))), (None, Ok(&7)));
        assert_eq!(late.of(&old, || Err("it is made")), Ok(&7));
        assert_eq!(Late::<usize, (), ()>::from(1).get(), Some(&1));
    }
    #[test]
    fn nobody_waits_for_another_who_makes_it() {
        let late = Late::<usize, &str, &str>::default();
        let (late, description) = (&late, &Arc::new("new"));
        let (began, begun) = mpsc::channel();
        let (go_on, end) = mpsc::channel();
        thread::scope(|scope| {
            let first = scope.spawn(move || {
                let make = || {
                    began.send(()).unwrap();
                    end.recv().unwrap();
                    Ok(1)
                };
                late.of(description, make).copied()
            });
            begun.recv().unwrap();
            assert_eq!(late.of(description, || Err("not by this one")), Err("not by this one"));
            assert_eq!(late.of(&Arc::new("newer"), || Ok(2)), Ok(&2));
            go_on.send(()).unwrap();
            assert_eq!(first.join().unwrap(), Ok(2), "the first that was made is for all");
        });
    }
}
