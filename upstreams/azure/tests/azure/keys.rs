//! Which key opens which function, and that none comes from a client.

use callgate_core::Body;
use callgate_testkit::peers::{AzureHost, present};
use http::Request;

use crate::bed::{Answer, Bed, plan};

/// One upstream `fns` of the host with these credentials, one route `/NAME` to each function and level.
async fn bed(host: &AzureHost, credentials: &str, routes: &[(&str, &str)]) -> Bed {
    let mut yaml =
        format!("upstreams:\n  fns: {{azure: {{url: \"{}\", credentials: {credentials}}}}}\nroutes:\n", host.url);
    for (function, options) in routes {
        yaml.push_str(&format!("  - {{match: /{function}, to: {{upstream: fns, function: {function}{options}}}}}\n"));
    }
    Bed::start(&yaml).await
}

/// The key that the function saw.
#[track_caller]
fn key(answer: &Answer) -> String {
    assert!(answer.status.is_success() && answer.header("callgate-error").is_none(), "{answer:?}");
    answer.json()["headers"]["x-functions-key"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_function_takes_its_own_key_then_the_hosts_then_the_masters() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let (own, host_key, master) = (AzureHost::HELLO_KEY, AzureHost::HOST_KEY, AzureHost::MASTER_KEY);
    let all = format!("{{function_keys: {{hello: \"{own}\"}}, host_key: \"{host_key}\", master_key: \"{master}\"}}");
    let bed = bed(&host, &all, &[("hello", ""), ("items", ", route: orders/1/items")]).await;
    let answer = bed.get("/hello").await;
    assert_eq!((key(&answer).as_str(), answer.header("x-fn")), (own, Some("hello")));
    assert_eq!(key(&bed.get("/items").await), host_key);
    let without_host_key = format!("{{function_keys: {{HELLO: \"{own}\"}}, master_key: \"{master}\"}}");
    let bed = self::bed(&host, &without_host_key, &[("hello", ""), ("items", ", route: orders/1/items")]).await;
    assert_eq!(key(&bed.get("/hello").await), own);
    assert_eq!(key(&bed.get("/items").await), master);
}

#[tokio::test]
async fn admin_takes_the_master_key_and_anonymous_takes_none() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let keys = format!("{{host_key: \"{}\", master_key: \"{}\"}}", AzureHost::HOST_KEY, AzureHost::MASTER_KEY);
    let bed = bed(&host, &keys, &[("adm", ", auth_level: admin"), ("open", ", auth_level: anonymous")]).await;
    let answer = bed.get("/adm").await;
    answer.is_reply(200);
    assert_eq!(answer.body, "adm");
    assert_eq!(key(&bed.get("/open").await), "none");
}

#[tokio::test]
async fn a_client_never_supplies_a_key() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let own = format!("{{function_keys: {{hello: \"{}\"}}}}", AzureHost::HELLO_KEY);
    let routes = [("hello", ""), ("adm", ", auth_level: anonymous"), ("open", ", auth_level: anonymous")];
    let bed = bed(&host, &own, &routes).await;
    let master = AzureHost::MASTER_KEY;
    for query in ["", "?code=master-key-1%3D%3D", "?Code=master-key-1==", "?%63ode=master-key-1%3d%3d&x=1"] {
        let send = |path: &str| {
            let request = Request::get(format!("{path}{query}"));
            let request = request.header("x-functions-key", master).header("x-functions-key", "another");
            bed.send(request.body(Body::empty()).unwrap())
        };
        // The host would open it for the master key; without one it refuses, which passes as it is.
        let refused = send("/adm").await;
        refused.is_reply(401);
        assert!(refused.body.is_empty(), "{refused:?}");
        assert_eq!(key(&send("/open").await), "none", "{query}");
        let called = send("/hello").await;
        assert_eq!(key(&called), AzureHost::HELLO_KEY);
        let url = called.json()["url"].as_str().unwrap().to_lowercase();
        assert!(!url.contains("code") && !url.contains("key"), "{url}");
        assert_eq!(url.contains("x=1"), query.contains("x=1"), "the rest of the query stays: {url}");
    }
}

