//! `auth`, checked: what every method needs is there.

use std::{path::Path, sync::Arc};

use callgate_transform::OneOrMany;

use super::{
    algorithm::Algorithm,
    api_key::ApiKeys,
    basic::BasicPlan,
    external::ExternalPlan,
    issuer::Source,
    key_set::KeySet,
    mtls::Mtls,
    place::TokenPlace,
    settings::{AuthSettings, CheckedSettings, JwtSettings, MethodSettings, OidcSettings},
    token::{KeysPlan, TokenPlan},
    url,
};
use crate::{
    document::Period,
    error::chain,
    policy::rate_limit::Name,
    upstream::{Files, Invalid},
};

const DEFAULT_LEEWAY: Period = Period::from_secs(30);

/// Stands for any issuer or audience.
const ANY: &str = "*";

/// Who may come in, checked.
#[derive(Debug, Clone)]
pub(crate) struct AuthPlan {
    pub(super) method: MethodPlan,
    pub(super) allow_anonymous: bool,
}

/// A method, checked.
#[derive(Debug, Clone)]
pub(super) enum MethodPlan {
    ApiKey(ApiKeys),
    Basic(BasicPlan),
    Token(Box<TokenPlan>),
    Mtls(Mtls),
    External(ExternalPlan),
    Any(Vec<Self>),
    All(Vec<Self>),
}

impl AuthPlan {
    /// Whether a method looks at the client's certificate.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.method.asks_for_certificates()
    }
}

impl MethodPlan {
    fn asks_for_certificates(&self) -> bool {
        match self {
            Self::Mtls(_) => true,
            Self::Any(methods) | Self::All(methods) => methods.iter().any(Self::asks_for_certificates),
            Self::ApiKey(_) | Self::Basic(_) | Self::Token(_) | Self::External(_) => false,
        }
    }
}

impl AuthSettings {
    /// Checks the settings of a route, and reads the files that they name. `None` when everyone may come in.
    pub(crate) fn resolve(&self, files: &Files) -> Result<Option<AuthPlan>, Invalid> {
        let Self::Checked(settings) = self else { return Ok(None) };
        let allow_anonymous = settings.allow_anonymous.unwrap_or(false);
        Ok(Some(AuthPlan { method: settings.method()?.resolve(files)?, allow_anonymous }))
    }

    /// The settings with their defaults, for `callgate config`.
    pub(crate) fn effective(&self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Checked(settings) => Self::Checked(Box::new(settings.effective())),
        }
    }
}

impl CheckedSettings {
    /// The one method.
    fn method(&self) -> Result<MethodSettings, Invalid> {
        let Self { api_key, basic, jwt, oidc, mtls, external, any, all, allow_anonymous: _ } = self;
        let methods = [
            api_key.clone().map(MethodSettings::ApiKey),
            basic.clone().map(MethodSettings::Basic),
            jwt.clone().map(MethodSettings::Jwt),
            oidc.clone().map(MethodSettings::Oidc),
            mtls.clone().map(MethodSettings::Mtls),
            external.clone().map(MethodSettings::External),
            any.clone().map(MethodSettings::Any),
            all.clone().map(MethodSettings::All),
        ];
        methods.into_iter().flatten().next().ok_or_else(|| {
            let invalid = Invalid::new("there is no method to tell who comes");
            invalid.hint(
                "write one of `api_key`, `basic`, `jwt`, `oidc`, `mtls`, `external`, `any` and `all`, or `auth: none`",
            )
        })
    }

    fn effective(&self) -> Self {
        let mut filled = self.clone();
        filled.allow_anonymous.get_or_insert(false);
        if let Some(settings) = &mut filled.api_key {
            settings.fill();
        }
        if let Some(settings) = &mut filled.basic {
            settings.fill();
        }
        if let Some(settings) = &mut filled.jwt {
            settings.fill();
        }
        if let Some(settings) = &mut filled.oidc {
            settings.fill();
        }
        if let Some(settings) = &mut filled.mtls {
            settings.fill();
        }
        if let Some(settings) = &mut filled.external {
            settings.fill();
        }
        for method in [&mut filled.any, &mut filled.all].into_iter().flatten().flatten() {
            method.fill();
        }
        filled
    }
}

impl MethodSettings {
    fn resolve(&self, files: &Files) -> Result<MethodPlan, Invalid> {
        let several = |methods: &[Self], name: &str| {
            if methods.is_empty() {
                return Err(Invalid::new("the list of methods is empty").at(name));
            }
            methods.iter().map(|method| method.resolve(files)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            Self::ApiKey(settings) => MethodPlan::ApiKey(settings.resolve()?),
            Self::Basic(settings) => MethodPlan::Basic(settings.resolve()?),
            Self::Jwt(settings) => MethodPlan::Token(Box::new(settings.resolve(files)?)),
            Self::Oidc(settings) => MethodPlan::Token(Box::new(settings.resolve()?)),
            Self::Mtls(settings) => MethodPlan::Mtls(settings.resolve()?),
            Self::External(settings) => MethodPlan::External(settings.resolve()?),
            Self::Any(methods) => MethodPlan::Any(several(methods, "any")?),
            Self::All(methods) => MethodPlan::All(several(methods, "all")?),
        })
    }

