//! A reader of Prometheus' text format that takes nothing on trust.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of a scrape, by name and labels as they are written.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Reads a text; panics on what Prometheus would refuse or warn of.
    pub(crate) fn read(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut families: BTreeMap<&str, &str> = BTreeMap::new();
        let (mut helped, mut current) = (None, "");
        let mut closed = BTreeSet::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(!help.is_empty() && is_name(name), "{line}");
                helped = Some(name);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert_eq!(helped, Some(name), "a type without its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!((kind == "counter") == name.ends_with("_total"), "{name} is a {kind}");
                assert!(kind != "histogram" || name.ends_with("_seconds"), "{name} has no unit");
                assert!(families.insert(name, kind).is_none(), "{name} comes twice");
                closed.insert(std::mem::replace(&mut current, name));
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
                let name = series.split('{').next().unwrap();
                let base = if families[current] == "histogram" {
                    let suffix = ["_bucket", "_sum", "_count"].iter().find(|suffix| name.ends_with(**suffix));
                    name.strip_suffix(suffix.unwrap_or_else(|| panic!("{line}"))).unwrap()
                } else {
                    name
                };
                assert_eq!(base, current, "a sample is not among those of its family");
                check_labels(series, name);
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert!(samples.insert(series.to_owned(), value).is_none(), "{series} comes twice");
            }
        }
        let scrape = Self(samples);
        scrape.check_histograms();
        scrape
    }

    /// Buckets add up, and the last one is the count.
    fn check_histograms(&self) {
        let mut last: Option<(String, f64)> = None;
        // The order of the text is lost here, so that buckets are put in the order of their bounds.
        let mut buckets: Vec<(String, f64, f64)> = Vec::new();
        for (series, value) in &self.0 {
            let Some((before, bound)) = series.rsplit_once("le=\"") else { continue };
            let bound = bound.trim_end_matches("\"}").replace("+Inf", "inf").parse().unwrap();
            buckets.push((before.to_owned(), bound, *value));
        }
        buckets.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for (before, bound, value) in buckets {
            if let Some((name, former)) = &last
                && *name == before
            {
                assert!(value >= *former, "{before} falls at {bound}");
            }
            if bound.is_infinite() {
                let labels = before.trim_end_matches([',', '{']);
                let count = labels.replacen("_bucket", "_count", 1);
                let count = if count.contains('{') { format!("{count}}}") } else { count };
                assert_eq!(self.0.get(&count), Some(&value), "{count}");
            }
            last = Some((before, value));
        }
    }

    /// The value of a series as it is written.
    pub(crate) fn value(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("{series} is not in\n{:#?}", self.0.keys()))
    }

    /// Whether there is a series.
    pub(crate) fn has(&self, series: &str) -> bool {
        self.0.contains_key(series)
    }
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn check_labels(series: &str, name: &str) {
    assert!(is_name(name), "{series}");
    let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) else { return };
    let mut rest = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).unwrap();
    let mut names = BTreeSet::new();
    while !rest.is_empty() {
        let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{series}"));
        assert!(is_name(label) && names.insert(label), "{series}");
        let mut escaped = false;
        let end = value.find(|char| {
            let ends = char == '"' && !escaped;
            assert!(!escaped || ['\\', '"', 'n'].contains(&char), "{series}");
            escaped = char == '\\' && !escaped;
            ends
        });
        rest = &value[end.unwrap_or_else(|| panic!("{series}")) + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}
