use crate::{
    assert_none,
    workspace::{members, root},
};

/// What every kind's crate has. A module may be a folder of the same name.
const PARTS: [&str; 5] = ["README.md", "src/lib.rs", "src/config.rs", "src/error.rs", "tests/conformance.rs"];

/// Kinds without a `src/shape.rs`, and why.
const SHAPELESS: [(&str, &str); 3] = [
    ("lambda", "events and replies are shaped by callgate-aws-event"),
    ("local", "events and replies are shaped by callgate-aws-event"),
    ("rest", "requests are made in src/operation, by callgate-openapi"),
];

#[test]
fn every_kind_has_the_same_shape() {
    let mut offenders = Vec::new();
    for member in members() {
        let Some(kind) = member.kind() else { continue };
        let folder = root().join(&member.folder);
        let shape = (!SHAPELESS.iter().any(|(name, _)| *name == kind)).then_some("src/shape.rs");
        for part in PARTS.into_iter().chain(shape) {
            let as_folder = folder.join(part.trim_end_matches(".rs")).join("mod.rs");
            if !folder.join(part).is_file() && !as_folder.is_file() {
                offenders.push(format!("{} has no {part}", member.folder.display()));
            }
        }
    }
    assert_none("kinds look alike, so that who knows one knows all", &offenders);
}

#[test]
fn every_kind_is_a_feature_that_is_on_by_default() {
    let members = members();
    let root = members.iter().find(|member| member.name == "callgate").unwrap();
    let lists = |feature: &str, entry: &str| {
        let entries = root.features[feature].as_array();
        entries.is_some_and(|entries| entries.iter().any(|listed| listed == entry))
    };
    let mut offenders = Vec::new();
    for kind in members.iter().filter_map(|member| member.kind()) {
        if !lists(kind, &format!("dep:callgate-{kind}")) {
            offenders.push(format!("feature {kind} of the root package does not name dep:callgate-{kind}"));
        }
        if !lists("default", kind) {
            offenders.push(format!("the default features do not name {kind}"));
        }
    }
    assert_none("a kind is one feature of the root package", &offenders);
}
