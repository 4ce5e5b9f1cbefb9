//! Which content coding a client takes (RFC 9110 12.5.3).

use http::HeaderValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Coding {
    Zstd,
    Br,
    Gzip,
}

impl Coding {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    fn is(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name()) || (self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip"))
    }
}

/// The first of the offered codings with the highest weight; `None` where the client takes none of them, or likes the bytes as
/// they are better.
pub(super) fn best(accepts: Option<&HeaderValue>, offered: &[Coding]) -> Option<Coding> {
    let accepts = accepts?.to_str().ok()?;
    let weights = || accepts.split(',').filter_map(weighed);
    let weight = |is: &dyn Fn(&str) -> bool| weights().find(|(name, _)| is(name)).map(|(_, weight)| weight);
    let any = weight(&|name| name == "*").unwrap_or(0);
    let identity = weight(&|name| name.eq_ignore_ascii_case("identity")).unwrap_or(0);
    let mut best = None;
    for coding in offered {
        let weight = weight(&|name| coding.is(name)).unwrap_or(any);
        if weight > 0 && weight >= identity && best.is_none_or(|(_, before)| weight > before) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// A coding with its weight in thousandths.
fn weighed(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';');
    let name = parts.next()?.trim();
    let quality = parts.find_map(|part| part.trim().strip_prefix("q=").or_else(|| part.trim().strip_prefix("Q=")));
    let weight = match quality {
        None => 1000,
        Some(text) => {
            let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
            let thousandths = format!("{fraction:0<3}");
            let digits = thousandths.get(..3).and_then(|digits| digits.parse::<u16>().ok())?;
            whole.parse::<u16>().ok()?.min(1) * 1000 + digits
        }
    };
    (!name.is_empty()).then_some((name, weight.min(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_both_know_is_taken() {
        const ALL: [Coding; 3] = [Coding::Zstd, Coding::Br, Coding::Gzip];
        for (accepts, chosen) in [
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("gzip, br;q=0.9", Some(Coding::Gzip)),
            ("GZIP", Some(Coding::Gzip)),
            ("x-gzip;q=0.001", Some(Coding::Gzip)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0.5, zstd;q=0", Some(Coding::Br)),
            ("br;q=0.2, identity", None),
            ("br; q=0.25, gzip;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("deflate", None),
            ("gzip;q=abc", None),
            ("", None),
        ] {
            assert_eq!(best(Some(&HeaderValue::from_static(accepts)), &ALL), chosen, "{accepts}");
        }
        assert_eq!(best(None, &ALL), None);
        assert_eq!(best(Some(&HeaderValue::from_static("zstd, gzip")), &[Coding::Gzip]), Some(Coding::Gzip));
    }
}
