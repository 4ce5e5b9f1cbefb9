//! One upstream's functions, as YAML to be pasted: `callgate discover`.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::{
    discovery::ask,
    load::{connect_one, report},
};
use crate::{
    document::{Report, nearest},
    error::{UpstreamError, chain},
    plan::{Plan, Selection, scalar},
    upstream::Discovered,
};

/// The functions of an upstream, by name.
///
/// Displays as a `functions:` block for that upstream: each function under its own name, to be given another one.
#[derive(Debug)]
pub struct Listing {
    functions: Arc<[Discovered]>,
    /// The field that a function's name stands in.
    field: Option<&'static str>,
}

/// Why an upstream's functions can't be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The document has no such upstream.
    #[error("there is no upstream `{upstream}` in the configuration; {hint}")]
    Unknown {
        /// The name that was asked for.
        upstream: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// Its kind has nothing that lists functions.
    #[error("`{upstream}` is of the kind `{kind}`, which can't list its functions")]
    Unsupported {
        /// The upstream.
        upstream: String,
        /// Its kind.
        kind: &'static str,
    },
    /// Its settings can't be used.
    #[error("{0}")]
    Invalid(Report),
    /// The remote did not tell.
    #[error("the functions of the upstream `{upstream}` can't be listed: {}", chain(source))]
    Failed {
        /// The upstream.
        upstream: String,
        /// What went wrong.
        source: UpstreamError,
    },
}

impl Plan {
    /// Asks an upstream which functions it has, whether or not its document says `discover`; where it does, of those
    /// that are looked for. Nothing but this upstream is connected.
    ///
    /// # Errors
    /// There is no such upstream, its kind has no discovery, or the remote does not tell.
    pub async fn discover(mut self, upstream: &str, background: &Handle) -> Result<Listing, DiscoverError> {
        let Some((name, mut plan)) = self.upstreams.remove_entry(upstream) else {
            return Err(self.unknown(upstream));
        };
        let (kind, field) = (plan.kind.name(), plan.kind.target_name());
        if !plan.kind.discovers() {
            return Err(DiscoverError::Unsupported { upstream: name, kind });
        }
        let selection = plan.discovery.take().unwrap_or_else(Selection::everything);
        let sources = self.sources();
        let connected = connect_one(&name, plan, background).await;
        let connected = connected.map_err(|flaw| DiscoverError::Invalid(report(vec![flaw], sources)))?;
        let asked = ask(&*connected.upstream, &selection).await;
        connected.close(&name).await;
        match asked {
            Ok(functions) => Ok(Listing { functions, field }),
            Err(source) => Err(DiscoverError::Failed { upstream: name, source }),
        }
    }

    pub(super) fn unknown(&self, upstream: &str) -> DiscoverError {
        let names = || self.upstreams.keys().map(String::as_str);
        let hint = match nearest(upstream, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.upstreams.is_empty() => "it has no `upstreams`".to_owned(),
            None => format!("its upstreams are {}", names().collect::<Vec<_>>().join(", ")),
        };
        DiscoverError::Unknown { upstream: upstream.to_owned(), hint }
    }
}

impl Listing {
    /// The functions.
    pub fn functions(&self) -> &[Discovered] {
        &self.functions
    }

    /// For programs: a list of objects with `name`, `note` (null where there is none) and `options`, as a function of a
    /// document has them.
    pub fn to_json(&self) -> Value {
        let told = |function: &Discovered| {
            let mut options = Map::new();
            options.extend(self.field.map(|field| (field.to_owned(), function.name().into())));
            options.extend(function.options().clone());
            json!({"name": function.name(), "note": function.note(), "options": options})
        };
        self.functions.iter().map(told).collect()
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.functions.is_empty() {
            return f.write_str("functions: {}\n");
        }
        f.write_str("functions:\n")?;
        for function in &*self.functions {
            write!(f, "  {}: ", scalar(function.name()))?;
            f.write_str("{")?;
            if let Some(field) = self.field {
                write!(f, "{field}: {}", inline(function.name()))?;
            }
            for (index, (name, value)) in function.options().iter().enumerate() {
                let comma = if index > 0 || self.field.is_some() { ", " } else { "" };
                // What looks like a reference is none.
                write!(f, "{comma}{}: {}", inline(name), value.to_string().replace("${", "$${"))?;
            }
            f.write_str("}")?;
            if let Some(note) = function.note() {
                let note: String = note.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
                write!(f, "  # {note}")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// A text as a value within braces.
fn inline(text: &str) -> String {
    if text.contains([',', '{', '}']) { Value::from(text).to_string() } else { scalar(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_notes_are_written_so_that_they_read_back() {
        let functions = vec![
            Discovered::new("plain").with_note("python3.12\nx"),
            Discovered::new("orders:live"),
            Discovered::new("a,b}"),
            Discovered::new("007"),
            Discovered::new("b")
                .with_option("with", serde_json::json!({"c": "{{ d }} ${E}"}))
                .with_option("f", Value::Null),
        ];
        let listing = Listing { functions: functions.into(), field: Some("name") };
        assert_eq!(
            listing.to_string(),
            "functions:\n  plain: {name: plain}  # python3.12 x\n  \"orders:live\": {name: \"orders:live\"}\n  \
             a,b}: {name: \"a,b}\"}\n  \"007\": {name: \"007\"}\n  \
             b: {name: b, with: {\"c\":\"{{ d }} $${E}\"}}\n"
        );
        let read = crate::document::Document::parse("t", &listing.to_string(), &crate::document::System).unwrap();
        let names: Vec<_> = read.root().get("functions").unwrap().entries().iter().map(|(key, _)| &*key.text).collect();
        assert_eq!(names, ["plain", "orders:live", "a,b}", "007", "b"]);
    }

    #[test]
    fn no_functions_are_an_empty_block() {
        assert_eq!(Listing { functions: Arc::default(), field: Some("name") }.to_string(), "functions: {}\n");
    }
}
