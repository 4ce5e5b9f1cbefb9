//! What the attempts of one request know of each other.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// What the attempts of one request know of each other: which endpoints were used, by numbers that the kind gives them, so
/// that the next attempt goes to another one; and texts that have to be the same in all of them.
#[derive(Debug, Clone, Default)]
pub struct Tried(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    endpoints: AtomicU64,
    texts: Mutex<Vec<(&'static str, String)>>,
}

impl Tried {
    /// An attempt uses the endpoint of this number. Numbers from 64 on share those below.
    pub fn add(&self, number: usize) {
        self.0.endpoints.fetch_or(bit(number), Ordering::Relaxed);
    }

    /// Whether an attempt used the endpoint of this number.
    #[must_use]
    pub fn has(&self, number: usize) -> bool {
        self.0.endpoints.load(Ordering::Relaxed) & bit(number) != 0
    }

    /// The text that the first attempt made under this name.
    pub(crate) fn text<E>(&self, name: &'static str, make: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        let mut texts = self.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = texts.iter().find(|(known, _)| *known == name) {
            return Ok(text.clone());
        }
        let text = make()?;
        texts.push((name, text.clone()));
        Ok(text)
    }
}

const fn bit(number: usize) -> u64 {
    1 << (number % u64::BITS as usize)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn attempts_remember_together() {
        let one = Tried::default();
        let other = one.clone();
        one.add(3);
        assert!(other.has(3) && !other.has(4));
        drop(one);
        assert!(other.has(3));
    }

    #[test]
    fn a_text_is_made_once() {
        let (tried, made) = (Tried::default(), |text: &str| Ok::<_, Infallible>(text.to_owned()));
        assert_eq!(tried.text("id", || Err("it could not be made")), Err("it could not be made"));
        assert_eq!(tried.text("id", || made("a")), Ok("a".to_owned()));
        assert_eq!(tried.text("id", || made("b")), Ok("a".to_owned()));
        assert_eq!(tried.text("other", || made("b")), Ok("b".to_owned()));
    }
}
