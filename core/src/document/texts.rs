//! Texts of a configuration that are no files, such as the entries of a bucket.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path},
};

/// Named texts that are read in the place of files: `include` names others of them, by names or globs.
///
/// What else a document names (`${file:}`, certificates, descriptions of services) are files as ever. Where such a path is
/// relative, it begins at the working directory of the process.
#[derive(Clone, Default)]
pub struct Texts {
    place: String,
    held: BTreeMap<String, Vec<u8>>,
}

impl Texts {
    /// The texts of a place, whose name diagnostics put before theirs: `nats://broker/config`.
    #[must_use]
    pub fn new(place: impl Into<String>, held: BTreeMap<String, Vec<u8>>) -> Self {
        Self { place: place.into(), held }
    }

    /// The name of a text with that of its place.
    pub(super) fn shown(&self, name: &str) -> String {
        format!("{}/{name}", self.place)
    }

    /// The text of this name; or what is wrong, and the text that was meant, perhaps.
    pub(super) fn text(&self, name: &str) -> Result<&str, (String, Option<String>)> {
        let Some(held) = self.held.get(name) else {
            let near = super::nearest(name, self.held.keys().map(String::as_str));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err((format!("there is no `{name}` in `{}`", self.place), hint));
        };
        std::str::from_utf8(held).map_err(|_| (format!("`{}` is not UTF-8", self.shown(name)), None))
    }

    /// The names that a glob matches, which knows no hidden ones: `*` goes no further than the next `/`.
    pub(super) fn matching(&self, pattern: &glob::Pattern) -> Vec<String> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        self.held.keys().filter(|name| pattern.matches_with(name, options)).cloned().collect()
    }
}

/// A name, or a glob, as another text names it; nothing where it leads out of the place.
pub(super) fn resolve(including: &str, named: &str) -> Option<String> {
    let folder = Path::new(including).parent().unwrap_or(Path::new(""));
    let mut parts: Vec<&str> = Vec::new();
    let path = folder.join(named);
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// Shows no text: it may hold a secret.
impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("place", &self.place).field("held", &self.held.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_where_the_text_is_that_names_them() {
        let resolved = |including, named| resolve(including, named);
        assert_eq!(resolved("callgate.yaml", "routes/a.yaml").as_deref(), Some("routes/a.yaml"));
        assert_eq!(resolved("eu/callgate.yaml", "./a.yaml").as_deref(), Some("eu/a.yaml"));
        assert_eq!(resolved("eu/callgate.yaml", "../all/*.yaml").as_deref(), Some("all/*.yaml"));
        assert_eq!(resolved("callgate.yaml", "../a.yaml"), None);
        assert_eq!(resolved("callgate.yaml", "/etc/a.yaml"), None);
    }
}
