//! Settings: wrong ones, credentials, descriptions that come later, and services without one.

use callgate_testkit::peers::{SoapService, present, until};
use serde_json::json;

use crate::stage::{LONG, Raw, Stage, corpus, plan};

#[test]
fn wrong_settings_are_told_at_their_place() {
    let shop = format!("wsdl: \"{}\", url: \"http://shop/\"", corpus("spyne/shop11.wsdl"));
    let route = |to: &str| format!("  - {{match: /a, to: {to}}}\n");
    for (options, routes, place, says) in [
        (&*shop, route("shop/say_helo"), "routes[0].to", "did you mean `say_hello`?"),
        (&shop, route("shop/Ship.Shop.say_hello"), "routes[0].to", "the WSDL has no operation"),
        (&shop, route("{upstream: shop, operation: total, port: Ship}"), "routes[0].to", "is not at the port `Ship`"),
        (
            &shop,
            route("{upstream: shop, operation: total, xml: <a/>}"),
            "routes[0].to.xml",
            "the WSDL says this already",
        ),
        (&shop, route("{upstream: shop, operation: total, header: {a: b}}"), "routes[0].to.header", "binds no header"),
        (&shop, route("{upstream: shop, operation: total, input: {item: \"{{ oops(\"}}"), "routes[0].to.input", "oops"),
        ("url: \"http://shop/\"", route("shop/total"), "routes[0].to", "without a WSDL nothing says what is sent"),
        ("wsdl: absent.wsdl", String::new(), "upstreams.shop.soap.wsdl", "the WSDL `absent.wsdl` cannot be used"),
        ("wsld: absent.wsdl", String::new(), "upstreams.shop.soap", "did you mean `wsdl`?"),
        ("{}", String::new(), "upstreams.shop", ""),
    ] {
        let report = plan(options, &routes).unwrap_err();
        assert!(report.contains(place) && report.contains(says), "{options} {routes}: {report}");
    }
    assert!(plan(&shop, &route("shop/total")).is_ok());
}

