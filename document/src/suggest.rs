//! "Did you mean": the known name that is nearest to a mistyped one.

/// The candidate nearest to `name`, if no more than a third of its characters were mistyped.
///
/// The distance is Damerau and Levenshtein's (insert, delete, replace, swap neighbours), blind to case and to `-` for `_`.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = folded(name);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = folded(candidate);
            let distance = distance(&name, &other);
            let limit = name.len().max(other.len()) / 3;
            (distance <= limit).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Names quoted and listed: `` `a`, `b`, `c` ``; after the first eight there is an ellipsis.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut list: Vec<String> = names.by_ref().take(8).map(|name| format!("`{name}`")).collect();
    if names.next().is_some() {
        list.push("...".to_owned());
    }
    list.join(", ")
}

fn folded(name: &str) -> Vec<char> {
    let fold = |c| if c == '-' { '_' } else { c };
    name.chars().take(64).flat_map(char::to_lowercase).map(fold).collect()
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_wins_and_a_far_one_is_not_suggested() {
        let names = ["region", "endpoint", "payload"];
        assert_eq!(nearest("regoin", names), Some("region"));
        assert_eq!(nearest("end_point", names), Some("endpoint"));
        assert_eq!(nearest("Region", names), Some("region"));
        assert_eq!(nearest("credentials", names), None);
        assert_eq!(nearest("max-body", ["max_body"]), Some("max_body"));
    }

    #[test]
    fn a_swap_of_neighbours_counts_once() {
        assert_eq!(distance(&folded("ab"), &folded("ba")), 1);
        assert_eq!(distance(&folded(""), &folded("abc")), 3);
    }
}
