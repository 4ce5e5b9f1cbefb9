//! What is known of a service: its methods and the types of their messages.

mod bundled;
mod files;
mod protocol;
mod reflection;

use std::{collections::HashMap, fmt, sync::Arc};

use callgate_core::{Invalid, document::nearest};
use http::{Method as HttpMethod, uri::PathAndQuery};
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use prost_types::method_options::IdempotencyLevel;

use crate::{
    json::some_of,
    rule::{self, Matched, Rule},
};

pub(crate) use bundled::error_details;
pub(crate) use files::{is_source, read as read_files};
pub(crate) use reflection::Reflection;

/// Services that describe others, and are none that routes would name.
const OWN: &str = "grpc.reflection.";

/// Services with their types.
#[derive(Debug)]
pub(crate) struct Contract {
    methods: Vec<Arc<Method>>,
    by_path: HashMap<String, usize>,
    /// Which rule of which method is tried in what order: the most specific first.
    rules: Vec<(usize, usize)>,
    /// What could not be used, and why.
    pub(crate) problems: Vec<String>,
}

/// A method of a service.
pub(crate) struct Method {
    /// `package.Service/Method`.
    pub(crate) name: String,
    /// The path of its calls.
    pub(crate) path: PathAndQuery,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    pub(crate) streams_requests: bool,
    pub(crate) streams_replies: bool,
    pub(crate) rules: Vec<Rule>,
    /// Whether it may be called twice without harm, as its `idempotency_level` says.
    pub(crate) is_idempotent: bool,
    /// What it does, in a line.
    pub(crate) summary: Option<String>,
}

/// By its name alone: descriptors of messages that lie in themselves have no end when they are shown.
impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Method").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Contract {
    /// The services of a pool.
    pub(crate) fn new(pool: &DescriptorPool) -> Self {
        let mut contract =
            Self { methods: Vec::new(), by_path: HashMap::new(), rules: Vec::new(), problems: Vec::new() };
        let services = pool.services().filter(|service| !service.full_name().starts_with(OWN));
        for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            contract.add(&method);
        }
        let mut rules: Vec<_> = contract
            .methods
            .iter()
            .enumerate()
            .flat_map(|(at, method)| (0..method.rules.len()).map(move |rule| (at, rule)))
            .collect();
        let template = |(method, rule): &(usize, usize)| &contract.methods[*method].rules[*rule].template;
        rules.sort_by(|one, other| template(one).order(template(other)));
        contract.rules = rules;
        contract
    }

    fn add(&mut self, method: &MethodDescriptor) {
        let name = format!("{}/{}", method.parent_service().full_name(), method.name());
        let Ok(path) = PathAndQuery::try_from(format!("/{name}")) else { return };
        let mut rules = Vec::new();
        for rule in rule::of(method) {
            match rule {
                Ok(rule) => rules.push(rule),
                Err(reason) => self.problems.push(format!("`{name}`, {reason}")),
            }
        }
        self.by_path.insert(path.as_str().to_owned(), self.methods.len());
        self.methods.push(Arc::new(Method {
            path,
            input: method.input(),
            output: method.output(),
            streams_requests: method.is_client_streaming(),
            streams_replies: method.is_server_streaming(),
            rules,
            is_idempotent: method
                .method_descriptor_proto()
                .options
                .as_ref()
                .is_some_and(|options| options.idempotency_level() != IdempotencyLevel::IdempotencyUnknown),
            summary: summary(method),
            name,
        }));
    }

    /// All methods, as they are declared.
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.methods.iter()
    }

    /// A method by its name.
    ///
    /// # Errors
    /// There is none; with the nearest.
    pub(crate) fn method(&self, name: &str) -> Result<&Arc<Method>, Invalid> {
        if let Some(method) = self.methods.iter().find(|method| method.name == name) {
            return Ok(method);
        }
        let wrong = Invalid::new(format!("there is no method `{name}`"));
        let known = || self.methods.iter().map(|method| method.name.as_str());
        // A service or a package may be left out by mistake.
        let ends = |known: &&str| {
            known.strip_suffix(name).is_some_and(|before| before.ends_with(['.', '/'])) && !name.is_empty()
        };
        Err(match known().find(ends).or_else(|| nearest(name, known())) {
            Some(near) => wrong.hint(format!("did you mean `{near}`?")),
            None if self.methods.is_empty() => wrong.hint("the descriptors have no services"),
            None => wrong.hint(format!("the methods are {}", some_of(known()))),
        })
    }

    /// The method whose calls have this path.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path).and_then(|at| self.methods.get(*at))
    }

    /// The method that has a rule for a request, and that rule.
    pub(crate) fn ruled(&self, http: &HttpMethod, path: &str) -> Option<(&Arc<Method>, Matched<'_>)> {
        self.rules.iter().find_map(|(method, rule)| {
            let method = self.methods.get(*method)?;
            Some((method, Matched::of(method.rules.get(*rule)?, http, path)?))
        })
    }
}

