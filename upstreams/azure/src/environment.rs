//! The variables by which Azure's platforms tell a process who it is.

/// Reads a variable; an empty one is none.
#[allow(clippy::disallowed_methods, reason = "Azure's platforms announce identities by the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
