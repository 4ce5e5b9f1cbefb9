//! What clients that mean harm may do to the gateway and to the others at most.

use std::time::Duration;

/// By how much half of the others' requests may be slower than without such clients: twice, and this.
const HALF_SLOWER: Duration = Duration::from_millis(5);
/// By how much the slowest percent of the others' requests may be slower than without such clients: twice, and this.
const MOST_SLOWER: Duration = Duration::from_millis(250);
/// What the gateway may hold more than at first beside what each of the clients may take, in MiB: what the others'
/// requests need, and what the allocator keeps.
const SLACK_MIB: u64 = 32;
/// What the gateway may hold in all, in MiB.
const MOST_MIB: u64 = 288;

/// The clients beside the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) title: String,
    pub(super) clients: usize,
    /// What each may cost the gateway, in KiB.
    pub(super) most_kib: u64,
}

impl Beside {
    /// The others are alone.
    pub(super) fn nobody(title: &str) -> Self {
        Self { title: title.to_owned(), clients: 0, most_kib: 0 }
    }
}

/// What the others and the gateway saw of them.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) beside: Beside,
    /// Requests of the others that failed.
    pub(super) failed: usize,
    /// The time within which half of the others' requests were answered.
    pub(super) half: Duration,
    /// The time within which 99 of 100 were.
    pub(super) most: Duration,
    /// The gateway's memory.
    pub(super) mib: u64,
}

/// Every bound that was broken, told. What the others' requests take without such clients is the worse of before and after:
/// the machine may have become slower meanwhile.
pub(super) fn broken(before: &Seen, seen: &[Seen], after: &Seen) -> Vec<String> {
    let (half, most) = (before.half.max(after.half), before.most.max(after.most));
    let mut broken = Vec::new();
    for Seen { beside, failed, .. } in [before].into_iter().chain(seen).chain([after]) {
        if *failed > 0 {
            broken.push(format!("beside {}: {failed} requests of others failed, and none may", beside.title));
        }
    }
    for seen in seen {
        let title = &seen.beside.title;
        for (what, took, alone, slower) in
            [("half", seen.half, half, HALF_SLOWER), ("99 of 100", seen.most, most, MOST_SLOWER)]
        {
            let bound = alone * 2 + slower;
            if took > bound {
                broken.push(format!(
                    "beside {title}: {what} of the others' requests took up to {took:.1?} where they took {alone:.1?} alone, and at most \
                     {bound:.1?} are allowed"
                ));
            }
        }
        let (clients, grown) = (seen.beside.clients as u64, seen.mib.saturating_sub(before.mib));
        let each = seen.beside.most_kib;
        if grown * 1024 > clients * each + SLACK_MIB * 1024 {
            broken.push(format!(
                "beside {title}: the gateway holds {grown} MiB more, which is {} KiB for each, and at most {each} KiB each and {SLACK_MIB} MiB \
                 are allowed",
                grown * 1024 / clients.max(1)
            ));
        }
    }
    for Seen { beside, mib, .. } in seen.iter().chain([after]) {
        if *mib > MOST_MIB {
            broken.push(format!(
                "beside {}: the gateway holds {mib} MiB, and at most {MOST_MIB} MiB are allowed",
                beside.title
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(clients: usize, failed: usize, [half, most]: [u64; 2], mib: u64) -> Seen {
        let beside = Beside { title: format!("{clients} idle"), clients, most_kib: 32 };
        let [half, most] = [half, most].map(Duration::from_millis);
        Seen { beside, failed, half, most, mib }
    }

    #[test]
    fn each_bound_is_told_when_it_is_broken() {
        let (before, after) = (seen(0, 0, [1, 10], 24), seen(0, 0, [2, 5], 200));
        let told = |one: Seen| broken(&before, &[one], &after);
        assert_eq!(told(seen(8_000, 0, [9, 270], 288)), [""; 0]);
        for (one, words) in [
            (seen(10, 3, [1, 1], 24), "beside 10 idle: 3 requests of others failed"),
            (seen(10, 0, [10, 10], 24), "half of the others' requests took up to 10.0ms where they took 2.0ms alone"),
            (seen(10, 0, [2, 271], 24), "99 of 100 of the others' requests took up to 271.0ms"),
            (seen(5_000, 0, [2, 10], 250), "the gateway holds 226 MiB more, which is 46 KiB for each"),
            (seen(20_000, 0, [2, 10], 289), "the gateway holds 289 MiB, and at most 288 MiB are allowed"),
        ] {
            let told = told(one);
            assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        }
        let failed = seen(0, 1, [2, 5], 200);
        assert_eq!(broken(&before, &[], &failed), ["beside 0 idle: 1 requests of others failed, and none may"]);
    }
}
