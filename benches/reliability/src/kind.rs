//! What can be measured, by name.

use crate::{Problem, broker::Later, options::Options};

/// Something that can be measured: its name, and how it is started. `None` where it is not installed.
pub(crate) struct Kind<T: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) start: fn() -> Later<'static, Option<Box<T>>>,
}

impl<T: ?Sized> Kind<T> {
    /// Those that are asked for.
    pub(crate) fn chosen<'k>(kinds: &'k [Self], options: &Options) -> Result<Vec<&'k Self>, Problem> {
        if let Some(unknown) = options.brokers.iter().find(|name| kinds.iter().all(|kind| kind.name != **name)) {
            let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
            return Err(format!("`{unknown}` is no broker that can be measured: {}", names.join(", ")).into());
        }
        let asked = |kind: &&Self| options.brokers.is_empty() || options.brokers.iter().any(|name| name == kind.name);
        Ok(kinds.iter().filter(asked).collect())
    }
}
