//! Who may call an operation of API Gateway: its authorizers.

use serde_json::{Map, Value, json};

use crate::cli::import::draft::{Draft, texts};

/// Takes over the authorizers of an operation, of which all have to pass. Where one can't be taken over, nobody may call.
pub(super) fn take(of: &str, operation: &Value, document: &Value, route: &mut Map<String, Value>, draft: &mut Draft) {
    let mut methods = Vec::new();
    let mut lost = Vec::new();
    let own = operation.get("security").unwrap_or(&document["security"]);
    for (name, scopes) in own.as_array().into_iter().flatten().filter_map(Value::as_object).flatten() {
        let schemes = [&document["components"]["securitySchemes"], &document["securityDefinitions"]];
        let scheme = schemes.into_iter().map(|schemes| &schemes[name.as_str()]).find(|scheme| scheme.is_object());
        let authorizer = scheme.map_or(&Value::Null, |scheme| &scheme["x-amazon-apigateway-authorizer"]);
        match issued(authorizer) {
            Some((issuer, audience)) => {
                if audience == "*" {
                    draft.left(format!("{of}: `audience` of its user pool: the id of the client, in place of `*`"));
                }
                let source = authorizer["identitySource"].as_str().unwrap_or("$request.header.Authorization");
                if !source.to_ascii_lowercase().ends_with("request.header.authorization") {
                    draft.left(format!("{of}: where its token is, `{source}`; see `in`"));
                }
                let mut oidc = json!({"issuer": issuer, "audience": audience});
                if !texts(scopes).is_empty() {
                    oidc["claims"] = json!({"scope": {"any": scopes}});
                }
                methods.push(json!({"oidc": oidc}));
            }
            None => lost.push(format!("its authorizer `{name}`")),
        }
    }
    if let Some(kind) = operation["x-amazon-apigateway-auth"]["type"].as_str().filter(|kind| *kind != "NONE") {
        lost.push(format!("its authorization {kind}"));
    }
    match &methods[..] {
        [] => {}
        [one] => drop(route.insert("auth".to_owned(), one.clone())),
        all => drop(route.insert("auth".to_owned(), json!({"all": all}))),
    }
    lost.iter().for_each(|lost| draft.close(of, lost, route));
}

/// Who issues the tokens that an authorizer takes, and for whom.
fn issued(authorizer: &Value) -> Option<(String, Value)> {
    if authorizer["type"] == "jwt" {
        let jwt = &authorizer["jwtConfiguration"];
        let audience = Some(&jwt["audience"]).filter(|audience| !texts(audience).is_empty() || audience.is_string());
        return Some((jwt["issuer"].as_str()?.to_owned(), audience?.clone()));
    }
    Some((pool(&authorizer["providerARNs"][0])?, "*".into()))
}

/// The issuer of a user pool of Cognito: `arn:aws:cognito-idp:REGION:ACCOUNT:userpool/POOL`.
fn pool(arn: &Value) -> Option<String> {
    let mut parts = arn.as_str()?.strip_prefix("arn:aws:cognito-idp:")?.split(':');
    let (region, pool) = (parts.next()?, parts.nth(1)?.strip_prefix("userpool/")?);
    Some(format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))
}
