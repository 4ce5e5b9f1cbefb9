//! Which passwords were verified slowly once: they are not again, nor after a reload.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use super::known::{digest, same};

/// The passwords that were verified, of all users whose hashes take long. They outlive a reload, after which all clients
/// would have to be verified at once.
#[derive(Clone, Default)]
pub(crate) struct Passwords(Arc<Kept>);

/// By the user's name and hash, as long as a configuration has them.
type Users = HashMap<(Box<str>, Box<str>), Weak<Verified>>;

struct Kept {
    salt: [u8; 16],
    users: Mutex<Users>,
}

/// The salted hash of the password that is the one of a user, if it was shown already.
#[derive(Default)]
pub(super) struct Verified(OnceLock<[u8; 32]>);

/// A name and a password as they are remembered.
pub(super) struct Shown([u8; 32]);

impl Default for Kept {
    fn default() -> Self {
        Self { salt: std::array::from_fn(|_| fastrand::u8(..)), users: Mutex::default() }
    }
}

impl Passwords {
    /// What is known of a user with this hash.
    pub(super) fn of(&self, name: &str, hash: &str) -> Arc<Verified> {
        let mut users = self.users();
        let user = users.entry((name.into(), hash.into())).or_default();
        user.upgrade().unwrap_or_else(|| {
            let verified = Arc::default();
            *user = Arc::downgrade(&verified);
            verified
        })
    }

    /// Forgets users that no configuration has any more.
    pub(super) fn tidy(&self) {
        self.users().retain(|_, user| user.strong_count() > 0);
    }

    pub(super) fn shown(&self, name: &str, password: &str) -> Shown {
        Shown(digest(&[&self.0.salt, name.as_bytes(), b":", password.as_bytes()].concat()))
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verified {
    pub(super) fn is(&self, shown: &Shown) -> bool {
        self.0.get().is_some_and(|known| same(known, &shown.0))
    }

    pub(super) fn remember(&self, shown: &Shown) {
        self.0.get_or_init(|| shown.0);
    }
}

/// Shows nothing that is kept.
impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_verified_lasts_as_long_as_a_configuration_has_the_user_with_the_hash() {
        let passwords = Passwords::default();
        let shown = passwords.shown("ann", "secret");
        let former = passwords.of("ann", "$2b$a");
        former.remember(&shown);
        let next = passwords.of("ann", "$2b$a");
        assert!(next.is(&shown) && !next.is(&passwords.shown("ann", "other")));
        assert!(!passwords.of("ann", "$2b$b").is(&shown) && !passwords.of("ben", "$2b$a").is(&shown));
        drop((former, next));
        passwords.tidy();
        assert!(passwords.users().is_empty() && !passwords.of("ann", "$2b$a").is(&shown));
    }
}
