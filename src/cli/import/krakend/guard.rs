//! Who is let in by KrakenD: its validator of tokens, and what else decides there.

use serde_json::{Value, json};

use crate::cli::import::draft::{Draft, texts};

/// The beginnings of the names of what does not decide who is let in. What is not known here may.
const HARMLESS: [&str; 18] = [
    "ai/",
    "async/",
    "auth/signer",
    "backend/",
    "documentation/",
    "grpc",
    "modifier/",
    "proxy",
    "qos/",
    "router",
    "security/bot-detector",
    "security/cors",
    "security/http",
    "server/",
    "telemetry/",
    "validation/json-schema",
    "validation/response-json-schema",
    "websocket",
];

/// Whether a part of an endpoint's `extra_config` that is not taken over may decide who is let in; scripts may.
pub(super) fn may_refuse(name: &str) -> bool {
    name.starts_with("modifier/lua") || !HARMLESS.iter().any(|harmless| name.starts_with(harmless))
}

/// The same of a backend, whose `auth` says who the gateway is.
pub(super) fn backend_may_refuse(name: &str) -> bool {
    may_refuse(name) && !name.starts_with("auth/") && !name.starts_with("plugin/http-client")
}

/// The same of the document, whose API keys are asked for by endpoints alone.
pub(super) fn document_may_refuse(name: &str) -> bool {
    may_refuse(name) && !["auth/api-keys", "auth/revoker", "auth/validator"].contains(&name)
}

/// Tokens whose keys are public, or why they can't be checked here.
pub(super) fn validator(of: &str, config: &Value, draft: &mut Draft) -> Result<Value, &'static str> {
    let algorithm = config["alg"].as_str().unwrap_or("RS256");
    if algorithm.starts_with("HS") {
        return Err("tokens with a shared secret are not taken here");
    }
    let keys = config["jwk_url"].as_str().ok_or("it has no `jwk_url`")?;
    let audiences = texts(&config["audience"]);
    if audiences.len() > 1 {
        return Err("all its audiences are wanted there, and one of them here");
    }
    let audience = audiences.first().map_or("*", String::as_str);
    let issuer = config["issuer"].as_str().unwrap_or("*");
    let mut jwt = json!({"issuer": issuer, "audience": audience, "jwks": keys, "algorithms": [algorithm]});
    let roles = texts(&config["roles"]);
    if !roles.is_empty() {
        let key = config["roles_key"].as_str().ok_or("its roles have no `roles_key`")?;
        jwt["claims"][claim(key, config["roles_key_is_nested"] == true)] = json!({"any": roles});
    }
    let scopes = texts(&config["scopes"]);
    if !scopes.is_empty() {
        if config["scopes_matcher"] == "all" && scopes.len() > 1 {
            return Err("all its scopes are wanted there, and one of them here");
        }
        let key = config["scopes_key"].as_str().ok_or("its scopes have no `scopes_key`")?;
        jwt["claims"][claim(key, key.contains('.') && !key.contains('/'))] = json!({"any": scopes});
    }
    if let Some(header) = config["auth_header_name"].as_str() {
        jwt["in"] = json!({"header": header});
    }
    let taken = [
        "alg",
        "audience",
        "issuer",
        "jwk_url",
        "roles",
        "roles_key",
        "roles_key_is_nested",
        "scopes",
        "scopes_key",
        "scopes_matcher",
        "auth_header_name",
        "cache",
        "cache_duration",
    ];
    draft.left_fields(&format!("{of}: its `auth/validator`"), config, &taken);
    Ok(json!({"jwt": jwt}))
}

/// The name of a claim, or of one within others, as this configuration writes it.
fn claim(key: &str, nested: bool) -> String {
    if nested { format!("/{}", key.replace('.', "/")) } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(more: &Value) -> Result<Value, &'static str> {
        let mut config = json!({"jwk_url": "https://login.example.com/keys.json"});
        if let Some((config, more)) = config.as_object_mut().zip(more.as_object()) {
            config.extend(more.clone());
        }
        validator("GET /", &config, &mut Draft::default()).map(|auth| auth["jwt"].clone())
    }

    #[test]
    fn what_tokens_have_to_say_is_kept() {
        let jwt = made(&json!({"roles": ["admin"], "roles_key": "realm.roles", "roles_key_is_nested": true,
            "scopes": ["read"], "scopes_key": "scope", "audience": ["shop"]}))
        .expect("can be said here");
        assert_eq!(jwt["claims"], json!({"/realm/roles": {"any": ["admin"]}, "scope": {"any": ["read"]}}));
        assert_eq!(jwt["audience"], "shop");
    }

    #[test]
    fn what_would_let_in_more_is_refused() {
        for wider in [
            json!({"alg": "HS256"}),
            json!({"jwk_url": null, "jwk_local_path": "keys.json"}),
            json!({"audience": ["a", "b"]}),
            json!({"roles": ["admin"]}),
            json!({"scopes": ["a", "b"], "scopes_key": "scope", "scopes_matcher": "all"}),
        ] {
            assert!(made(&wider).is_err(), "{wider}");
        }
    }

    #[test]
    fn what_is_not_known_may_refuse() {
        for name in ["auth/api-keys", "validation/cel", "security/policies", "modifier/lua-endpoint", "of-our-own"] {
            assert!(may_refuse(name), "{name}");
        }
        assert!(!may_refuse("modifier/martian") && !backend_may_refuse("auth/client-credentials"));
        assert!(document_may_refuse("auth/basic") && !document_may_refuse("auth/api-keys"));
    }
}
