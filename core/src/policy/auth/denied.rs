//! Why a method lets nobody in.

use std::borrow::Cow;

use http::{HeaderValue, header};

use crate::{policy::denial::Denial, respond::Code};

/// How much a method has to say against a request; of several the one with the most to say is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// There are no credentials for it.
    Missing,
    /// They are not good.
    Invalid,
    /// They are good, and don't suffice.
    Forbidden,
    /// It can't be told at the moment.
    Unknown,
}

/// Why a method lets nobody in.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) rank: Rank,
    pub(super) refusal: Denial,
    /// What it needs, for one that got nothing.
    wants: Cow<'static, str>,
}

impl Denied {
    /// There are no credentials. `wants` says which: `an API key in the header x-api-key`.
    pub(super) fn missing(wants: impl Into<Cow<'static, str>>, challenge: &HeaderValue) -> Self {
        let wants = wants.into();
        let detail = format!("This needs {wants}.");
        Self { rank: Rank::Missing, refusal: challenged(Code::Unauthenticated, detail, challenge), wants }
    }

    /// The credentials are not good.
    pub(super) fn invalid(detail: impl Into<Cow<'static, str>>, challenge: &HeaderValue) -> Self {
        let refusal = challenged(Code::Unauthenticated, detail, challenge);
        Self { rank: Rank::Invalid, refusal, wants: "".into() }
    }

    /// The credentials don't suffice.
    pub(super) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { rank: Rank::Forbidden, refusal: Denial::new(Code::Forbidden, detail), wants: "".into() }
    }

    /// What has to be asked does not answer; the reason is for the log.
    pub(super) fn unknown(detail: &'static str, reason: impl Into<String>) -> Self {
        let refusal = Denial::new(Code::UpstreamUnavailable, detail).with_reason(reason);
        Self { rank: Rank::Unknown, refusal, wants: "".into() }
    }

    /// What none of several methods lets in: the answer of the one with the most to say, which offers all of them when
    /// it is that credentials are needed.
    pub(super) fn of_all(all: Vec<Self>) -> Option<Self> {
        let rank = all.iter().map(|denied| denied.rank).max()?;
        let challenges: Vec<_> =
            all.iter().flat_map(|denied| denied.refusal.headers.get_all(header::WWW_AUTHENTICATE)).cloned().collect();
        let wants =
            all.iter().map(|denied| &*denied.wants).filter(|wants| !wants.is_empty()).collect::<Vec<_>>().join(" or ");
        let mut chosen = all.into_iter().find(|denied| denied.rank == rank)?;
        if rank == Rank::Missing {
            chosen.refusal.detail = format!("This needs {wants}.").into();
            chosen.wants = wants.into();
        }
        if chosen.refusal.code == Code::Unauthenticated {
            chosen.refusal.headers.remove(header::WWW_AUTHENTICATE);
            for challenge in challenges {
                chosen.refusal.headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
        Some(chosen)
    }
}

fn challenged(code: Code, detail: impl Into<Cow<'static, str>>, challenge: &HeaderValue) -> Denial {
    let mut refusal = Denial::new(code, detail);
    refusal.headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
    refusal
}
