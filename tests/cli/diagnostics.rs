//! What `callgate check` says of wrong documents: each file in `wrong/` with its snapshot.

use std::path::Path;

use super::{callgate, ran};

/// Checks one file of `wrong/`, from that folder.
fn checked(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/wrong");
    let failed = ran(callgate(&["check", name]).current_dir(folder));
    assert_eq!(failed.code, Some(1), "{name} is wrong: {}", failed.out);
    assert_eq!(failed.out, "", "errors go to standard error");
    failed.err
}

macro_rules! wrong {
    ($($test:ident: $file:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            insta::assert_snapshot!($file, checked($file));
        }
    )*};
}

wrong! {
    an_unknown_field_is_named_with_the_nearest: "unknown-field.yaml",
    a_wrong_type_says_what_was_expected: "wrong-type.yaml",
    an_unknown_upstream_is_named_with_the_nearest: "unknown-upstream.yaml",
    an_unknown_kind_is_named_with_the_nearest: "unknown-kind.yaml",
    a_duplicate_name_names_both_places: "duplicate-name.yaml",
    a_repeated_route_name_names_both_places: "duplicate-route-name.yaml",
    a_bad_template_names_its_place: "bad-template.yaml",
    a_bad_regex_is_explained: "bad-regex.yaml",
    a_missing_secret_is_named: "missing-secret.yaml",
    an_unreachable_include_is_named: "unreachable-include.yaml",
    a_bad_path_is_explained: "bad-path.yaml",
    no_yaml_at_all_is_explained: "no-yaml.yaml",
    a_route_that_does_nothing_is_told: "route-does-nothing.yaml",
    two_kinds_are_one_too_many: "two-kinds.yaml",
    everything_is_told_at_once: "many-at-once.yaml",
    targets_are_checked_by_their_kind: "targets.yaml",
    discovery_is_checked_at_its_place: "discover.yaml",
    addresses_that_clash_name_both_places: "listeners.yaml",
    tls_files_are_told_at_their_fields: "tls-files.yaml",
    an_empty_file_is_no_configuration: "empty.yaml",
    settings_without_an_effect_are_refused: "no-effect.yaml",
    an_unconfined_template_is_refused: "unconfined.yaml",
    triggers_are_checked_with_all_that_they_name: "triggers.yaml",
}

/// As it would be written without the reference, each of these is a broken template.
#[test]
fn what_a_reference_gives_is_text_wherever_a_template_may_stand() {
    let upstreams = "upstreams:
  lambda: {lambda: {region: eu-west-1}}
  azure: {azure: {url: 'https://a.example'}}
  openfaas: {openfaas: {url: 'https://a.example'}}
  nats: {nats: {servers: 'nats://a'}}";
    for (to, reference) in [
        (r#"{upstream: lambda, function: "a-GIVEN-{{ params.k }}"}"#, true),
        (r#""lambda/a-GIVEN-{{ params.k }}""#, true),
        (r#"{upstream: azure, function: a, auth_level: anonymous, route: "a/GIVEN/{{ params.k }}"}"#, true),
        (r#"{upstream: openfaas, function: "a-GIVEN-{{ params.k }}"}"#, true),
        (
            r#"{upstream: openfaas, function: a, mode: async, callback_url: "https://a.example/GIVEN/{{ params.k }}"}"#,
            true,
        ),
        (r#""nats/a.GIVEN.{{ params.k }}""#, true),
        (r#""nats/a.GIVEN.{{ params.k }}""#, false),
    ] {
        let given = if reference { "${CALLGATE_NO_SUCH_VARIABLE:-{%}" } else { "{%" };
        let to = to.replace("GIVEN", given);
        let folder = super::configured(&format!("{upstreams}\nroutes: [{{match: '/{{k}}', to: {to}}}]\n"));
        let checked = super::on(folder.path(), &["check"], &[]);
        assert_eq!(checked.code, Some(if reference { 0 } else { 1 }), "{to}: {}", checked.err);
    }
}

#[test]
fn a_configuration_without_routes_is_a_warning() {
    let folder = super::configured("upstreams: {orders: {echo: {}}}\nroutes: []\n");
    let checked = super::on(folder.path(), &["check"], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    assert!(checked.out.contains("there is no route") && checked.out.contains("callgate.yaml:2:9"), "{}", checked.out);
}

#[test]
fn a_route_that_is_never_reached_is_a_warning() {
    let folder = super::configured(
        "routes:\n  - {match: \"GET /a/{x}\", respond: {status: 200}}\n  - {match: \"GET /a/{y}\", respond: {status: 201}}\n",
    );
    let checked = super::on(folder.path(), &["check"], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
    insta::assert_snapshot!("hidden-route", checked.out);
}
