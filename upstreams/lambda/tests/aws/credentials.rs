//! Where credentials come from, each place with an endpoint that checks what it is asked.
//!
//! What AWS's own tools read from the environment can't be changed in a process that runs other tests, so that each
//! case is a process of its own.

use std::process::{Command, Output};

use bytes::Bytes;
use http::{Request, Response, header::AUTHORIZATION};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{gateway::Bed, wire::StandIn};

/// Where a case's process finds the document of its gateway.
const DOCUMENT: &str = "CALLGATE_TEST_DOCUMENT";

/// A machine as the chain sees it: its home folder, its variables, and the Lambda that its gateway calls.
struct Machine {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    lambda: StandIn,
}

impl Machine {
    async fn new() -> Self {
        let lambda = StandIn::start(|_, _| answer(200, json!({"statusCode": 204}))).await;
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new(), lambda }
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Writes a file below the home folder, and gives its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Makes one call by a gateway on this machine. It has to be signed with this key, and bring this token.
    async fn calls_with(&self, settings: Value, key: &str, token: Option<&str>) {
        let output = self.call(settings).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let asked = self.lambda.asked();
        assert_eq!(asked.len(), 1);
        signed_by(&asked[0], key, token);
    }

    async fn call(&self, mut settings: Value) -> Output {
        settings["region"] = "eu-west-1".into();
        settings["endpoint"] = self.lambda.endpoint.as_str().into();
        let document = format!("upstreams: {{aws: {{lambda: {settings}}}}}\nroutes: [{{match: /, to: aws/f}}]");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "credentials::one_call", "--ignored", "--nocapture"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env(DOCUMENT, document);
        if !self.variables.iter().any(|(name, _)| name.starts_with("AWS_EC2_METADATA")) {
            command.env("AWS_EC2_METADATA_DISABLED", "true");
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

#[allow(clippy::disallowed_methods, reason = "the parent process says what to do")]
#[tokio::test]
#[ignore = "each of the other tests runs it, in a process with variables of its own"]
async fn one_call() {
    let document = std::env::var(DOCUMENT).unwrap();
    let bed = Bed::start(&document).await;
    let answer = bed.get("/").await;
    assert_eq!(answer.status, 204, "{answer:?} {:?}", bed.ready("aws").await);
}

#[allow(clippy::needless_pass_by_value, reason = "callers write the value in its place")]
pub(crate) fn answer(status: u16, body: Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(body.to_string().into()).unwrap()
}

/// The answer of STS with credentials for ten years.
pub(crate) fn assumed(operation: &str, key: &str) -> Response<Bytes> {
    let body = format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token-of-{key}\
         </SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{operation}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    );
    Response::builder().header("content-type", "text/xml").body(body.into()).unwrap()
}

pub(crate) fn refused() -> Response<Bytes> {
    answer(403, json!({"message": "the request is not the one that was expected"}))
}

pub(crate) fn form(request: &Request<Bytes>) -> String {
    String::from_utf8(request.body().to_vec()).unwrap()
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap())
}

#[track_caller]
pub(crate) fn signed_by(request: &Request<Bytes>, key: &str, token: Option<&str>) {
    let authorization = header(request, AUTHORIZATION.as_str()).unwrap();
    assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={key}/")), "{authorization}");
    assert_eq!(header(request, "x-amz-security-token"), token);
}

/// What the metadata services answer.
fn credentials(key: &str) -> Value {
    json!({
        "Code": "Success",
        "AccessKeyId": key,
        "SecretAccessKey": "secret",
        "Token": "the-token",
        "Expiration": "2099-01-01T00:00:00Z",
    })
}

#[tokio::test]
async fn variables_come_first() {
    let machine = Machine::new().await;
    machine.file(".aws/credentials", "[default]\naws_access_key_id=AKIDFILE\naws_secret_access_key=secret\n");
    let machine = machine
        .set("AWS_ACCESS_KEY_ID", "AKIDVARIABLE")
        .set("AWS_SECRET_ACCESS_KEY", "secret")
        .set("AWS_SESSION_TOKEN", "the-token");
    machine.calls_with(json!({}), "AKIDVARIABLE", Some("the-token")).await;
}

#[tokio::test]
async fn a_profile_is_chosen_by_the_document_or_by_the_environment() {
    let files = "[default]\naws_access_key_id=AKIDDEFAULT\naws_secret_access_key=secret\n\
                 [other]\naws_access_key_id=AKIDOTHER\naws_secret_access_key=secret\n";
    let machine = Machine::new().await;
    machine.file(".aws/credentials", files);
    machine.calls_with(json!({}), "AKIDDEFAULT", None).await;
    let machine = Machine::new().await;
    machine.file(".aws/credentials", files);
    machine.calls_with(json!({"credentials": {"profile": "other"}}), "AKIDOTHER", None).await;
    let machine = Machine::new().await.set("AWS_PROFILE", "other");
    machine.file(".aws/credentials", files);
    machine.calls_with(json!({}), "AKIDOTHER", None).await;
}

#[tokio::test]
async fn a_profile_may_run_a_program() {
    let machine = Machine::new().await;
    let told = json!({"Version": 1, "AccessKeyId": "AKIDPROGRAM", "SecretAccessKey": "secret", "SessionToken": "t"});
    let told = machine.file("told.json", &told.to_string());
    machine.file(".aws/config", &format!("[default]\ncredential_process = cat {told}\n"));
    machine.calls_with(json!({}), "AKIDPROGRAM", Some("t")).await;
}

#[tokio::test]
async fn a_profile_may_assume_a_role() {
    let sts = StandIn::start(|_, request| {
        let form = form(request);
        let right = form.contains("Action=AssumeRole&")
            && form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader")
            && header(request, "authorization").unwrap().contains("Credential=AKIDBASE/");
        if right { assumed("AssumeRole", "AKIDROLE") } else { refused() }
    })
    .await;
    let machine = Machine::new().await.set("AWS_ENDPOINT_URL_STS", &*sts.endpoint);
    machine.file(".aws/credentials", "[base]\naws_access_key_id=AKIDBASE\naws_secret_access_key=secret\n");
    machine.file(".aws/config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n");
    machine.calls_with(json!({}), "AKIDROLE", Some("token-of-AKIDROLE")).await;
}

/// IAM roles for service accounts (IRSA) on EKS.
#[tokio::test]
async fn a_service_account_of_kubernetes_is_a_web_identity() {
    let sts = StandIn::start(|_, request| {
        let form = form(request);
        let right = form.contains("Action=AssumeRoleWithWebIdentity&")
            && form.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fpod")
            && form.contains("WebIdentityToken=the.jwt")
            && form.contains("RoleSessionName=gate")
            && header(request, "authorization").is_none();
        if right { assumed("AssumeRoleWithWebIdentity", "AKIDWEB") } else { refused() }
    })
    .await;
    let machine = Machine::new().await;
    let token = machine.file("token", "the.jwt");
    let machine = machine
        .set("AWS_ENDPOINT_URL_STS", &*sts.endpoint)
        .set("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
        .set("AWS_ROLE_SESSION_NAME", "gate");
    machine.calls_with(json!({}), "AKIDWEB", Some("token-of-AKIDWEB")).await;
}

/// EKS Pod Identity, and ECS with a token in a file.
#[tokio::test]
async fn a_container_asks_its_agent() {
    let agent = StandIn::start(|_, request| {
        let right = request.uri() == "/v1/credentials" && header(request, "authorization") == Some("pod-token");
        if right { answer(200, credentials("AKIDPOD")) } else { refused() }
    })
    .await;
    let machine = Machine::new().await;
    let token = machine.file("pod-token", "pod-token");
    let machine = machine
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", agent.endpoint))
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
    machine.calls_with(json!({}), "AKIDPOD", Some("the-token")).await;
}

#[tokio::test]
async fn an_instance_asks_its_metadata_service_with_a_session() {
    let metadata = StandIn::start(|_, request| {
        let session = header(request, "x-aws-ec2-metadata-token");
        let text = |text: &str| Response::new(Bytes::copy_from_slice(text.as_bytes()));
        match (request.method().as_str(), request.uri().path(), session) {
            ("PUT", "/latest/api/token", None) => match header(request, "x-aws-ec2-metadata-token-ttl-seconds") {
                Some(seconds) => {
                    let mut session = text("the-session");
                    session.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", seconds.parse().unwrap());
                    session
                }
                None => refused(),
            },
            ("GET", path, Some("the-session")) if path.ends_with("/security-credentials/") => text("role-of-instance"),
            ("GET", path, Some("the-session")) if path.ends_with("/security-credentials/role-of-instance") => {
                answer(200, credentials("AKIDINSTANCE"))
            }
            _ => refused(),
        }
    })
    .await;
    let machine = Machine::new().await.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*metadata.endpoint);
    machine.calls_with(json!({}), "AKIDINSTANCE", Some("the-token")).await;
    assert!(
        metadata
            .asked()
            .iter()
            .all(|request| request.method() == "PUT" || request.headers().contains_key("x-aws-ec2-metadata-token"))
    );
}

#[tokio::test]
async fn a_profile_may_be_signed_in_by_sso() {
    let portal = StandIn::start(|_, request| {
        let query = request.uri().query().unwrap_or_default();
        let right = request.uri().path() == "/federation/credentials"
            && query.contains("role_name=reader")
            && query.contains("account_id=123456789012")
            && header(request, "x-amz-sso_bearer_token") == Some("signed-in");
        if right {
            answer(
                200,
                json!({"roleCredentials": {"accessKeyId": "AKIDSSO", "secretAccessKey": "secret",
                    "sessionToken": "the-token", "expiration": 4_070_908_800_000_u64}}),
            )
        } else {
            refused()
        }
    })
    .await;
    let machine = Machine::new().await.set("AWS_ENDPOINT_URL_SSO", &*portal.endpoint);
    machine.file(
        ".aws/config",
        "[default]\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = reader\n\
         [sso-session work]\nsso_region = eu-west-1\nsso_start_url = https://work.awsapps.com/start\n",
    );
    // What `aws sso login` leaves, under the SHA-1 of the session's name.
    let signed_in = json!({"accessToken": "signed-in", "expiresAt": "2099-01-01T00:00:00Z", "region": "eu-west-1",
        "startUrl": "https://work.awsapps.com/start"});
    machine.file(&format!(".aws/sso/cache/{SHA1_OF_WORK}.json"), &signed_in.to_string());
    machine.calls_with(json!({}), "AKIDSSO", Some("the-token")).await;
}

const SHA1_OF_WORK: &str = "e274eeff768c6396088ec6eb091f4bf4d47ab1e0";

#[tokio::test]
async fn without_any_the_call_is_denied_and_the_log_says_where_was_looked() {
    let machine = Machine::new().await;
    let output = machine.call(json!({})).await;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("upstream_denied") && said.contains("no AWS credentials from the environment"), "{said}");
    assert!(machine.lambda.asked().is_empty(), "nothing is sent without a signature");
}
