//! Reading the recipes out of the guide.

use crate::message::Printed;

/// A recipe: a configuration, what a client sends, and what comes of it.
pub(crate) struct Recipe {
    pub(crate) title: String,
    pub(crate) yaml: String,
    pub(crate) sent: Printed,
    pub(crate) expected: Printed,
}

/// The recipes in their order.
pub(crate) fn recipes() -> Vec<Recipe> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/transformations.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let (_, recipes) = guide.split_once("\n## Recipes\n").expect("the recipes");
    recipes.split("\n### ").skip(1).map(recipe).collect()
}

fn recipe(section: &str) -> Recipe {
    let title = section.lines().next().unwrap_or_default().to_owned();
    let mut blocks = section.split("\n```").skip(1).step_by(2).map(|block| {
        let (language, text) = block.split_once('\n').expect("a block");
        (language.to_owned(), text.to_owned())
    });
    let mut block = |language: &str| match blocks.next() {
        Some((found, text)) if found == language => text,
        found => panic!("{title}: {language} is expected, not {found:?}"),
    };
    let (yaml, sent, expected) = (block("yaml"), block("http"), block("http"));
    Recipe { yaml, sent: Printed::parse(&sent), expected: Printed::parse(&expected), title }
}
