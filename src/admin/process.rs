//! The process as the system sees it, under the names that Prometheus' own libraries give it.

use std::{fs, io};

use callgate_core::metrics::{Exposition, Type};

/// The unit of times in `/proc` as programs see it, whatever the kernel's own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc` says of this process; empty on a system without it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Process {
    cpu_seconds: Option<f64>,
    started: Option<f64>,
    resident: Option<u64>,
    virtual_memory: Option<u64>,
    threads: Option<u64>,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
}

impl Process {
    /// Reads `/proc`, which takes some microseconds.
    pub(super) fn read() -> Self {
        let text = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let open_fds = || io::Result::Ok(fs::read_dir("/proc/self/fd")?.count() as u64);
        // The folder is open too while it is read.
        let open_fds = open_fds().ok().map(|count| count.saturating_sub(1));
        Self { open_fds, ..Self::of(&text("self/stat"), &text("self/status"), &text("self/limits"), &text("stat")) }
    }

    fn of(stat: &str, status: &str, limits: &str, system: &str) -> Self {
        // What stands before is the program's name, which may hold anything.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok().map(|ticks| ticks / TICKS_PER_SECOND);
        let booted = word(system, "btime").and_then(|seconds| seconds.parse::<f64>().ok());
        let kibibytes = |name: &str| Some(word(status, name)?.parse::<u64>().ok()? * 1024);
        let max_fds = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        Self {
            cpu_seconds: ticks(14).zip(ticks(15)).map(|(user, system)| user + system),
            started: booted.zip(ticks(22)).map(|(booted, after)| booted + after),
            resident: kibibytes("VmRSS:"),
            virtual_memory: kibibytes("VmSize:"),
            threads: word(status, "Threads:").and_then(|threads| threads.parse().ok()),
            open_fds: None,
            max_fds: max_fds.and_then(|limits| limits.split_whitespace().next()?.parse().ok()),
        }
    }

    pub(super) fn expose(&self, to: &mut Exposition) {
        let fractions = [
            ("process_cpu_seconds_total", Type::Counter, "User and system CPU time.", self.cpu_seconds),
            ("process_start_time_seconds", Type::Gauge, "When the process started, since the epoch.", self.started),
        ];
        for (name, kind, help, value) in fractions {
            if let Some(value) = value {
                to.family(name, kind, help).fraction(&[], value);
            }
        }
        let numbers = [
            ("process_resident_memory_bytes", "Memory that is resident.", self.resident),
            ("process_virtual_memory_bytes", "Memory that is mapped.", self.virtual_memory),
            ("process_threads", "Threads.", self.threads),
            ("process_open_fds", "File descriptors that are open.", self.open_fds),
            ("process_max_fds", "The most file descriptors that may be open.", self.max_fds),
        ];
        for (name, help, value) in numbers {
            if let Some(value) = value {
                to.family(name, Type::Gauge, help).value(&[], value);
            }
        }
    }
}

/// What stands behind a word at the beginning of a line.
fn word<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_parenthesis_shifts_no_field() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 1000 1 1 1";
        let status = "Name:\tx\nVmSize:\t    20 kB\nVmRSS:\t     8 kB\nThreads:\t4\n";
        let limits =
            "Limit Soft Hard Units\nMax open files            1024                 4096                 files\n";
        let process = Process::of(stat, status, limits, "cpu 1 2\nbtime 500\n");
        assert_eq!((process.cpu_seconds, process.started), (Some(3.0), Some(510.0)));
        assert_eq!((process.resident, process.virtual_memory), (Some(8192), Some(20480)));
        assert_eq!((process.threads, process.max_fds), (Some(4), Some(1024)));
    }

    #[test]
    fn a_system_without_proc_tells_nothing() {
        assert_eq!(Process::of("", "", "", ""), Process::default());
    }
}