    fn fill(&mut self) {
        match self {
            Self::ApiKey(settings) => settings.fill(),
            Self::Basic(settings) => settings.fill(),
            Self::Jwt(settings) => settings.fill(),
            Self::Oidc(settings) => settings.fill(),
            Self::Mtls(settings) => settings.fill(),
            Self::External(settings) => settings.fill(),
            Self::Any(methods) | Self::All(methods) => methods.iter_mut().for_each(Self::fill),
        }
    }
}

impl JwtSettings {
    fn resolve(&self, files: &Files) -> Result<TokenPlan, Invalid> {
        let issuers = self.issuer.as_ref().filter(|issuers| !issuers.is_empty()).ok_or_else(|| {
            let invalid = Invalid::new("there is no `issuer` (`iss`) whose tokens are taken").at("jwt");
            invalid.hint("write the issuer's name, or `issuer: \"*\"` to take whatever its keys have signed")
        })?;
        let jwks = self.jwks.as_ref().ok_or_else(|| {
            let invalid = Invalid::new("there is no `jwks`, the issuer's keys").at("jwt");
            invalid
                .hint("write a URL or a file; or `oidc` in place of `jwt`, which finds the keys by the issuer's name")
        })?;
        let keys = if jwks.contains("://") {
            url::check(jwks).map_err(|invalid| invalid.at("jwt.jwks"))?;
            KeysPlan::Remote(Source::Keys(jwks.clone()))
        } else {
            KeysPlan::Read(Arc::new(read(&files.file(jwks)).map_err(|invalid| invalid.at("jwt.jwks"))?))
        };
        self.plan("jwt", named(issuers), keys)
    }
}

impl OidcSettings {
    fn resolve(&self) -> Result<TokenPlan, Invalid> {
        let hint = "write the provider's URL, as its tokens have it in `iss`";
        let issuer = self.issuer.as_ref().ok_or_else(|| Invalid::new("there is no `issuer`").at("oidc").hint(hint))?;
        url::check(issuer).map_err(|invalid| invalid.at("oidc.issuer"))?;
        let keys = KeysPlan::Remote(Source::Provider(issuer.to_string()));
        self.plan("oidc", Some(vec![issuer.to_string()]), keys)
    }
}

/// What both methods that take tokens have.
macro_rules! token_plan {
    ($settings:ident) => {
        impl $settings {
            fn plan(&self, method: &str, issuers: Option<Vec<String>>, keys: KeysPlan) -> Result<TokenPlan, Invalid> {
                Ok(TokenPlan {
                    place: self.place.clone().unwrap_or(DEFAULT_PLACE).into(),
                    keep: self.keep.unwrap_or(true),
                    issuers,
                    audience: audience(self.audience.as_ref(), method)?,
                    algorithms: algorithms(self.algorithms.as_ref(), method)?,
                    leeway: self.leeway.unwrap_or(DEFAULT_LEEWAY).get().as_secs(),
                    claims: self.claims.clone().unwrap_or_default(),
                    keys,
                })
            }

            fn fill(&mut self) {
                self.algorithms.get_or_insert_with(|| OneOrMany(Algorithm::ALL.to_vec()));
                self.leeway.get_or_insert(DEFAULT_LEEWAY);
                self.place.get_or_insert(DEFAULT_PLACE);
                self.keep.get_or_insert(true);
            }
        }
    };
}
token_plan!(JwtSettings);
token_plan!(OidcSettings);

const DEFAULT_PLACE: TokenPlace = TokenPlace::Header(Name(http::header::AUTHORIZATION));

/// The names, unless one of them stands for any.
fn named(names: &OneOrMany<String>) -> Option<Vec<String>> {
    (!names.iter().any(|name| name == ANY)).then(|| names.0.clone())
}

fn audience(given: Option<&OneOrMany<String>>, method: &str) -> Result<Option<Vec<String>>, Invalid> {
    let given = given.filter(|audience| !audience.is_empty()).ok_or_else(|| {
        let invalid = Invalid::new("there is no `audience`: a token that was issued for another service would do");
        invalid.at(method).hint("write whom the tokens are for (`aud`), or `audience: \"*\"` to take those for anyone")
    })?;
    Ok(named(given))
}

fn algorithms(given: Option<&OneOrMany<Algorithm>>, method: &str) -> Result<Vec<Algorithm>, Invalid> {
    match given {
        Some(given) if given.is_empty() => Err(Invalid::new("without `algorithms` no token is taken").at(method)),
        Some(given) => Ok(given.0.clone()),
        None => Ok(Algorithm::ALL.to_vec()),
    }
}

fn read(file: &Path) -> Result<KeySet, Invalid> {
    let document = std::fs::read(file).map_err(|error| Invalid::new(format!("the keys can't be read: {error}")))?;
    KeySet::read(&document).map_err(|error| Invalid::new(format!("this is no set of keys: {}", chain(&error))))
}