#[tokio::test]
async fn basic_credentials_are_sent_and_a_clients_own_are_not() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let (user, password) = (SoapService::USER, SoapService::PASSWORD);
    let url = peer.url11().replace("soap11", "basic11");
    let routes = "  - {match: /a, to: shop/whoami}\n";
    for (credentials, expected) in [(password, (200, "none")), ("wrong", (502, "upstream_denied"))] {
        let options = format!(
            "wsdl: \"{}\", url: \"{url}\", credentials: {{basic: {{user: {user}, password: {credentials}}}}}",
            corpus("spyne/shop11.wsdl")
        );
        let stage = Stage::new(&options, routes).await;
        let request = http::Request::post("/a").header("authorization", "Basic bWluZTptaW5l");
        let answer = stage.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.failure(), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_username_token_stands_in_the_header() {
    let Some(peer) = present(SoapService::start().await) else { return };
    let routes = "  - {match: /a, to: shop/whoami}\n";
    for (digest, kind) in [(false, "#PasswordText\">s&amp;cret<"), (true, "#PasswordDigest\">")] {
        let options = format!(
            "wsdl: \"{}\", url: \"{}\", credentials: {{username_token: {{user: clerk, password: 's&cret', digest: {digest}}}}}",
            corpus("spyne/shop11.wsdl"),
            peer.url11()
        );
        let stage = Stage::new(&options, routes).await;
        assert_eq!(stage.post("/a", &json!({})).await.status, 200);
        let sent = peer.last().unwrap();
        assert!(sent.contains("<wsse:Username>clerk</wsse:Username>") && sent.contains(kind), "{sent}");
    }
}

#[tokio::test]
async fn a_wsdl_that_is_not_there_yet_is_awaited() {
    let Some(mut peer) = present(SoapService::start().await) else { return };
    peer.kill();
    let options = format!("wsdl: \"{}?wsdl\"", peer.url11());
    let stage = Stage::new(&options, "  - {match: /a, to: shop/whoami}\n  - {match: /b, to: shop/whomai}\n").await;
    let answer = stage.post("/a", &json!({})).await;
    assert_eq!(answer.failure(), (503, "upstream_unavailable"), "{answer:?}");
    assert!(stage.snapshot().ready().await["shop"].is_err());
    peer.restart().await.unwrap();
    assert!(until(LONG, async || stage.post("/a", &json!({})).await.status == 200).await);
    assert_eq!(stage.post("/b", &json!({})).await.failure(), (502, "upstream_denied"), "it is not in the WSDL");
}

#[tokio::test]
async fn a_wsdl_that_was_fetched_leads_to_no_file_and_to_no_other_host() {
    let other =
        Raw::saying("200 OK", "text/xml", "<schema xmlns='http://www.w3.org/2001/XMLSchema'/>".to_owned()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.xsd");
    // Who reads it goes on to the other host.
    let leads =
        format!("<schema xmlns='http://www.w3.org/2001/XMLSchema'><import schemaLocation='{}'/></schema>", other.url());
    std::fs::write(&file, leads).unwrap();
    let imports: String = [format!("file://{}", file.display()), other.url(), "b.xsd".to_owned()]
        .map(|location| format!("<wsdl:import namespace='urn:a' location='{location}'/>"))
        .concat();
    let whole = std::fs::read_to_string(corpus("spyne/shop11.wsdl")).unwrap();
    assert!(whole.contains("<wsdl:types>"));
    let whole = whole.replacen("<wsdl:types>", &format!("{imports}<wsdl:types>"), 1);
    let raw = Raw::saying("200 OK", "text/xml", whole.clone()).await;
    let routes = "  - {match: /a, to: shop/whoami}\n";
    Stage::new(&format!("wsdl: \"{0}?wsdl\", url: \"{0}\"", raw.url()), routes).await;
    assert_eq!((raw.calls(), other.calls()), (2, 0));
    // One that somebody has put there may.
    let local = folder.path().join("a.wsdl");
    std::fs::write(&local, whole).unwrap();
    Stage::new(&format!("wsdl: \"{}\", url: \"{}\"", local.display(), raw.url()), routes).await;
    assert_eq!(other.calls(), 1);
}

#[tokio::test]
async fn a_wsdl_that_came_late_and_lacks_an_operation_is_fetched_again() {
    let whole = std::fs::read_to_string(corpus("spyne/shop11.wsdl")).unwrap();
    let raw = Raw::answering(move |number| match number {
        0 => ("404 Not Found", "text/plain", String::new()),
        1 => ("200 OK", "text/xml", whole.replace("whoami", "whowas")),
        _ => ("200 OK", "text/xml", whole.clone()),
    })
    .await;
    let options = format!("wsdl: \"{0}?wsdl\", url: \"{0}\"", raw.url());
    let stage = Stage::new(&options, "  - {match: /a, to: shop/whoami}\n").await;
    let mut seen = Vec::new();
    // At last it is called; that the answer is no envelope is another matter.
    let is_called = async || {
        let code = stage.post("/a", &json!({})).await.failure().1.to_owned();
        if seen.last() != Some(&code) {
            seen.push(code);
        }
        seen.last().is_some_and(|code| code == "bad_upstream_reply")
    };
    assert!(until(LONG, is_called).await, "{seen:?}");
    assert_eq!(seen, ["upstream_unavailable", "upstream_denied", "bad_upstream_reply"]);
}

#[tokio::test]
async fn a_service_without_a_wsdl_is_called_by_hand() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for (url, version) in [(peer.url11(), "1.1"), (peer.url12(), "1.2")] {
        let routes = format!(
            "  - match: POST /total\n    to: {{upstream: shop, operation: total, version: {version}, action: total, xml: \
             '<total xmlns=\"urn:shop\"><item><sku>{{{{ body.sku }}}}</sku><qty>{{{{ body.qty }}}}</qty><price>2</price></item></total>'}}\n"
        );
        let stage = Stage::new(&format!("url: \"{url}\""), &routes).await;
        let answer = stage.post("/total", &json!({"sku": "a<b>&", "qty": 3})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let reply = &answer.json()["tns:totalResponse"];
        assert_eq!((&reply["@xmlns:tns"], &reply["tns:totalResult"]), (&json!("urn:shop"), &json!("6")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_document_that_is_no_wsdl_fails_the_load() {
    let raw = Raw::saying("200 OK", "text/html", "<html/>".to_owned()).await;
    let plan = plan(&format!("wsdl: \"{}\"", raw.url()), "").unwrap();
    let failed = callgate_core::Snapshot::load(plan, &tokio::runtime::Handle::current()).await.unwrap_err();
    assert!(failed.to_string().contains("it is no WSDL 1.1"), "{failed}");
}
