//! The name of a Lambda function, in each form that Lambda's Invoke API takes.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A function's name: `create-order`, `123456789012:function:create-order` or
/// `arn:aws:lambda:eu-west-1:123456789012:function:create-order`, each with an optional `:qualifier` (a version, an
/// alias or `$LATEST`).
///
/// The forms follow the `FunctionName` parameter of
/// [Invoke](https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName {
    location: Option<Location>,
    account: Option<Box<str>>,
    name: Box<str>,
    qualifier: Option<Qualifier>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Location {
    partition: Box<str>,
    region: Box<str>,
}

/// A version, an alias, or `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Qualifier(Box<str>);

/// What is wrong with a function's name or qualifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text has none of the forms.
    #[error(
        "`{0}` is no name of a Lambda function; write a name (`create-order`), a partial ARN \
         (`123456789012:function:create-order`) or a full one \
         (`arn:aws:lambda:eu-west-1:123456789012:function:create-order`), each with `:qualifier` if needed"
    )]
    Form(String),
    /// A character that Lambda allows in no name.
    #[error("`{0}` is no name of a Lambda function: 1 to 140 letters, digits, `-`, `_` and `.` are allowed")]
    Name(String),
    /// The account is not an account's id.
    #[error("`{0}` is no AWS account: an account has 12 digits")]
    Account(String),
    /// The qualifier is none.
    #[error("`{0}` is no qualifier: 1 to 128 letters, digits, `-` and `_` (a version, an alias) or `$LATEST`")]
    Qualifier(String),
}

impl FunctionName {
    /// The region that a full ARN names.
    pub(crate) fn region(&self) -> Option<&str> {
        self.location.as_ref().map(|location| &*location.region)
    }

    /// The account that an ARN names.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The qualifier that stands in the name itself.
    pub(crate) fn qualifier(&self) -> Option<&Qualifier> {
        self.qualifier.as_ref()
    }

    /// The function's own name, without anything around it.
    pub(crate) fn bare(&self) -> &str {
        &self.name
    }

    /// The name as the service is asked for it, without its qualifier: the full ARN as soon as an account is known,
    /// since a partial one says nothing that the ARN doesn't.
    pub(crate) fn resolved(&self, region: &str, account: Option<&str>) -> String {
        let Some(account) = self.account.as_deref().or(account) else {
            return self.name.to_string();
        };
        let partition = match &self.location {
            Some(location) => &*location.partition,
            None => crate::region::partition(region).name,
        };
        format!("arn:{partition}:lambda:{region}:{account}:function:{}", self.name)
    }
}

impl Qualifier {
    /// Whether it names an alias, and not a version.
    pub(crate) fn is_alias(&self) -> bool {
        &*self.0 != "$LATEST" && !self.0.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the text is the id of an AWS account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn account(text: &str) -> Result<Box<str>, NameError> {
    if is_account(text) { Ok(text.into()) } else { Err(NameError::Account(text.to_owned())) }
}

fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    parts.next().is_some_and(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase()))
        && text.split('-').count() >= 3
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let form = || NameError::Form(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (location, owner, rest) = match *parts {
            ["arn", partition, "lambda", region, owner, "function", ref rest @ ..] => {
                if !partition.starts_with("aws") || !is_region(region) {
                    return Err(form());
                }
                let location = Location { partition: partition.into(), region: region.into() };
                (Some(location), Some(account(owner)?), rest)
            }
            ["arn", ..] => return Err(form()),
            [owner, "function", ref rest @ ..] => (None, Some(account(owner)?), rest),
            // `function:name` is a partial ARN too, unless it is a function named "function" and a qualifier: Lambda
            // itself reads the former.
            ["function", ref rest @ ..] if !rest.is_empty() => (None, None, rest),
            ref rest => (None, None, rest),
        };
        let (name, qualifier) = match *rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier.parse()?)),
            _ => return Err(form()),
        };
        let fits = (1..=140).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !fits {
            return Err(NameError::Name(name.to_owned()));
        }
        Ok(Self { location, account: owner, name: name.into(), qualifier })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Location { partition, region }) = &self.location {
            write!(f, "arn:{partition}:lambda:{region}:")?;
        }
        if let Some(account) = &self.account {
            write!(f, "{account}:function:")?;
        }
        f.write_str(&self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{}", qualifier.as_str()),
            None => Ok(()),
        }
    }
}