#[tokio::test]
async fn what_the_host_refuses_passes_as_a_reply() {
    let Some(host) = present(AzureHost::start().await) else { return };
    let bed = bed(&host, "{host_key: a-wrong-one}", &[("hello", ""), ("nobody", ""), ("slow", "")]).await;
    bed.get("/hello").await.is_reply(401);
    bed.get("/nobody").await.is_reply(404);
    bed.get("/slow").await.is_reply(200);
    host.behave(serde_json::json!({"running": false})).await.unwrap();
    let answer = bed.get("/slow").await;
    answer.is_reply(503);
    assert_eq!(answer.body, "Function host is not running.");
}

#[test]
fn a_missing_key_is_told_at_its_place_without_connecting() {
    let document = |credentials: &str, functions: &str, to: &str| {
        plan(&format!(
            "upstreams:\n  fns:\n    azure: {{app: my-app, credentials: {credentials}}}\n    functions: {functions}\n\
             routes:\n  - {{match: /a, to: {to}}}\n"
        ))
        .map(drop)
    };
    let report = document("{function_keys: {hello: k}}", "{}", "fns/other").unwrap_err();
    assert!(report.contains("callgate.yaml:6:") && report.contains("routes[0].to"), "{report}");
    assert!(report.contains("`other`") && report.contains("function_keys: {other:"), "{report}");
    let report = document("{host_key: k}", "{}", "{upstream: fns, function: adm, auth_level: admin}").unwrap_err();
    assert!(report.contains("routes[0].to.auth_level") && report.contains("master_key"), "{report}");
    let report = document("{}", "{mine: {name: hello}}", "fns/mine").unwrap_err();
    assert!(report.contains("upstreams.fns.functions.mine.name"), "{report}");
    assert_eq!(document("{}", "{mine: {name: hello, auth_level: anonymous}}", "fns/mine"), Ok(()));
    assert_eq!(document("{entra: {audience: a, managed_identity: true}}", "{}", "fns/hello"), Ok(()));
    let both = "{entra: {audience: a, managed_identity: true}, function_keys: {hello: k}}";
    assert!(document(both, "{}", "fns/other").is_err(), "keys are there, so functions ask for one");
    let entra = "{entra: {audience: a, managed_identity: true}}";
    let report = document(entra, "{}", "{upstream: fns, function: hello, auth_level: function}").unwrap_err();
    assert!(report.contains("routes[0].to.auth_level"), "{report}");
}

#[test]
fn wrong_settings_are_told_at_their_place() {
    let wrong = |azure: &str, place: &str, says: &str| {
        let report = plan(&format!("upstreams: {{fns: {{azure: {azure}}}}}\nroutes: []\n")).map(drop).unwrap_err();
        assert!(report.contains(place) && report.contains(says), "{azure}: {report}");
    };
    wrong("{}", "upstreams.fns.azure", "function app is missing");
    wrong("{ap: x, url: \"https://a\"}", "upstreams.fns.azure", "did you mean `app`?");
    wrong("{app: a.example.com}", "upstreams.fns.azure.app", "url: https://host");
    wrong("{app: my-app, route_prefix: \"a/{b}\"}", "upstreams.fns.azure.route_prefix", "host.json");
    wrong("{app: my-app, credentials: {host_key: \"\"}}", "credentials.host_key", "empty");
    wrong("{app: my-app, credentials: {entra: {audience: a}}}", "credentials.entra", "who asks");
    wrong(
        "{app: my-app, credentials: {entra: {audience: a, managed_identity: {clientid: x}}}}",
        "managed_identity",
        "client_id",
    );
    wrong(
        "{app: my-app, credentials: {entra: {audience: a, managed_identity: yes please}}}",
        "managed_identity",
        "`true`",
    );
}
