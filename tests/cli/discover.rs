//! `callgate discover`, and what discovery says when a configuration is checked and served.

use super::{callgate, configured, on, ran};

#[test]
fn an_upstream_that_is_not_there_is_a_usage_error_with_the_nearest() {
    let folder = configured("upstreams: {orders: {echo: {}}}\nroutes: []\n");
    let failed = on(folder.path(), &["discover"], &["ordres"]);
    assert_eq!(failed.code, Some(2), "{}", failed.out);
    assert!(
        failed.err.contains("no upstream `ordres`") && failed.err.contains("did you mean `orders`?"),
        "{}",
        failed.err
    );
}

#[test]
fn a_kind_that_lists_nothing_is_a_usage_error() {
    let folder = configured("upstreams: {orders: {echo: {}}}\nroutes: []\n");
    let failed = on(folder.path(), &["discover"], &["orders"]);
    assert_eq!(failed.code, Some(2), "{}", failed.out);
    assert!(failed.err.contains("`orders` is of the kind `echo`, which can't list its functions"), "{}", failed.err);
}

#[test]
fn an_invalid_configuration_is_told_as_by_check() {
    let folder = configured("upstreams: {orders: {echo: {}, discover: true}}\nroutes: []\n");
    for command in ["check", "discover"] {
        let failed = on(folder.path(), &[command], if command == "check" { &[] } else { &["orders"] });
        assert_eq!(failed.code, Some(1), "{}", failed.out);
        assert!(failed.err.contains("the kind `echo` can't list its functions"), "{}", failed.err);
        assert!(
            failed.err.contains("callgate.yaml:1:") && failed.err.contains("upstreams.orders.discover"),
            "{}",
            failed.err
        );
    }
    let usage = ran(&mut callgate(&["discover", "callgate.yaml"]));
    assert_eq!(usage.code, Some(2), "the upstream is missing");
}