impl Method {
    /// The rule of its own that is for a request.
    pub(crate) fn rule(&self, http: &HttpMethod, path: &str) -> Option<Matched<'_>> {
        self.rules.iter().find_map(|rule| Matched::of(rule, http, path))
    }
}

/// The first line of the comment before a method, where the descriptors have it.
fn summary(method: &MethodDescriptor) -> Option<String> {
    let file = method.parent_file();
    let locations = &file.file_descriptor_proto().source_code_info.as_ref()?.location;
    let location = locations.iter().find(|location| location.path == method.path())?;
    let line = location.leading_comments().lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The contract of a service `a.b.S` with these methods, on messages `M`.
    pub(crate) fn contract(service: &str) -> Contract {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "syntax = \"proto3\"; package a.b; import \"google/api/annotations.proto\";\n\
             message M {{ string name = 1; M inner = 2; repeated M many = 3; }}\nservice S {{\n{service}\n}}"
        );
        std::fs::write(folder.path().join("s.proto"), text).unwrap();
        read_files(&["s.proto".into()], &[], &callgate_core::Files::new(folder.path())).unwrap()
    }

    #[test]
    fn what_a_method_says_of_itself_is_known() {
        let contract = contract(
            "// Looks.\n// Far and wide.\nrpc Look(M) returns (stream M) { option idempotency_level = NO_SIDE_EFFECTS; }\n\
             rpc Take(stream M) returns (M);",
        );
        let look = contract.at("/a.b.S/Look").unwrap();
        assert_eq!((look.name.as_str(), look.summary.as_deref()), ("a.b.S/Look", Some("Looks.")));
        assert_eq!((look.is_idempotent, look.streams_requests, look.streams_replies), (true, false, true));
        let take = contract.method("a.b.S/Take").unwrap();
        assert_eq!((take.is_idempotent, take.streams_requests, take.streams_replies), (false, true, false));
        assert!(format!("{contract:?}").contains("a.b.S/Look"), "a message that lies in itself has no end to be shown");
    }

    #[test]
    fn a_rule_that_can_not_be_is_told_and_the_method_stays() {
        let contract = contract(
            "rpc A(M) returns (M) { option (google.api.http) = {get: \"/a/{nmae}\" additional_bindings {get: \"/b/{name}\"}}; }\n\
             rpc B(M) returns (M) { option (google.api.http) = {post: \"/c/{many.name}\" body: \"*\"}; }\n\
             rpc C(M) returns (M) { option (google.api.http) = {post: \"/d\" body: \"boby\"}; }\n\
             rpc D(M) returns (M) { option (google.api.http) = {get: \"no/slash\"}; }",
        );
        let problems = contract.problems.join("\n");
        for told in [
            "`a.b.S/A`, its rule `/a/{nmae}`: `nmae` is no field of `a.b.M`; did you mean `name`?",
            "`a.b.S/B`, its rule `/c/{many.name}`: `many` has no fields that could be named.",
            "`a.b.S/C`, its rule `/d`: `a.b.M` has no field `boby`",
            "`a.b.S/D`, its rule `no/slash`: a path begins with `/`",
        ] {
            assert!(problems.contains(told), "{problems}");
        }
        assert_eq!(contract.methods().count(), 4);
        assert_eq!(contract.ruled(&HttpMethod::GET, "/b/x").unwrap().0.name, "a.b.S/A");
        assert!(contract.ruled(&HttpMethod::GET, "/a/x").is_none());
    }

    #[test]
    fn the_more_specific_rule_is_taken() {
        let contract = contract(
            "rpc Any(M) returns (M) { option (google.api.http) = {get: \"/v1/{name=**}\"}; }\n\
             rpc One(M) returns (M) { option (google.api.http) = {get: \"/v1/{name}\"}; }\n\
             rpc Own(M) returns (M) { option (google.api.http) = {get: \"/v1/own\"}; }\n\
             rpc All(M) returns (M) { option (google.api.http) = {custom: {kind: \"*\" path: \"/v2\"}}; }",
        );
        let name =
            |method: HttpMethod, path: &str| contract.ruled(&method, path).map(|(method, _)| method.name.clone());
        assert_eq!(name(HttpMethod::GET, "/v1/own").as_deref(), Some("a.b.S/Own"));
        assert_eq!(name(HttpMethod::HEAD, "/v1/other").as_deref(), Some("a.b.S/One"));
        assert_eq!(name(HttpMethod::GET, "/v1/a/b").as_deref(), Some("a.b.S/Any"));
        assert_eq!(name(HttpMethod::PUT, "/v2").as_deref(), Some("a.b.S/All"));
        assert_eq!(name(HttpMethod::POST, "/v1/own"), None);
    }
}
