//! Families of metrics, and Prometheus' text format (version 0.0.4) of them.

use std::fmt::{self, Write};

use super::Durations;

/// What a family's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// Families of metrics.
///
/// ```
/// use callgate_core::metrics::{Exposition, Type};
///
/// let mut metrics = Exposition::default();
/// metrics.family("callgate_reloads_total", Type::Counter, "Reloads.").value(&[("outcome", "failed")], 2);
/// assert!(metrics.to_text().ends_with("callgate_reloads_total{outcome=\"failed\"} 2\n"));
/// ```
#[derive(Debug, Default)]
pub struct Exposition(Vec<Family>);

/// Values of one name that differ by their labels.
#[derive(Debug)]
pub struct Family {
    /// The name. It tells the unit: `_seconds`, `_bytes`, and `_total` for counters.
    pub name: &'static str,
    /// What the values mean.
    pub kind: Type,
    /// What they tell, in a sentence.
    pub help: String,
    /// The values.
    pub samples: Vec<Sample>,
}

/// A value of a family.
#[derive(Debug)]
pub struct Sample {
    /// Names and values of the labels.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: Number,
}

/// The value of a sample.
#[derive(Debug)]
pub enum Number {
    /// A whole number.
    Whole(u64),
    /// Any other.
    Fraction(f64),
    /// A histogram.
    Durations(Box<Durations>),
}

impl Exposition {
    /// Begins a family.
    pub fn family(&mut self, name: &'static str, kind: Type, help: &str) -> &mut Family {
        self.0.push(Family { name, kind, help: help.to_owned(), samples: Vec::new() });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// The families that have values.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.0.iter().filter(|family| !family.samples.is_empty())
    }

    /// The text that Prometheus reads.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for family in self.families() {
            // Writing to a string does not fail.
            family.write(&mut text).unwrap_or_default();
        }
        text
    }
}

impl Family {
    /// Adds the value of a counter or a gauge.
    pub fn value(&mut self, labels: &[(&'static str, &str)], value: u64) -> &mut Self {
        self.sample(labels, Number::Whole(value))
    }

    /// Adds a value that is no whole number.
    pub fn fraction(&mut self, labels: &[(&'static str, &str)], value: f64) -> &mut Self {
        self.sample(labels, Number::Fraction(value))
    }

    /// Adds a histogram.
    pub fn durations(&mut self, labels: &[(&'static str, &str)], durations: &Durations) -> &mut Self {
        self.sample(labels, Number::Durations(Box::new(*durations)))
    }

    fn sample(&mut self, labels: &[(&'static str, &str)], value: Number) -> &mut Self {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push(Sample { labels, value });
        self
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        let kind = match self.kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let (name, help) = (self.name, self.help.replace('\\', "\\\\").replace('\n', "\\n"));
        write!(to, "# HELP {name} {help}\n# TYPE {name} {kind}\n")?;
        for Sample { labels, value } in &self.samples {
            match value {
                Number::Whole(value) => line(to, name, "", labels, None, value)?,
                Number::Fraction(value) => line(to, name, "", labels, None, value)?,
                Number::Durations(durations) => histogram(to, name, labels, durations)?,
            }
        }
        Ok(())
    }
}

type Labels = [(&'static str, String)];

fn histogram(to: &mut String, name: &str, labels: &Labels, durations: &Durations) -> fmt::Result {
    let mut sum = 0;
    let bounds = Durations::bounds().map(|bound| bound.to_string()).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(durations.buckets()) {
        sum += count;
        line(to, name, "_bucket", labels, Some(&bound), &sum)?;
    }
    line(to, name, "_sum", labels, None, &durations.sum())?;
    line(to, name, "_count", labels, None, &sum)
}

fn line(
    to: &mut String,
    name: &str,
    suffix: &str,
    labels: &Labels,
    bound: Option<&str>,
    value: &dyn fmt::Display,
) -> fmt::Result {
    write!(to, "{name}{suffix}")?;
    let mut before = '{';
    for (name, value) in labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound.map(|le| ("le", le))) {
        write!(to, "{before}{name}=\"")?;
        for char in value.chars() {
            match char {
                '\\' => to.push_str("\\\\"),
                '"' => to.push_str("\\\""),
                '\n' => to.push_str("\\n"),
                char => to.push(char),
            }
        }
        to.push('"');
        before = ',';
    }
    let end = if before == '{' { "" } else { "}" };
    writeln!(to, "{end} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_out_of_its_label() {
        let mut metrics = Exposition::default();
        metrics.family("a", Type::Gauge, "One\nline.").value(&[("route", "x\"} 1\n\\"), ("b", "")], 1).value(&[], 2);
        metrics.family("empty", Type::Gauge, "Nothing.");
        let text = "# HELP a One\\nline.\n# TYPE a gauge\na{route=\"x\\\"} 1\\n\\\\\",b=\"\"} 1\na 2\n";
        assert_eq!(metrics.to_text(), text);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let mut metrics = Exposition::default();
        metrics.family("a_seconds", Type::Histogram, "A.").durations(&[("b", "c")], &Durations::default());
        let text = metrics.to_text();
        assert!(text.contains("\na_seconds_bucket{b=\"c\",le=\"0.001\"} 0\n"), "{text}");
        assert!(text.contains("\na_seconds_bucket{b=\"c\",le=\"+Inf\"} 0\n"), "{text}");
        assert!(text.ends_with("\na_seconds_sum{b=\"c\"} 0\na_seconds_count{b=\"c\"} 0\n"), "{text}");
    }
}
