//! Wrong settings, told at their places.

use callgate_testkit::peers::{GoogleTokens, present};

use http::Request;

use crate::stage::{Stage, plan};

#[test]
fn wrong_options_are_told_at_their_place() {
    let to = "  - {match: /, to: functions/f}";
    for (options, routes, place, says) in [
        ("{region: europe-west1}", to, "functions.gcf.region", "a region needs a project"),
        ("{url: shop}", to, "functions.gcf.url", "has to begin with http://"),
        ("{url: \"http://a\", credentials: key.json}", to, "functions.gcf.credentials", "{file: key.json}"),
        ("{url: \"http://a\", credentials: none, audience: x}", to, "functions.gcf.audience", "there is no token"),
        (
            "{url: \"http://a\", token_haeder: authorization}",
            to,
            "upstreams.functions.gcf",
            "did you mean `token_header`?",
        ),
        ("{url: \"http://a\", token_header: cookie}", to, "functions.gcf.token_header", "x-serverless-authorization"),
        ("{}", to, "routes[0].to", "where the function is"),
        ("{region: r, project: p}", "  - {match: /, to: functions}", "routes[0].to", "names none"),
        (
            "{url: \"http://a\"}",
            "  - {match: /, to: \"functions/{{ params.x }}\"}",
            "routes[0].to",
            "is no function's name",
        ),
        (
            "{url: \"http://a\"}",
            "  - {match: /, to: {upstream: functions, structured: true}}",
            "routes[0].to.structured",
            "the function is sent no event",
        ),
        (
            "{url: \"http://a\"}",
            "  - {match: /, to: {upstream: functions, payload: cloudevent, cloudevent: {type: \"{{ nope(\"}}}",
            "routes[0].to.cloudevent",
            "type: ",
        ),
    ] {
        let report = plan(options, routes).unwrap_err();
        assert!(report.contains(place) && report.contains(says), "{options} {routes}: {report}");
    }
}

#[test]
fn the_event_that_a_function_would_get_is_shown() {
    let route =
        |options: &str| format!("  - {{name: sign up, match: /a, to: {{upstream: functions, function: f{options}}}}}");
    let shown = |options: &str| {
        let plan = plan("{url: \"http://a\"}", &route(options)).unwrap();
        plan.explain(Request::post("/a").header("content-type", "text/plain").body("hello".into()).unwrap()).to_string()
    };
    let binary = shown(", payload: cloudevent");
    assert!(
        binary.contains("ce-type: callgate.http.request") && binary.contains("ce-source: /callgate/sign%2520up"),
        "{binary}"
    );
    let document = shown(", payload: cloudevent, structured: true, cloudevent: {type: hi}");
    assert!(document.contains(r#""type":"hi""#) && document.contains(r#""data":"hello""#), "{document}");
    assert!(!shown("").contains("sent as"), "an HTTP function gets the request as it is");
}

#[tokio::test]
async fn credentials_that_cannot_be_used_fail_the_load() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    let load = async |file: &str| {
        let options = format!("{{url: \"http://127.0.0.1:9\", credentials: {{file: \"{file}\"}}}}");
        Stage::load(&options, &["{match: /, to: functions}"]).await.err().unwrap()
    };
    let missing = load("/nowhere/key.json").await;
    assert!(missing.contains("/nowhere/key.json can't be read"), "{missing}");
    let user = load(peer.credentials("user").to_str().unwrap()).await;
    assert!(user.contains("--impersonate-service-account"), "{user}");
}

#[tokio::test]
async fn functions_that_are_down_do_not_fail_the_load() {
    let Some(peer) = present(GoogleTokens::start().await) else { return };
    peer.set_trouble(serde_json::json!({"path": "/", "status": 503})).await.unwrap();
    let file = peer.credentials("service_account");
    let options = format!("{{url: \"http://127.0.0.1:9\", credentials: {{file: \"{}\"}}}}", file.display());
    let stage = Stage::with(&options, &["{match: /, to: functions}"]).await;
    assert!(stage.ready().await.is_err());
}
