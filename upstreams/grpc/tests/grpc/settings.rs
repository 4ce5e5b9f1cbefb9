//! What is told at load.

use callgate_testkit::peers::{GrpcOptions, GrpcReflection, GrpcService, present};

use crate::stage::{Stage, plan};

fn refused(options: &str, to: &str) -> String {
    plan(options, &format!("  - {{match: /a, to: {to}}}\n")).map(drop).unwrap_err()
}

fn described() -> String {
    format!("url: \"http://127.0.0.1:1\", descriptors: \"{}\"", GrpcService::source().display())
}

#[test]
fn a_method_that_is_not_there_is_told_with_what_is_meant() {
    let report = refused(&described(), "shop/shop.v1.Shop/Gret");
    assert!(report.contains("there is no method `shop.v1.Shop/Gret`"), "{report}");
    assert!(report.contains("did you mean `shop.v1.Shop/Greet`?"), "{report}");
    let report = refused(&described(), "shop/Shop/Greet");
    assert!(report.contains("did you mean `shop.v1.Shop/Greet`?"), "{report}");
    let report = refused(&described(), "{upstream: shop, method: Greet}");
    assert!(report.contains("`Greet` is no method") && report.contains("package.Service/Method"), "{report}");
}

#[test]
fn a_stream_of_requests_is_no_json() {
    for method in ["Sum", "Chat"] {
        let report = refused(&described(), &format!("shop/shop.v1.Shop/{method}"));
        assert!(report.contains("takes a stream of messages, which JSON can't be"), "{report}");
        assert!(report.contains("add `json: false`"), "{report}");
    }
    let routes = "  - {match: /a, to: {upstream: shop, method: shop.v1.Shop/Chat, json: false}}\n";
    assert!(plan(&described(), routes).is_ok());
}

#[test]
fn a_file_that_can_not_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("url: \"http://127.0.0.1:1\", descriptors: \"{}\"", path.display())
    };
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.proto")).unwrap();
    for (options, told) in [
        (file("broken.proto", "syntax = \"proto3\"; message A { strin a = 1; }"), "strin"),
        (file("import.proto", "syntax = \"proto3\"; import \"none/such.proto\";"), "none/such.proto"),
        (file("empty.proto", "syntax = \"proto3\"; message A {}"), "no services"),
        (file("text.pb", "not a descriptor set"), "no set of descriptors"),
        (file("endless.proto", "syntax = \"proto3\"; import \"zero.proto\";"), "is no regular file"),
        ("url: \"http://127.0.0.1:1\", descriptors: \"/dev/zero\"".to_owned(), "it is no regular file"),
        ("url: \"http://127.0.0.1:1\", descriptors: \"nowhere.pb\"".to_owned(), "No such file"),
        ("url: \"http://127.0.0.1:1\", descriptors: \"nowhere.proto\"".to_owned(), "nowhere.proto"),
    ] {
        let report = refused(&options, "shop");
        assert!(report.contains(told) && report.contains("descriptors"), "{report}");
    }
}

#[test]
fn without_descriptors_nothing_is_made_of_json() {
    let report = refused("url: \"http://127.0.0.1:1\"", "{upstream: shop, method: a.B/C, message: {a: 1}}");
    assert!(report.contains("without descriptors no message can be made of JSON"), "{report}");
}

#[tokio::test]
async fn a_service_without_reflection_fails_the_load() {
    let options = GrpcOptions { reflection: GrpcReflection::None, ..GrpcOptions::default() };
    let Some(peer) = present(GrpcService::with(options).await) else { return };
    let plan = plan(&format!("url: \"{}\", reflection: true", peer.url()), "  - {match: /a, to: shop/a.B/C}\n");
    let error = Stage::try_of(plan.unwrap()).await.map(drop).unwrap_err();
    assert!(error.contains("does not describe itself") && error.contains("descriptors: FILE"), "{error}");
}