impl FromStr for Qualifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if fits || text == "$LATEST" { Ok(Self(text.into())) } else { Err(NameError::Qualifier(text.to_owned())) }
    }
}

impl TryFrom<String> for FunctionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for Qualifier {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Qualifier> for String {
    fn from(qualifier: Qualifier) -> Self {
        qualifier.0.into()
    }
}

impl JsonSchema for FunctionName {
    fn schema_name() -> Cow<'static, str> {
        "LambdaFunctionName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A Lambda function: its name, a partial or a full ARN, each with an optional `:qualifier`.",
            "examples": [
                "create-order",
                "create-order:live",
                "123456789012:function:create-order",
                "arn:aws:lambda:eu-west-1:123456789012:function:create-order"
            ]
        })
    }
}

impl JsonSchema for Qualifier {
    fn schema_name() -> Cow<'static, str> {
        "LambdaQualifier".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A version, an alias, or `$LATEST`.",
            "pattern": "^(\\$LATEST|[A-Za-z0-9_-]{1,128})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> FunctionName {
        text.parse().unwrap()
    }

    #[test]
    fn every_form_of_the_invoke_api_is_read_and_written_back() {
        for text in [
            "create-order",
            "create-order:live",
            "create-order:$LATEST",
            "123456789012:function:create-order",
            "123456789012:function:create-order:7",
            "arn:aws:lambda:eu-west-1:123456789012:function:create-order",
            "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f.v2_x:live",
        ] {
            assert_eq!(name(text).to_string(), text);
        }
        assert_eq!(name("function:f").to_string(), "f");
    }

    #[test]
    fn a_known_account_makes_the_full_arn() {
        assert_eq!(name("f:live").resolved("eu-west-1", None), "f");
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        assert_eq!(name("123456789012:function:f").resolved("eu-west-1", None), arn);
        assert_eq!(name("f:live").resolved("eu-west-1", Some("123456789012")), arn);
        assert_eq!(name(arn).resolved("eu-west-1", Some("999999999999")), arn, "the name's own account wins");
        assert_eq!(
            name("f").resolved("cn-north-1", Some("123456789012")),
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let error = |text: &str| text.parse::<FunctionName>().unwrap_err().to_string();
        assert!(error("a/b").contains("letters, digits, `-`, `_` and `.`"));
        assert!(error("").contains("1 to 140"));
        assert!(error("12:function:f").contains("12 digits"));
        assert!(error("arn:aws:sqs:eu-west-1:123456789012:queue").contains("a full one"));
        assert!(error("arn:aws:lambda:nowhere:123456789012:function:f").contains("a full one"));
        assert!(error("f:a b").contains("no qualifier"));
        assert!(error("f:a:b").contains("a partial ARN"));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_what_is_read_is_written_back_alike(text in "[a-z0-9:$.A-Z/_-]{0,80}") {
            if let Ok(name) = text.parse::<FunctionName>() {
                prop_assert_eq!(name.to_string().parse::<FunctionName>().unwrap(), name);
            }
        }

        #[test]
        fn valid_parts_always_make_a_valid_name(
            bare in "[a-zA-Z0-9_-]{1,64}", account in "[0-9]{12}", alias in "[a-zA-Z0-9_-]{1,20}",
        ) {
            prop_assume!(bare != "function" && bare != "arn");
            for text in [bare.clone(), format!("{account}:function:{bare}"), format!("{bare}:{alias}")] {
                prop_assume!(alias != "function");
                prop_assert_eq!(name(&text).to_string(), text);
            }
        }
    }
}
