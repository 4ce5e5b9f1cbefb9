use crate::{
    assert_none,
    workspace::{Member, members, root},
};

/// What a crate may name of the workspace's crates, and what it must never name of others.
struct Rule {
    ours: &'static [&'static str],
    /// Names; one that ends with `*` stands for all that begin so.
    never: &'static [&'static str],
}

const RUNTIMES: &[&str] = &["tokio*", "tower*", "hyper*", "axum*", "reqwest", "aws-*", "futures*"];

fn rule(member: &Member) -> Option<Rule> {
    if member.kind().is_some() {
        let ours = &[
            "callgate-core",
            "callgate-transform",
            "callgate-http",
            "callgate-aws-event",
            "callgate-openapi",
            "callgate-message",
            "callgate-wsdl",
        ];
        return Some(Rule { ours, never: &["axum*", "metrics*", "reqwest", "clap", "tracing-subscriber"] });
    }
    let rule = match member.name.as_str() {
        "callgate-transform" => Rule { ours: &[], never: RUNTIMES },
        "callgate-document" => Rule { ours: &["callgate-transform"], never: RUNTIMES },
        "callgate-core" => Rule {
            ours: &["callgate-document", "callgate-transform"],
            never: &[
                "axum*",
                "hyper*",
                "reqwest",
                "aws-*",
                "async-nats",
                "lapin",
                "redis",
                "tonic",
                "clap",
                "tracing-subscriber",
            ],
        },
        "callgate-http" => {
            Rule { ours: &["callgate-core"], never: &["axum*", "metrics*", "reqwest", "aws-sdk-*", "clap"] }
        }
        "callgate-aws-event" => {
            Rule { ours: &["callgate-core"], never: &["tokio*", "tower*", "hyper*", "axum*", "reqwest", "aws-sdk-*"] }
        }
        "callgate-message" => Rule { ours: &["callgate-core", "callgate-transform"], never: RUNTIMES },
        // They are fuzzed, and built for it anew: what the core needs would take most of that time.
        "callgate-openapi" => Rule { ours: &["callgate-document"], never: RUNTIMES },
        "callgate-wsdl" => Rule { ours: &["callgate-document", "callgate-transform"], never: RUNTIMES },
        "callgate-testkit" => Rule { ours: &["callgate-core"], never: &["axum*", "reqwest", "aws-*"] },
        _ => return None,
    };
    Some(rule)
}

fn matches(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}

#[test]
fn crates_name_only_what_they_may() {
    let mut offenders = Vec::new();
    for member in members() {
        let Some(rule) = rule(&member) else { continue };
        for dependency in &member.dependencies {
            let foreign = dependency.starts_with("callgate") && !rule.ours.contains(&dependency.as_str());
            if foreign || rule.never.iter().any(|pattern| matches(dependency, pattern)) {
                offenders.push(format!("{} must not depend on {dependency}", member.name));
            }
        }
    }
    assert_none("a crate names what it may not; see \"who may import what\" in docs/ARCHITECTURE.md", &offenders);
}

#[test]
fn the_testkit_knows_no_kind_even_in_its_tests() {
    let members = members();
    let kinds: Vec<_> = members.iter().filter(|member| member.kind().is_some()).map(|kind| &kind.name).collect();
    let testkit = members.iter().find(|member| member.name == "callgate-testkit").unwrap();
    let named = testkit.dependencies.iter().chain(&testkit.dev_dependencies);
    let offenders: Vec<_> = named.filter(|name| kinds.contains(name)).cloned().collect();
    assert_none("third parties use the testkit, so it depends on no kind", &offenders);
}

#[test]
fn kinds_know_no_other_kind_even_in_their_tests() {
    let members = members();
    let mut offenders = Vec::new();
    for kind in members.iter().filter(|member| member.kind().is_some()) {
        for name in kind.dependencies.iter().chain(&kind.dev_dependencies) {
            if members.iter().any(|other| other.kind().is_some() && other.name == *name) {
                offenders.push(format!("{} depends on {name}", kind.name));
            }
        }
    }
    assert_none("kinds are leaves", &offenders);
}

#[test]
fn only_the_root_has_a_server_framework_a_command_line_and_a_log_writer() {
    const OF_THE_ROOT: [&str; 3] = ["axum", "clap", "tracing-subscriber"];
    let mut offenders = Vec::new();
    for member in members().iter().filter(|member| member.name != "callgate") {
        let named = member.dependencies.iter().filter(|name| OF_THE_ROOT.contains(&name.as_str()));
        offenders.extend(named.map(|name| format!("{} depends on {name}", member.name)));
    }
    assert_none("these belong to the root package", &offenders);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let without: Vec<_> = members()
        .into_iter()
        .filter(|member| {
            let manifest = std::fs::read_to_string(root().join(&member.folder).join("Cargo.toml")).unwrap();
            let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]");
            lines.nth(1) != Some("workspace = true")
        })
        .map(|member| member.name)
        .collect();
    assert_none("add `[lints]` with `workspace = true` to the Cargo.toml of", &without);
}

#[test]
fn the_patterns_of_the_rules_match_what_they_say() {
    assert!(matches("tokio-util", "tokio*") && matches("tokio", "tokio*") && matches("clap", "clap"));
    assert!(!matches("clap_builder", "clap") && !matches("aws-lc-rs", "aws-sdk-*"));
}
