//! Why a value does not fit a message.

use std::fmt;

use callgate_core::document::nearest;

/// The longest name of a field that is repeated to the client.
const LONGEST: usize = 64;

/// How many names are told.
const MOST: usize = 8;

/// A value that does not fit, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Unfit {
    /// From the value up to the message.
    path: Vec<String>,
    problem: String,
}

impl Unfit {
    /// What is wrong, to stand behind the value's name.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { path: Vec::new(), problem: problem.into() }
    }

    /// What the value should be.
    pub(crate) fn wanted(wanted: &str) -> Self {
        Self::new(format!("has to be {wanted}"))
    }

    /// A name that is none of those that are known.
    pub(crate) fn unknown<'a>(name: &str, of: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        let problem = match nearest(name, known.clone()) {
            Some(near) => format!("is no field of `{of}`; did you mean `{near}`?"),
            None => match some_of(known) {
                names if names.is_empty() => format!("is no field of `{of}`, which has none"),
                names => format!("is no field of `{of}`, which has {names}"),
            },
        };
        Self::new(problem).below(name)
    }

    /// The field that the value is in.
    pub(crate) fn below(mut self, name: &str) -> Self {
        let end = name.char_indices().map(|(at, _)| at).nth(LONGEST);
        self.path.push(match end {
            Some(end) => format!("{}…", &name[..end]),
            None => name.to_owned(),
        });
        self
    }

    /// The item of a list that the value is.
    pub(crate) fn at(mut self, index: usize) -> Self {
        self.path.push(format!("[{index}]"));
        self
    }
}

/// The first of several names.
pub(crate) fn some_of<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first: Vec<_> = names.by_ref().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = if names.next().is_some() { " and others" } else { "" };
    first.join(", ") + more
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A question ends with a mark of its own.
        let end = if self.problem.ends_with('?') { "" } else { "." };
        if self.path.is_empty() {
            return write!(f, "The message {}{end}", self.problem);
        }
        f.write_str("`")?;
        for (number, part) in self.path.iter().rev().enumerate() {
            if number > 0 && !part.starts_with('[') {
                f.write_str(".")?;
            }
            f.write_str(part)?;
        }
        write!(f, "` {}{end}", self.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_reads_as_a_path() {
        let unfit = Unfit::wanted("text").at(2).below("tags").below("item");
        assert_eq!(unfit.to_string(), "`item.tags[2]` has to be text.");
        assert_eq!(Unfit::wanted("an object").to_string(), "The message has to be an object.");
    }

    #[test]
    fn a_mistyped_name_gets_a_suggestion() {
        let known = ["quantity", "sku"];
        let told = Unfit::unknown("quantiy", "shop.Item", known.into_iter()).to_string();
        assert_eq!(told, "`quantiy` is no field of `shop.Item`; did you mean `quantity`?");
        let told = Unfit::unknown("x", "shop.Item", known.into_iter()).to_string();
        assert_eq!(told, "`x` is no field of `shop.Item`, which has `quantity`, `sku`.");
        assert!(Unfit::unknown("x", "E", [].into_iter()).to_string().ends_with("which has none."));
        assert!(Unfit::unknown(&"ü".repeat(500), "E", [].into_iter()).to_string().len() < 200);
    }
}
