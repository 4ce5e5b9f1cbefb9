//! `basic`: names and passwords (RFC 7617).

use std::{collections::BTreeMap, fmt, sync::Arc, thread};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header, request::Parts};
use tokio::sync::Semaphore;

use super::{
    bearer::{self, Scheme},
    denied::Denied,
    identity::Identity,
    known::{Known, digest, same, verify_slowly},
    settings::BasicSettings,
    verified::{Passwords, Shown, Verified},
};
use crate::upstream::{Context, Invalid};

const AUTHORIZATION: HeaderName = header::AUTHORIZATION;
const DEFAULT_REALM: &str = "callgate";

/// How many requests may wait for a slow hash: whoever guesses passwords must not fill the memory.
const WAITING: usize = 64;

/// Users and their passwords, checked.
#[derive(Debug, Clone)]
pub(super) struct BasicPlan {
    users: BTreeMap<String, Known>,
    keep: bool,
    challenge: HeaderValue,
}

/// Users and their passwords.
pub(super) struct Basic {
    users: BTreeMap<String, User>,
    keep: bool,
    challenge: HeaderValue,
    /// A hash to verify for a user who is not there, so that the time does not tell.
    decoy: Option<Box<str>>,
    passwords: Passwords,
    context: Context,
    waiting: Semaphore,
    slow: Arc<Semaphore>,
}

struct User {
    known: Known,
    identity: Identity,
    /// Where the hash takes long.
    verified: Option<Arc<Verified>>,
}

impl BasicSettings {
    pub(super) fn resolve(&self) -> Result<BasicPlan, Invalid> {
        let users = self.users.as_ref().filter(|users| !users.is_empty()).ok_or_else(|| {
            let invalid = Invalid::new("there are no `users`").at("basic");
            invalid.hint("write `users: {ann: \"${ANN_PASSWORD}\"}`")
        })?;
        if let Some(name) = users.keys().find(|name| name.contains(':')) {
            return Err(
                Invalid::new("a user's name has no `:`, which ends it (RFC 7617)").at(format!("basic.users.{name}"))
            );
        }
        let realm = self.realm.as_deref().unwrap_or(DEFAULT_REALM);
        let challenge = HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        let challenge = challenge.ok().filter(|_| realm.is_ascii() && !realm.contains(['"', '\\']));
        let challenge = challenge
            .ok_or_else(|| Invalid::new("a realm is ASCII without quotes and backslashes").at("basic.realm"))?;
        Ok(BasicPlan { users: users.clone(), keep: self.keep.unwrap_or(false), challenge })
    }

    pub(super) fn fill(&mut self) {
        self.realm.get_or_insert_with(|| DEFAULT_REALM.to_owned());
        self.keep.get_or_insert(false);
    }
}

impl Basic {
    /// Hashing may take no more than half of the machine.
    pub(super) fn hashing() -> Semaphore {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Semaphore::new((cores / 2).max(1))
    }

    pub(super) fn new(plan: BasicPlan, context: Context, slow: Arc<Semaphore>, passwords: &Passwords) -> Self {
        let decoy = plan.users.values().find_map(Known::slow).map(Box::from);
        let user = |(name, known): (String, Known)| {
            let identity = Identity::named(&name, false);
            let verified = known.slow().map(|hash| passwords.of(&name, hash));
            (name, User { known, identity, verified })
        };
        Self {
            users: plan.users.into_iter().map(user).collect(),
            keep: plan.keep,
            challenge: plan.challenge,
            decoy,
            passwords: passwords.clone(),
            context,
            waiting: Semaphore::new(WAITING),
            slow,
        }
    }

    pub(super) async fn check(&self, parts: &Parts) -> Result<Identity, Denied> {
        let encoded = match bearer::credentials(parts, &AUTHORIZATION, Scheme::Basic) {
            bearer::Shown::Credentials(encoded) => encoded,
            bearer::Shown::Nothing => return Err(Denied::missing("a name and a password (Basic)", &self.challenge)),
            bearer::Shown::Unclear => return Err(self.wrong()),
        };
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (name, password) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(|| self.wrong())?;
        let user = self.users.get(name);
        if let Some(known) = user.and_then(|user| user.known.fast()) {
            let right = same(known, &digest(password.as_bytes()));
            return user.filter(|_| right).map(|user| user.identity.clone()).ok_or_else(|| self.wrong());
        }
        let shown = self.passwords.shown(name, password);
        if let Some(user) = user.filter(|user| user.has_shown(&shown)) {
            return Ok(user.identity.clone());
        }
        let Some(hash) = user.and_then(|user| user.known.slow()).or(self.decoy.as_deref()) else {
            return Err(self.wrong());
        };
        let right = self.verify(hash, password, || user.is_some_and(|user| user.has_shown(&shown))).await?;
        match user {
            Some(user) if right => {
                user.verified.iter().for_each(|verified| verified.remember(&shown));
                Ok(user.identity.clone())
            }
            _ => Err(self.wrong()),
        }
    }

    /// `meanwhile` says whether the same was found right while this waited.
    async fn verify(&self, hash: &str, password: &str, meanwhile: impl Fn() -> bool) -> Result<bool, Denied> {
        const BUSY: &str = "The gateway can't check more passwords at the moment.";
        let _waits = self.waiting.try_acquire().map_err(|_| Denied::unknown(BUSY, "too many passwords to check"))?;
        let _runs = self.slow.acquire().await.map_err(|_| Denied::unknown(BUSY, "the gateway stops"))?;
        if meanwhile() {
            return Ok(true);
        }
        let (hash, password) = (hash.to_owned(), password.to_owned());
        let verified = self.context.blocking(move || verify_slowly(&hash, &password)).await;
        verified.map_err(|stopped| Denied::unknown(BUSY, stopped.to_string()))
    }

    fn wrong(&self) -> Denied {
        Denied::invalid("The name or the password is wrong.", &self.challenge)
    }

    pub(super) fn strip(&self, parts: &mut Parts) {
        if !self.keep && bearer::is(parts, &AUTHORIZATION, Scheme::Basic) {
            parts.headers.remove(AUTHORIZATION);
        }
    }
}

impl User {
    fn has_shown(&self, shown: &Shown) -> bool {
        self.verified.as_ref().is_some_and(|verified| verified.is(shown))
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").field("users", &self.users.len()).finish_non_exhaustive()
    }
}
