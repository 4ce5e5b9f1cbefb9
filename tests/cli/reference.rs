//! docs/reference.md is what `callgate schema --markdown` prints.

use std::{collections::BTreeSet, path::Path};

use super::{callgate, ran};

fn printed() -> String {
    let done = ran(&mut callgate(&["schema", "--markdown"]));
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    done.out
}

#[test]
fn the_reference_is_what_the_program_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let differs = page
        .lines()
        .zip(printed().lines())
        .find(|(before, now)| before != now)
        .map(|(before, now)| format!("\n- {before}\n+ {now}"));
    assert!(
        page == printed(),
        "docs/reference.md is stale: write it anew with `cargo run -- schema --markdown > docs/reference.md`{}",
        differs.unwrap_or_default()
    );
}

#[test]
fn every_field_says_what_it_means_and_what_holds_without_it() {
    let printed = printed();
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 400, "the fields were found: {}", rows.len());
    for row in &rows {
        assert!(row.len() >= 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let printed = printed();
    let anchor = |title: &str| {
        let kept: String = title.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char)).collect();
        kept.to_lowercase().replace(' ', "-")
    };
    let headings = printed.lines().filter(|line| line.starts_with('#'));
    let headings: Vec<_> = headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect();
    let distinct: BTreeSet<_> = headings.iter().collect();
    assert_eq!(distinct.len(), headings.len(), "headings with the same anchor: {headings:?}");
    for target in printed.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(distinct.contains(&target.to_owned()), "{target}");
    }
}

#[test]
fn kinds_sources_and_policies_have_their_section() {
    let printed = printed();
    for section in ["### `lambda`", "### `nats`", "### Source `amqp`", "### `retry`", "### Match", "### Destinations"] {
        assert!(printed.contains(&format!("\n{section}\n")), "{section}");
    }
}
