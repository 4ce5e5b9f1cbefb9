//! What a service answers when it does not answer.

use std::time::{Duration, Instant};

use callgate_testkit::peers::{SoapService, present};
use serde_json::json;

use crate::stage::{Raw, Stage, corpus, read};

const ROUTES: &str = r#"
  - {match: POST /boom, to: shop/boom}
  - {match: POST /crash, to: shop/crash}
  - {match: POST /hello, to: shop/say_hello}
"#;

#[tokio::test]
async fn a_fault_is_its_problem_document() {
    let Some(peer) = present(SoapService::start().await) else { return };
    for (url, clients, servers) in [(peer.url11(), "Client", "Server"), (peer.url12(), "Sender", "Receiver")] {
        let stage = Stage::new(&format!("wsdl: \"{url}?wsdl\""), ROUTES).await;
        let answer = stage.post("/boom", &json!({"code": "Client.Custom"})).await;
        assert_eq!(answer.failure(), (400, "soap_fault"), "{answer:?}");
        let problem = answer.json();
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(problem["type"], "urn:callgate:error:soap_fault");
        assert!(problem["fault"]["code"].as_str().unwrap().starts_with(clients), "{problem}");
        assert_eq!(
            (&problem["fault"]["reason"], &problem["fault"]["detail"]),
            (&json!("bad thing"), &json!({"code": "42"}))
        );
        let answer = stage.post("/crash", &json!({})).await;
        assert_eq!(answer.failure(), (502, "soap_fault"), "{answer:?}");
        assert!(answer.json()["fault"]["code"].as_str().unwrap().starts_with(servers), "{answer:?}");
    }
}

fn envelope(body: &str) -> String {
    format!("<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>{body}</e:Body></e:Envelope>")
}

#[tokio::test]
async fn what_is_no_answer_is_told_from_a_fault() {
    let good = "<say_helloResponse xmlns='urn:shop'><say_helloResult/></say_helloResponse>";
    // Each is a good answer but for what makes it one that is not taken.
    let with = |result: &str| envelope(&good.replace("<say_helloResult/>", result));
    let saying = |text: &str| with(&format!("<say_helloResult><string>{text}</string></say_helloResult>"));
    let deep = |levels| with(&format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels)));
    let entities = ('b'..='z')
        .map(|name| format!("<!ENTITY {name} '{}'>", format!("&{};", (name as u8 - 1) as char).repeat(10)))
        .collect::<String>();
    let bomb = format!("<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>{entities}]>{}", saying("&z;"));
    let file = format!("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>{}", saying("&x;"));
    for (status, kind, body, expected) in [
        ("200 OK", "text/xml", envelope(good), (200, "none")),
        ("200 OK", "text/xml", envelope("<other/>"), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", envelope(""), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", "<html>".to_owned(), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", "<html/>".to_owned(), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", String::new(), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", saying("&amp;"), (200, "none")),
        ("200 OK", "text/xml", deep(3), (200, "none")),
        ("200 OK", "text/xml", deep(100), (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", bomb, (502, "bad_upstream_reply")),
        ("200 OK", "text/xml", file, (502, "bad_upstream_reply")),
        ("200 OK", "multipart/related; type=\"application/xop+xml\"", "--x".to_owned(), (502, "bad_upstream_reply")),
        ("401 Unauthorized", "text/html", "<html>".to_owned(), (502, "upstream_denied")),
        ("404 Not Found", "text/plain", "no".to_owned(), (502, "upstream_denied")),
        ("429 Too Many Requests", "text/plain", "no".to_owned(), (503, "upstream_throttled")),
        ("503 Service Unavailable", "text/html", "<html>".to_owned(), (503, "upstream_unavailable")),
        ("500 Internal Server Error", "text/html", "<html>".to_owned(), (502, "function_error")),
        ("200 OK", "text/xml", envelope(&good.replace("say_helloResult", "extra")), (200, "none")),
    ] {
        let shown: String = body.chars().take(120).collect();
        let raw = Raw::saying(status, kind, body).await;
        let options = format!("wsdl: \"{}\", url: \"{}\"", corpus("spyne/shop11.wsdl"), raw.url());
        let stage = Stage::new(&options, ROUTES).await;
        let began = Instant::now();
        let answer = stage.post("/hello", &json!({"name": "a", "times": 1})).await;
        assert_eq!(answer.failure(), expected, "{status} {shown}: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{status} {shown}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let text = envelope(&format!("<say_helloResponse xmlns='urn:shop'>{}</say_helloResponse>", "x".repeat(1 << 16)));
    let raw = Raw::saying("200 OK", "text/xml", text).await;
    let options = format!("wsdl: \"{}\", url: \"{}\"", corpus("spyne/shop11.wsdl"), raw.url());
    let routes = "  - {match: POST /hello, to: shop/say_hello, limits: {max_body: 32KiB}}\n";
    let answer = Stage::new(&options, routes).await.post("/hello", &json!({})).await;
    assert_eq!(answer.failure(), (502, "bad_upstream_reply"), "{answer:?}");
}

#[tokio::test]
async fn a_call_is_repeated_only_with_a_key_or_after_a_refusal() {
    for (status, key, calls) in [
        ("502 Bad Gateway", false, 1),
        ("502 Bad Gateway", true, 2),
        ("503 Service Unavailable", false, 2),
        ("500 Internal Server Error", true, 1),
    ] {
        let raw = Raw::saying(status, "text/html", String::new()).await;
        let yaml = format!(
            "upstreams:
  shop:
    soap: {{url: \"{}\"}}
    retry: {{attempts: 2, backoff: {{initial: 0ms}}}}
routes:
  - {{match: GET /total, to: {{upstream: shop, operation: total, action: total, xml: '<total/>'}}}}
",
            raw.url()
        );
        let stage = Stage::of(read(&yaml).unwrap()).await;
        let mut request = http::Request::get("/total");
        if key {
            request = request.header("idempotency-key", "k");
        }
        stage.send(request.body(callgate_core::Body::empty()).unwrap()).await;
        assert_eq!(raw.calls(), calls, "{status} {key}");
    }
}

#[tokio::test]
async fn a_fault_is_an_answer_unless_the_circuit_is_told_that_one_of_the_service_is_a_failure() {
    let open = (503, "upstream_unavailable");
    for (on, code, failure) in [
        ("", "Server", (502, "soap_fault")),
        (", on: 5xx", "Server", open),
        (", on: function_error", "Server", open),
        (", on: [5xx, function_error]", "Client", (400, "soap_fault")),
    ] {
        let fault = format!("<e:Fault><faultcode>e:{code}</faultcode><faultstring>no</faultstring></e:Fault>");
        let raw = Raw::saying("500 Internal Server Error", "text/xml", envelope(&fault)).await;
        let yaml = format!(
            "upstreams:
  shop:
    soap: {{url: \"{}\"}}
    circuit_breaker: {{failures: 2{on}}}
routes:
  - {{match: GET /total, to: {{upstream: shop, operation: total, action: total, xml: '<total/>'}}}}
",
            raw.url()
        );
        let stage = Stage::of(read(&yaml).unwrap()).await;
        stage.get("/total").await;
        stage.get("/total").await;
        assert_eq!(stage.get("/total").await.failure(), failure, "{code}{on}");
    }
}
