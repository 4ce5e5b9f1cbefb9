//! `api_key`: keys that clients are given.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use http::{HeaderName, HeaderValue, request::Parts};

use super::{
    denied::Denied,
    identity::Identity,
    known::{Known, digest, same},
    place::{Found, KeyPlace, Place},
    settings::ApiKeySettings,
};
use crate::upstream::Invalid;

const DEFAULT_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Hashes and their holders, by the beginning of the hash.
type Holders = HashMap<[u8; 8], Vec<([u8; 32], Identity)>>;

/// Keys that clients are given, by the beginning of their hash: how long it takes to find one tells nothing of it.
#[derive(Clone)]
pub(super) struct ApiKeys {
    place: Place,
    keys: Holders,
    keep: bool,
    wants: String,
    challenge: HeaderValue,
}

impl ApiKeySettings {
    pub(super) fn resolve(&self) -> Result<ApiKeys, Invalid> {
        let place = self.place.clone().map_or(Place::Header(DEFAULT_HEADER), Place::from);
        let hint = "write `keys: {shop: \"${SHOP_KEY}\"}`";
        let given = self.keys.as_ref().filter(|keys| !keys.is_empty());
        let given = given.ok_or_else(|| Invalid::new("there are no `keys`").at("api_key").hint(hint))?;
        Ok(ApiKeys {
            keys: by_hash(given)?,
            keep: self.keep.unwrap_or(false),
            wants: format!("an API key {place}"),
            challenge: challenge(&place),
            place,
        })
    }

    pub(super) fn fill(&mut self) {
        self.place.get_or_insert(KeyPlace::Header(crate::policy::rate_limit::Name(DEFAULT_HEADER)));
        self.keep.get_or_insert(false);
    }
}

fn by_hash(given: &BTreeMap<String, Known>) -> Result<Holders, Invalid> {
    let mut keys = Holders::new();
    for (name, key) in given {
        let Some(hash) = key.fast() else {
            let invalid = Invalid::new("an API key comes with every request, which a slow hash is too slow for");
            return Err(invalid
                .at(format!("api_key.keys.{name}"))
                .hint("write the key itself, or `sha256:` and its hash in hex"));
        };
        let alike = keys.entry(beginning(hash)).or_default();
        if let Some((_, other)) = alike.iter().find(|(other, _)| other == hash) {
            let other = other.principal().unwrap_or_default();
            return Err(
                Invalid::new(format!("`{name}` and `{other}` have the same key")).at(format!("api_key.keys.{name}"))
            );
        }
        alike.push((*hash, Identity::named(name, true)));
    }
    Ok(keys)
}

fn beginning(hash: &[u8; 32]) -> [u8; 8] {
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&hash[..8]);
    beginning
}

/// There is no registered scheme for keys, and 401 has to name one.
fn challenge(place: &Place) -> HeaderValue {
    HeaderValue::try_from(format!("ApiKey realm=\"{place}\"")).unwrap_or(HeaderValue::from_static("ApiKey"))
}

impl ApiKeys {
    pub(super) fn check(&self, parts: &Parts) -> Result<Identity, Denied> {
        let shown = match self.place.find(parts) {
            Found::One(shown) if !shown.is_empty() => shown,
            Found::One(_) | Found::Nothing => return Err(Denied::missing(self.wants.clone(), &self.challenge)),
            Found::Unclear => {
                return Err(Denied::invalid("There are several API keys, or one that is no text.", &self.challenge));
            }
        };
        let hash = digest(shown.as_bytes());
        let alike = self.keys.get(&beginning(&hash)).into_iter().flatten();
        let known = alike.filter(|(known, _)| same(known, &hash)).map(|(_, holder)| holder).next();
        known.cloned().ok_or_else(|| Denied::invalid("The API key is not known.", &self.challenge))
    }

    pub(super) fn strip(&self, parts: &mut Parts) {
        if !self.keep {
            self.place.remove(parts);
        }
    }
}

/// Leaves the keys out.
impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys").field("place", &self.place).finish_non_exhaustive()
    }
}
