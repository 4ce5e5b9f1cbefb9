//! What a kind brings to the suite.

use std::future::Future;

use callgate_core::Registry;

/// A function that the remote offers, under the path `/<name>/...` where the kind has paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// Answers 200 with JSON of the request: `{method, path, query, headers: [[name, value], ...]}`.
    Describe,
    /// Answers 200 with the request's body and `content-type`.
    Mirror,
    /// Answers the status that the query names: `?status=418`.
    Status,
    /// Fails as functions of the kind do.
    Fail,
    /// Answers 200 after the milliseconds that the query names: `?ms=500`.
    Slow,
    /// Answers 200 with as many bytes `x` as the query names: `?bytes=1000000`.
    Large,
    /// Answers 200 with the bytes 0 to 255.
    Binary,
}

impl Remote {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Describe, Self::Mirror, Self::Status, Self::Fail, Self::Slow, Self::Large, Self::Binary];

    /// The name, as it stands in paths and in names of functions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Mirror => "mirror",
            Self::Status => "status",
            Self::Fail => "fail",
            Self::Slow => "slow",
            Self::Large => "large",
            Self::Binary => "binary",
        }
    }
}

/// What the kind and its remote can do. Trials that need more are shown as ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// The function learns method, path, query and headers.
    pub describes: bool,
    /// A header that the client sends twice reaches the function as two values.
    pub multi_value_headers: bool,
    /// Bodies of any bytes pass in both directions.
    pub binary: bool,
    /// The function's own failure can be told from a reply.
    pub function_errors: bool,
    /// The function chooses the status.
    pub chooses_status: bool,
    /// The remote runs outside of this process and can be killed and started again.
    pub remote: bool,
    /// The largest body that passes in both directions, in bytes.
    pub largest_body: usize,
}

impl Default for Abilities {
    /// Everything, with bodies of a megabyte.
    fn default() -> Self {
        Self {
            describes: true,
            multi_value_headers: true,
            binary: true,
            function_errors: true,
            chooses_status: true,
            remote: true,
            largest_body: 1 << 20,
        }
    }
}

/// A kind with a remote to call.
pub trait Fixture: Sized + Send + Sync + 'static {
    /// Whether the remote takes long to start, so that the trials share one. They run one after the other in one test,
    /// and `start` gives each the same remote, started again if it was killed.
    const SHARES_REMOTE: bool = false;

    /// The kinds to register; the kind under test is one of them.
    fn registry() -> Registry;

    /// What the kind and its remote can do.
    fn abilities() -> Abilities;

    /// Starts the remote. `None` when it is not installed here and that is allowed; the fixture has said so.
    fn start() -> impl Future<Output = Result<Option<Self>, String>> + Send;

    /// The upstream as YAML in flow style, with its functions: `{rest: {url: "http://127.0.0.1:1234"}}`.
    fn upstream(&self) -> String;

    /// The destination of a route to this function, as YAML in flow style; the upstream's name is `remote`.
    fn to(&self, remote: Remote) -> String;

    /// Texts that must appear in no output: passwords, keys, tokens.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// A mistyped option of the kind's settings and the option that is meant: `("ulr", "url")`.
    fn typo() -> Option<(&'static str, &'static str)> {
        None
    }

    /// Kills the remote at once.
    fn kill(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Starts it again at the same address.
    fn restart(&mut self) -> impl Future<Output = Result<(), String>> + Send {
        std::future::ready(Ok(()))
    }
}
