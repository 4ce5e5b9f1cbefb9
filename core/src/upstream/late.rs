//! What is made of a description that comes late.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

    /// What was made, or is made now of this description.
    ///
    /// # Errors
    /// Those of `make`, which is called once for each description.
    pub fn of(&self, description: &Arc<D>, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let mut unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, reason)) = &*unfit
            && Arc::ptr_eq(known, description)
        {
            return Err(reason.clone());
        }
        match make() {
            Ok(made) => {
                *unfit = None;
                Ok(self.made.get_or_init(|| made))
            }
            Err(reason) => {
                *unfit = Some((Arc::clone(description), reason.clone()));
                Err(reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
