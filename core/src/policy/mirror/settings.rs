//! `mirror`, as it stands in the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    document::{Percent, Size},
    policy::settings::Inherit,
};

const DEFAULT_BUFFER: u64 = 64 << 10;

/// Another function that gets a copy of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Mirror")]
pub(crate) struct MirrorSettings {
    /// The function that gets the copies: `upstream/function`; an empty text for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// The share of requests that is copied. Default: 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percentage: Option<Percent>,
    /// The largest body that is copied; a request with a larger one is not. Default: 64KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) buffer: Option<Size>,
}

impl Inherit for MirrorSettings {
    fn inherit(self, outer: &Self) -> Self {
        Self {
            to: self.to.or_else(|| outer.to.clone()),
            percentage: self.percentage.or(outer.percentage),
            buffer: self.buffer.or(outer.buffer),
        }
    }
}

/// Which requests are copied, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) to: String,
    pub(crate) share: Percent,
    /// In bytes.
    pub(crate) buffer: u64,
}

impl MirrorSettings {
    /// Fills the defaults in; `None` where no level says where copies go, or none is made.
    pub(crate) fn resolve(&self) -> Option<Copies> {
        Some(Copies {
            to: self.to.clone().filter(|to| !to.is_empty())?,
            share: self.percentage.unwrap_or(Percent::of(100)),
            buffer: self.buffer.map_or(DEFAULT_BUFFER, Size::bytes),
        })
    }
}

impl Copies {
    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> MirrorSettings {
        let buffer = Size::from_bytes(self.buffer);
        MirrorSettings { to: Some(self.to.clone()), percentage: Some(self.share), buffer: Some(buffer) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn fields_are_inherited_one_by_one_and_have_defaults() {
        let read = |written| from_value::<MirrorSettings>(written).unwrap();
        let merged = read(json!({"percentage": "5%"})).inherit(&read(json!({"to": "a/b", "percentage": "50%"})));
        let effective = json!({"to": "a/b", "percentage": "5%", "buffer": "64KiB"});
        assert_eq!(to_value(merged.resolve().unwrap().effective()).unwrap(), effective);
        assert!(read(json!({"percentage": "5%"})).resolve().is_none());
        assert!(from_value::<MirrorSettings>(json!({"to": "a/b", "percentage": 5})).is_err());
    }
}
