//! The header of WS-Security that says who calls (Username Token Profile 1.0).

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::Secret;
use callgate_transform::xml::{Place, escape};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::config::UsernameToken;

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TOKEN: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// Why the header can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("user or password has a character that XML cannot hold")]
    Character,
    #[error("the system gives no random bytes")]
    Random(#[from] getrandom::Error),
    #[error("the clock shows a time that cannot be written")]
    Clock(#[from] time::error::Format),
}

/// Who the gateway is, ready to be written.
#[derive(Debug)]
pub(crate) struct Token {
    user: String,
    password: Secret,
    digest: bool,
}

impl Token {
    pub(crate) fn new(settings: &UsernameToken) -> Result<Self, TokenError> {
        let mut user = String::new();
        escape(&mut user, &settings.user, Place::Text).map_err(|_| TokenError::Character)?;
        escape(&mut String::new(), settings.password.expose(), Place::Text).map_err(|_| TokenError::Character)?;
        Ok(Self { user, password: settings.password.clone(), digest: settings.digest })
    }

    /// Writes the header, new for each message: its nonce and its time may be used once.
    pub(crate) fn write(&self, out: &mut String) -> Result<(), TokenError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        let now = OffsetDateTime::now_utc();
        let created =
            now.replace_nanosecond(now.nanosecond() / 1_000_000 * 1_000_000).unwrap_or(now).format(&Rfc3339)?;
        self.write_of(out, &nonce, &created)
    }

    fn write_of(&self, out: &mut String, nonce: &[u8], created: &str) -> Result<(), TokenError> {
        let kind = if self.digest { "PasswordDigest" } else { "PasswordText" };
        out.extend([
            "<wsse:Security xmlns:wsse=\"",
            WSSE,
            "\" xmlns:wsu=\"",
            WSU,
            "\" soap:mustUnderstand=\"1\"><wsse:UsernameToken><wsse:Username>",
            &self.user,
            "</wsse:Username><wsse:Password Type=\"",
            TOKEN,
            "#",
            kind,
            "\">",
        ]);
        if self.digest {
            let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            digest.update(nonce);
            digest.update(created.as_bytes());
            digest.update(self.password.expose().as_bytes());
            STANDARD.encode_string(digest.finish().as_ref(), out);
        } else {
            escape(out, self.password.expose(), Place::Text).map_err(|_| TokenError::Character)?;
        }
        out.extend(["</wsse:Password><wsse:Nonce EncodingType=\"", BASE64, "\">"]);
        STANDARD.encode_string(nonce, out);
        out.extend(["</wsse:Nonce><wsu:Created>", created, "</wsu:Created></wsse:UsernameToken></wsse:Security>"]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(digest: bool) -> String {
        let settings = UsernameToken { user: "a&b".to_owned(), password: Secret::new("p<w"), digest };
        let mut out = String::new();
        let token = Token::new(&settings).unwrap();
        token.write_of(&mut out, b"0123456789abcdef", "2026-01-31T08:30:00Z").unwrap();
        out
    }

    #[test]
    fn a_token_says_who_calls() {
        let text = written(false);
        assert!(text.contains("<wsse:Username>a&amp;b</wsse:Username>"), "{text}");
        assert!(text.contains("#PasswordText\">p&lt;w</wsse:Password>"), "{text}");
        assert!(text.contains(">MDEyMzQ1Njc4OWFiY2RlZg==</wsse:Nonce>"), "{text}");
    }

    #[test]
    fn a_digest_is_of_nonce_time_and_password() {
        // printf '0123456789abcdef2026-01-31T08:30:00Zp<w' | openssl sha1 -binary | base64
        let text = written(true);
        assert!(text.contains("#PasswordDigest\">2CkRK2B0uS24vxpwKypBPJRObBE=</wsse:Password>"), "{text}");
        assert!(!text.contains("p&lt;w"));
    }

    #[test]
    fn no_two_tokens_are_alike() {
        let settings = UsernameToken { user: "a".to_owned(), password: Secret::new("b"), digest: true };
        let token = Token::new(&settings).unwrap();
        let (mut one, mut other) = (String::new(), String::new());
        token.write(&mut one).unwrap();
        token.write(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
