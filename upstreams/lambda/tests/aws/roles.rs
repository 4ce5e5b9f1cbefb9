//! Roles that the gateway assumes, and the way to STS.

use std::time::Duration;

use callgate_testkit::peers::until;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    credentials::{answer, assumed, form, refused, signed_by},
    gateway::Bed,
    wire::StandIn,
};

const LIMIT: Duration = Duration::from_secs(30);

/// A gateway whose one route leads to the function `f`.
async fn gateway(lambda: &str, roles: Value, more: Value) -> Bed {
    let mut settings = json!({
        "region": "eu-west-1",
        "endpoint": lambda,
        "credentials": {"access_key_id": "AKIDBASE", "secret_access_key": "secret"},
        "assume_role": roles,
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Bed::start(&format!("upstreams: {{aws: {{lambda: {settings}}}}}\nroutes: [{{match: /, to: aws/f}}]")).await
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{name}")
}

#[tokio::test]
async fn roles_are_assumed_one_with_the_other_and_once_for_all_calls() {
    let sts = StandIn::start(|_, request| {
        let form = form(request);
        let said = form.contains("RoleSessionName=callgate&") || form.ends_with("RoleSessionName=callgate");
        let by = request.headers()["authorization"].to_str().unwrap().to_owned();
        assert!(
            said && form.contains("ExternalId=agreed") && by.contains("/eu-west-1/sts/aws4_request"),
            "{form} {by}"
        );
        if form.contains("role%2Ffirst") && by.contains("=AKIDBASE/") {
            assumed("AssumeRole", "AKIDFIRST")
        } else if form.contains("role%2Fsecond") && by.contains("=AKIDFIRST/") {
            assumed("AssumeRole", "AKIDSECOND")
        } else {
            refused()
        }
    })
    .await;
    let lambda = StandIn::start(|_, _| answer(200, json!({"statusCode": 204}))).await;
    let roles = json!({"arn": [role("first"), role("second")], "external_id": "agreed", "endpoint": sts.endpoint});
    let bed = gateway(&lambda.endpoint, roles, json!({})).await;
    for answer in join_all((0..20).map(|_| bed.get("/"))).await {
        assert_eq!(answer.status, 204, "{answer:?}");
    }
    assert_eq!(sts.asked().len(), 2, "one question for each role");
    for request in lambda.asked() {
        signed_by(&request, "AKIDSECOND", Some("token-of-AKIDSECOND"));
    }
}

#[tokio::test]
async fn credentials_that_lambda_calls_expired_are_replaced_before_their_time() {
    let sts = StandIn::start(|number, _| assumed("AssumeRole", &format!("AKID{number}"))).await;
    let lambda = StandIn::start(|_, request| {
        let by = request.headers()["authorization"].to_str().unwrap();
        if by.contains("=AKID0/") {
            answer(403, json!({"__type": "ExpiredTokenException", "message": "The security token is expired"}))
        } else {
            answer(200, json!({"statusCode": 204}))
        }
    })
    .await;
    let bed = gateway(&lambda.endpoint, json!({"arn": role("first"), "endpoint": sts.endpoint}), json!({})).await;
    bed.get("/").await.is_problem(502, "upstream_denied");
    assert!(until(LIMIT, async || bed.get("/").await.status == 204).await);
    assert_eq!(sts.asked().len(), 2);
}

#[tokio::test]
async fn a_role_that_is_refused_says_so_to_the_operator_alone() {
    let sts = StandIn::start(|_, _| refused()).await;
    let lambda = StandIn::start(|_, _| answer(200, json!({}))).await;
    let bed = gateway(&lambda.endpoint, json!({"arn": role("first"), "endpoint": sts.endpoint}), json!({})).await;
    let answer = bed.get("/").await;
    assert!(answer.header("callgate-error").is_some_and(|code| code.starts_with("upstream_")), "{answer:?}");
    assert!(!answer.text().contains("role/first"), "{answer:?}");
    assert!(bed.ready("aws").await.unwrap_err().contains("role/first"));
    assert!(lambda.asked().is_empty());
}

/// The proxy is the only one who knows these names; it is asked in absolute form, and answers in their place.
#[tokio::test]
async fn sts_and_lambda_are_reached_through_the_proxy() {
    let proxy = StandIn::start(|_, request| {
        assert_eq!(request.headers()["proxy-authorization"], "Basic Z2F0ZTpodXNo");
        match request.uri().authority().map(|authority| authority.as_str()) {
            Some("sts.test") => assumed("AssumeRole", "AKIDROLE"),
            Some("lambda.test") => answer(200, json!({"statusCode": 204})),
            _ => refused(),
        }
    })
    .await;
    let roles = json!({"arn": role("first"), "endpoint": "http://sts.test"});
    let through = json!({"proxy": {"url": proxy.endpoint, "user": "gate", "password": "hush"}});
    let bed = gateway("http://lambda.test", roles, through).await;
    let answer = bed.get("/").await;
    assert_eq!(answer.status, 204, "{answer:?} {:?}", bed.ready("aws").await);
    let asked = proxy.asked();
    assert_eq!(asked.len(), 2);
    signed_by(&asked[1], "AKIDROLE", Some("token-of-AKIDROLE"));
    assert_eq!(asked[1].headers()["host"], "lambda.test", "what is signed is the service's own name");
}

#[tokio::test]
async fn an_endpoint_of_a_private_network_is_called_with_the_signature_of_its_region() {
    let lambda = StandIn::start(|_, _| answer(200, json!({"statusCode": 204}))).await;
    let sts = StandIn::start(|_, _| assumed("AssumeRole", "AKIDROLE")).await;
    let bed = gateway(&lambda.endpoint, json!({"arn": role("r"), "endpoint": sts.endpoint}), json!({})).await;
    assert_eq!(bed.get("/").await.status, 204);
    let request = &lambda.asked()[0];
    assert!(request.headers()["authorization"].to_str().unwrap().contains("/eu-west-1/lambda/aws4_request"));
    assert_eq!(format!("http://{}", request.headers()["host"].to_str().unwrap()), lambda.endpoint);
}
