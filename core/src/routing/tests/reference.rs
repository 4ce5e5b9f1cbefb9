//! A linear search over plain texts that shares no code with the table's index.

use std::{cmp::Reverse, collections::HashMap, sync::LazyLock};

use super::*;

/// The expressions of the random tables.
pub(super) const SOURCES: [&str; 7] =
    ["~/a.*", "~/[ab]/(?<g>[^/]*)", "~/.*b", "~/(?<one>a)?(/(?<two>.+))?", "~.*", "~/b", "~/a/a"];

static REGEXES: LazyLock<HashMap<&str, (regex::Regex, PathRegex)>> = LazyLock::new(|| {
    let compile = |source: &str| regex::Regex::new(&format!("^(?:{})$", &source[1..])).unwrap();
    SOURCES.into_iter().map(|source| (source, (compile(source), PathRegex::parse(&source[1..]).unwrap()))).collect()
});

/// A rule in plain texts.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) host: Option<&'static str>,
    pub(super) path: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) headers: Vec<(&'static str, ValueTest)>,
    pub(super) query: Vec<(&'static str, ValueTest)>,
}

/// What the linear search answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Route(usize, Vec<(String, String)>),
    NotAllowed(Vec<&'static str>),
    Malformed,
    Nothing,
}

impl Spec {
    pub(super) fn rule(&self, order: usize) -> Rule<usize> {
        let path = match REGEXES.get(self.path.as_str()) {
            Some((_, regex)) => regex.clone().into(),
            None => PathPattern::parse(&self.path).unwrap().into(),
        };
        let matcher = Match {
            path,
            methods: Methods::parse(self.methods.iter().copied()).unwrap(),
            headers: self
                .headers
                .iter()
                .map(|(name, test)| HeaderCondition::new(name, test.clone()).unwrap())
                .collect(),
            query: self.query.iter().map(|(name, test)| QueryCondition::new(*name, test.clone())).collect(),
        };
        Rule { host: self.host.map(|host| host.parse().unwrap()), matcher, order, value: order }
    }

    /// The raw captures, if the path matches.
    fn path_matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        if self.path.starts_with('~') {
            let (regex, _) = &REGEXES[self.path.as_str()];
            let groups = regex.captures(path)?;
            let named = regex
                .capture_names()
                .flatten()
                .filter_map(|name| Some((name.to_owned(), groups.name(name)?.as_str().to_owned())));
            return Some(named.collect());
        }
        let pattern: Vec<&str> = self.path[1..].split('/').collect();
        let segments: Vec<&str> = path[1..].split('/').collect();
        let mut captures = Vec::new();
        for (index, part) in pattern.iter().enumerate() {
            if let Some(name) = part.strip_prefix("{*") {
                captures
                    .push((name.trim_end_matches('}').to_owned(), segments.get(index..).unwrap_or_default().join("/")));
                return Some(captures);
            }
            let segment = segments.get(index)?;
            match part.strip_prefix('{') {
                Some(_) if segment.is_empty() => return None,
                Some(name) => captures.push((name.trim_end_matches('}').to_owned(), (*segment).to_owned())),
                None if part == segment => {}
                None => return None,
            }
        }
        (pattern.len() == segments.len()).then_some(captures)
    }

    /// Class, and what compares within it.
    fn path_rank(&self) -> (u8, Reverse<usize>, Vec<bool>) {
        let captures: Vec<bool> = self.path.split('/').map(|part| part.starts_with('{')).collect();
        if self.path.starts_with('~') {
            (2, Reverse(0), vec![])
        } else if self.path.contains("{*") {
            (3, Reverse(captures.len()), captures)
        } else {
            (u8::from(captures.contains(&true)), Reverse(0), captures)
        }
    }

    fn allows(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&method) || (method == "HEAD" && self.methods.contains(&"GET"))
    }

    fn conditions_hold(&self, request: &Request) -> bool {
        let headers = self.headers.iter().all(|(name, test)| {
            passes(
                test,
                &request.headers.get_all(*name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>(),
            )
        });
        let pairs = || request.query.as_deref().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        headers
            && self.query.iter().all(|(name, test)| {
                passes(test, &pairs().filter(|(key, _)| key == name).map(|(_, value)| value).collect::<Vec<_>>())
            })
    }

    fn method_rank(&self, method: &str) -> u8 {
        match (method, self.methods.is_empty()) {
            ("HEAD", false) if self.methods.contains(&"HEAD") => 0,
            (_, false) => 1,
            (_, true) => 2,
        }
    }
}

fn passes(test: &ValueTest, values: &[&str]) -> bool {
    match test {
        ValueTest::Equals(text) => values.contains(&&**text),
        ValueTest::Present => !values.is_empty(),
        ValueTest::Absent => values.is_empty(),
        ValueTest::Regex(regex) => values.iter().any(|value| regex.is_match(value)),
    }
}

/// The host of the table that a request belongs to.
fn choose_host(specs: &[Spec], host: Option<&str>) -> Option<&'static str> {
    let rank = |pattern: &str| match pattern.strip_prefix("*.") {
        _ if pattern == "*" => Some((2, Reverse(0))),
        Some(suffix) => host.filter(|host| host.ends_with(&format!(".{suffix}"))).map(|_| (1, Reverse(suffix.len()))),
        None => (host == Some(pattern)).then_some((0, Reverse(0))),
    };
    let mut ranked: Vec<_> =
        specs.iter().filter_map(|spec| spec.host).filter_map(|host| Some((rank(host)?, host))).collect();
    ranked.sort();
    ranked.first().map(|(_, host)| *host)
}

/// The rules whose host and path match, in precedence order.
pub(super) fn candidates(specs: &[Spec], request: &Request) -> Vec<usize> {
    let host = choose_host(specs, request.host.as_deref());
    let method = request.method.as_str();
    let mut found: Vec<_> = (0..specs.len())
        .filter(|&index| specs[index].host.is_none() || specs[index].host == host)
        .filter(|&index| specs[index].path_matches(&request.path).is_some())
        .collect();
    found.sort_by_key(|&index| {
        let spec = &specs[index];
        let conditions = Reverse(spec.headers.len() + spec.query.len());
        (spec.host.is_none(), spec.path_rank(), spec.method_rank(method), conditions, index)
    });
    found
}

pub(super) fn search(specs: &[Spec], request: &Request) -> Answer {
    let method = request.method.as_str();
    let full: Vec<_> =
        candidates(specs, request).into_iter().filter(|&index| specs[index].conditions_hold(request)).collect();
    let Some(&index) = full.iter().find(|&&index| specs[index].allows(method)) else {
        let named: Vec<_> = full.iter().flat_map(|&index| specs[index].methods.iter().copied()).collect();
        let allow: Vec<_> = ["GET", "HEAD", "POST", "PURGE"]
            .into_iter()
            .filter(|&one| named.contains(&one) || (one == "HEAD" && named.contains(&"GET")))
            .collect();
        return if allow.is_empty() { Answer::Nothing } else { Answer::NotAllowed(allow) };
    };
    let captures = specs[index].path_matches(&request.path).unwrap().into_iter().map(|(name, raw)| {
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(&raw).collect();
        String::from_utf8(bytes).ok().map(|value| (name, value))
    });
    captures.collect::<Option<_>>().map_or(Answer::Malformed, |captures| Answer::Route(index, captures))
}
