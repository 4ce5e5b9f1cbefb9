//! What is sent to ask for a token, for each way there is: pure.

use callgate_core::{Body, Secret};
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
    uri::{InvalidUri, PathAndQuery},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const FORM: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const URL_ENCODED: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const METADATA: HeaderName = HeaderName::from_static("metadata");
const IDENTITY: HeaderName = HeaderName::from_static("x-identity-header");

/// The version of the instance metadata service's interface, as in Azure's own libraries.
const IMDS_VERSION: &str = "2018-02-01";
/// The version of App Service's interface.
const APP_SERVICE_VERSION: &str = "2019-08-01";
/// RFC 7523, 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What an application proves itself by.
pub(crate) enum Proof<'a> {
    Secret(&'a Secret),
    /// A token that someone else issued, of a service account.
    Assertion(&'a str),
}

/// Asks the instance metadata service.
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http>
pub(crate) fn imds(base: &str, resource: &str, client_id: Option<&str>) -> Result<Request<Body>, InvalidUri> {
    let path = format!("{base}/metadata/identity/oauth2/token?{}", query(IMDS_VERSION, resource, client_id));
    let mut request = get(&path)?;
    request.headers_mut().insert(METADATA, HeaderValue::from_static("true"));
    Ok(request)
}

/// Asks App Service, Functions or Container Apps.
/// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
pub(crate) fn app_service(
    path: &str,
    header: &HeaderValue,
    resource: &str,
    client_id: Option<&str>,
) -> Result<Request<Body>, InvalidUri> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut request = get(&format!("{path}{separator}{}", query(APP_SERVICE_VERSION, resource, client_id)))?;
    request.headers_mut().insert(IDENTITY, header.clone());
    Ok(request)
}

/// Asks Microsoft Entra, by the client credentials grant.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
pub(crate) fn entra(
    base: &str,
    tenant: &str,
    client_id: &str,
    resource: &str,
    proof: &Proof<'_>,
) -> Result<Request<Body>, InvalidUri> {
    let scope = format!("{resource}/.default");
    let mut fields = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", scope.as_str())];
    match proof {
        Proof::Secret(secret) => fields.push(("client_secret", secret.expose())),
        Proof::Assertion(assertion) => {
            fields.extend([("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)]);
        }
    }
    let mut request = get(&format!("{base}/{tenant}/oauth2/v2.0/token"))?;
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_TYPE, URL_ENCODED);
    *request.body_mut() = Body::from(encoded(&fields));
    Ok(request)
}

fn query(version: &str, resource: &str, client_id: Option<&str>) -> String {
    let mut fields = vec![("api-version", version), ("resource", resource)];
    fields.extend(client_id.map(|id| ("client_id", id)));
    encoded(&fields)
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, &FORM)));
    pairs.collect::<Vec<_>>().join("&")
}

fn get(target: &str) -> Result<Request<Body>, InvalidUri> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from(target.parse::<PathAndQuery>()?);
    request.headers_mut().insert(ACCEPT, JSON);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(request: &Request<Body>) -> &str {
        std::str::from_utf8(request.body().as_bytes().unwrap()).unwrap()
    }

    #[test]
    fn the_metadata_service_is_asked_as_documented() {
        let request = imds("", "api://app", None).unwrap();
        let target = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2Fapp";
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, target));
        assert_eq!(request.headers()["metadata"], "true");
        let of_one = imds("/proxy", "r", Some("c d")).unwrap();
        assert!(
            of_one.uri().to_string().starts_with("/proxy/metadata/")
                && of_one.uri().to_string().ends_with("&client_id=c%20d")
        );
    }

    #[test]
    fn app_service_is_asked_at_its_own_path_with_its_header() {
        let header = HeaderValue::from_static("proof");
        let request = app_service("/MSI/token/", &header, "api://app", Some("c")).unwrap();
        assert_eq!(request.uri(), "/MSI/token/?api-version=2019-08-01&resource=api%3A%2F%2Fapp&client_id=c");
        assert_eq!(request.headers()["x-identity-header"], "proof");
        assert_eq!(
            app_service("/t?x=1", &header, "r", None).unwrap().uri(),
            "/t?x=1&api-version=2019-08-01&resource=r"
        );
    }

    #[test]
    fn entra_is_asked_by_client_credentials() {
        let secret = Secret::new("a&b=c +é");
        let request = entra("", "tenant", "client", "api://app", &Proof::Secret(&secret)).unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/tenant/oauth2/v2.0/token"));
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(
            body(&request),
            "grant_type=client_credentials&client_id=client&scope=api%3A%2F%2Fapp%2F.default\
             &client_secret=a%26b%3Dc%20%2B%C3%A9"
        );
        let request = entra("/x", "t", "c", "r", &Proof::Assertion("e.y.J")).unwrap();
        assert_eq!(request.uri().path(), "/x/t/oauth2/v2.0/token");
        assert!(body(&request).ends_with(
            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=e.y.J"
        ));
    }
}
