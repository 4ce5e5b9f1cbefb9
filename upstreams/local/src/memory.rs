//! The memory of a process and its children, from /proc.

use std::fs;

/// The size of a page in /proc/PID/statm.
fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// The resident bytes of a process and all its children; 0 where the system does not tell.
pub(crate) fn resident(process: u32) -> u64 {
    let mut total = 0;
    let mut rest = vec![process];
    while let Some(process) = rest.pop() {
        total += fs::read_to_string(format!("/proc/{process}/statm")).map_or(0, |statm| pages(&statm));
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        rest.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    total * page_size()
}

fn pages(statm: &str) -> u64 {
    statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_resident() {
        assert!(resident(std::process::id()) > 100_000);
        assert_eq!(pages("7 3 2 1 0 4 0\n"), 3);
        assert_eq!(pages(""), 0);
    }
}
