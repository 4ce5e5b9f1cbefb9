//! Signature version 4, made for invocations: the key of the day is derived once and kept, and no text is built twice.
//!
//! Keys are derived by `aws-sigv4`. The canonical request is put together and signed here, because the crate derives the key
//! anew and copies all headers for every request; a property test holds both to the same result.
//! Specification: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use aws_credential_types::Credentials;
use aws_lc_rs::{digest, hmac};
use aws_sigv4::sign::v4::generate_signing_key;
use bytes::Bytes;
use http::{HeaderValue, header::InvalidHeaderValue};
use time::OffsetDateTime;

/// A moment in the form that signatures want: `20150830T123600Z`.
pub(crate) struct Timestamp {
    time: SystemTime,
    text: [u8; 16],
}

impl Timestamp {
    pub(crate) fn at(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let utc = OffsetDateTime::UNIX_EPOCH
            .saturating_add(time::Duration::seconds(i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX)));
        let mut text = *b"00000000T000000Z";
        digits(&mut text[0..4], u32::from(utc.year().unsigned_abs() as u16));
        digits(&mut text[4..6], u32::from(u8::from(utc.month())));
        digits(&mut text[6..8], u32::from(utc.day()));
        digits(&mut text[9..11], u32::from(utc.hour()));
        digits(&mut text[11..13], u32::from(utc.minute()));
        digits(&mut text[13..15], u32::from(utc.second()));
        Self { time, text }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    fn date(&self) -> &[u8] {
        &self.text[..8]
    }
}

fn digits(to: &mut [u8], mut number: u32) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// What is signed beside headers and body, already in canonical form: the path's escapes escaped once more, the
/// query's names in order.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

/// One set of credentials, ready to sign requests to one service in one region.
pub(crate) struct Signer {
    credentials: Credentials,
    session_token: Option<HeaderValue>,
    region: Box<str>,
    service: &'static str,
    day: ArcSwap<DayKey>,
}

/// The key of a day. It is as good as the secret itself until midnight, so it has no Debug.
struct DayKey {
    date: [u8; 8],
    key: hmac::Key,
}

impl Signer {
    /// # Errors
    /// The session token holds what no header may hold.
    pub(crate) fn new(
        credentials: Credentials,
        region: &str,
        service: &'static str,
    ) -> Result<Self, InvalidHeaderValue> {
        let session_token = match credentials.session_token() {
            Some(token) => {
                let mut value = HeaderValue::from_str(token)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let key = derive(&credentials, &Timestamp::at(SystemTime::now()), region, service);
        Ok(Self { credentials, session_token, region: region.into(), service, day: ArcSwap::from_pointee(key) })
    }

    /// The value of `x-amz-security-token`, which has to be among the signed headers.
    pub(crate) fn session_token(&self) -> Option<&HeaderValue> {
        self.session_token.as_ref()
    }

    /// The value of `authorization`. `headers` are sorted by their lower-case names and hold `host`, `x-amz-date` with
    /// this very time, and no value with leading, trailing or doubled spaces.
    pub(crate) fn sign(
        &self,
        time: &Timestamp,
        head: &Head<'_>,
        headers: &[(&str, &[u8])],
        body: &[u8],
    ) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut text = Vec::with_capacity(1024);
        for part in [head.method, "\n", head.path, "\n", head.query, "\n"] {
            text.extend_from_slice(part.as_bytes());
        }
        for (name, value) in headers {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        text.push(b'\n');
        names(&mut text, headers);
        text.push(b'\n');
        hex(&mut text, digest::digest(&digest::SHA256, body).as_ref());
        let request = digest::digest(&digest::SHA256, &text);

        text.clear();
        text.extend_from_slice(b"AWS4-HMAC-SHA256\n");
        text.extend_from_slice(time.as_bytes());
        text.push(b'\n');
        self.scope(&mut text, time);
        text.push(b'\n');
        hex(&mut text, request.as_ref());
        let signature = hmac::sign(&self.key(time).key, &text);

        text.clear();
        text.extend_from_slice(b"AWS4-HMAC-SHA256 Credential=");
        text.extend_from_slice(self.credentials.access_key_id().as_bytes());
        text.push(b'/');
        self.scope(&mut text, time);
        text.extend_from_slice(b", SignedHeaders=");
        names(&mut text, headers);
        text.extend_from_slice(b", Signature=");
        hex(&mut text, signature.as_ref());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(text))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn scope(&self, to: &mut Vec<u8>, time: &Timestamp) {
        to.extend_from_slice(time.date());
        for part in ["/", &self.region, "/", self.service, "/aws4_request"] {
            to.extend_from_slice(part.as_bytes());
        }
    }

    /// The key of the time's day. Around midnight, or when the clock was set, a few calls may derive one side by side, each
    /// that of its own day.
    fn key(&self, time: &Timestamp) -> arc_swap::Guard<Arc<DayKey>> {
        let day = self.day.load();
        if day.date == time.date() {
            return day;
        }
        let derived = Arc::new(derive(&self.credentials, time, &self.region, self.service));
        self.day.store(Arc::clone(&derived));
        arc_swap::Guard::from_inner(derived)
    }
}

fn derive(credentials: &Credentials, time: &Timestamp, region: &str, service: &str) -> DayKey {
    let derived = generate_signing_key(credentials.secret_access_key(), time.time, region, service);
    let mut date = [0; 8];
    date.copy_from_slice(time.date());
    DayKey { date, key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }
}

fn names(to: &mut Vec<u8>, headers: &[(&str, &[u8])]) {
    for (index, (name, _)) in headers.iter().enumerate() {
        if index > 0 {
            to.push(b';');
        }
        to.extend_from_slice(name.as_bytes());
    }
}

/// Writes a hash of 32 bytes.
fn hex(to: &mut Vec<u8>, hash: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    to.extend_from_slice(&text);
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.credentials.access_key_id())
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use proptest::prelude::*;

    use super::*;

    /// 2015-08-30T12:36:00Z, the moment of AWS's published examples.
    const EXAMPLE: Duration = Duration::from_secs(1_440_938_160);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signer(token: Option<&str>, service: &'static str) -> Signer {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
        Signer::new(credentials, "us-east-1", service).unwrap()
    }

    fn example(signer: &Signer, head: &Head<'_>, headers: &[(&str, &[u8])], body: &[u8]) -> String {
        let time = Timestamp::at(UNIX_EPOCH + EXAMPLE);
        assert_eq!(time.as_bytes(), b"20150830T123600Z");
        signer.sign(&time, head, headers, body).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn the_documented_example_gets_the_documented_signature() {
        let head = Head { method: "GET", path: "/", query: "Action=ListUsers&Version=2010-05-08" };
        let headers: [(&str, &[u8]); 3] = [
            ("content-type", b"application/x-www-form-urlencoded; charset=utf-8"),
            ("host", b"iam.amazonaws.com"),
            ("x-amz-date", b"20150830T123600Z"),
        ];
        assert_eq!(
            example(&signer(None, "iam"), &head, &headers, b""),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    /// From AWS's signature version 4 test suite: `post-x-www-form-urlencoded` and `post-sts-header-before`.
    #[test]
    fn the_published_test_suite_passes_with_a_body_and_with_a_session_token() {
        let head = Head { method: "POST", path: "/", query: "" };
        let headers: [(&str, &[u8]); 5] = [
            ("content-length", b"13"),
            ("content-type", b"application/x-www-form-urlencoded"),
            ("host", b"example.amazonaws.com"),
            ("x-amz-content-sha256", b"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
            ("x-amz-date", b"20150830T123600Z"),
        ];
        let value = example(&signer(None, "service"), &head, &headers, b"Param1=value1");
        assert!(value.ends_with("Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"));

        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo\
                     IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDv\
                     p75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9\
                     FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let headers: [(&str, &[u8]); 3] = [
            ("host", b"example.amazonaws.com"),
            ("x-amz-date", b"20150830T123600Z"),
            ("x-amz-security-token", token.as_bytes()),
        ];
        let value = example(&signer(Some(token), "service"), &head, &headers, b"");
        assert!(value.ends_with("Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"));
    }

    #[test]
    fn the_key_follows_the_date_in_both_directions() {
        let signer = signer(None, "iam");
        let head = Head { method: "GET", path: "/", query: "" };
        let at = |seconds: u64| {
            let time = Timestamp::at(UNIX_EPOCH + EXAMPLE + Duration::from_secs(seconds));
            signer.sign(&time, &head, &[("host", b"x"), ("x-amz-date", time.as_bytes())], b"").unwrap()
        };
        let (today, tomorrow) = (at(0), at(86_400));
        assert_ne!(today, tomorrow);
        assert_eq!(at(0), today);
    }

    #[test]
    fn secrets_are_not_printed() {
        let signer = signer(Some("the-session-token"), "lambda");
        let shown = format!("{signer:?} {:?}", signer.session_token());
        assert!(!shown.contains(SECRET) && !shown.contains("the-session-token"), "{shown}");
        let time = Timestamp::at(SystemTime::now());
        let head = Head { method: "POST", path: "/", query: "" };
        let authorization = signer.sign(&time, &head, &[("host", b"x")], b"").unwrap();
        assert_eq!(format!("{authorization:?}"), "Sensitive");
    }

    /// What the official crate makes of the same request, as it is sent.
    fn official(uri: &str, headers: &[(&str, &str)], body: &[u8], token: Option<String>, time: SystemTime) -> String {
        let identity = Credentials::new("AKIDEXAMPLE", SECRET, token, None, "test").into();
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("lambda")
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let request = SignableRequest::new("POST", uri, headers.iter().copied(), SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let (_, value) = instructions.headers().find(|(name, _)| *name == "authorization").unwrap();
        value.to_owned()
    }

    proptest! {
        #[test]
        fn signs_as_the_official_crate_does(
            name in "(arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3A)?[a-zA-Z0-9_-]{1,20}",
            query in prop::option::of("Qualifier=(%24LATEST|[a-z0-9]{1,8})"),
            token in prop::option::of("[A-Za-z0-9/+=]{20,60}"),
            body in prop::collection::vec(any::<u8>(), 0..200),
            seconds in 0_u64..4_000_000_000,
        ) {
            let path = format!("/2015-03-31/functions/{name}/invocations");
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let stamp = Timestamp::at(time);
            let date = String::from_utf8(stamp.as_bytes().to_vec()).unwrap();
            let mut headers = vec![
                ("content-type", "application/json"), ("host", "localhost:4566"), ("x-amz-date", &date),
                ("x-amz-invocation-type", "Event"),
            ];
            let query = query.unwrap_or_default();
            let uri = format!("http://localhost:4566{path}?{query}");
            let sent: Vec<_> = headers.iter().copied().filter(|(name, _)| *name != "x-amz-date").collect();
            let expected = official(&uri, &sent, &body, token.clone(), time);
            if let Some(token) = &token {
                headers.push(("x-amz-security-token", token));
            }
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let canonical = path.replace('%', "%25");
            let head = Head { method: "POST", path: &canonical, query: &query };
            let ours = signer(token.as_deref(), "lambda").sign(&stamp, &head, &headers, &body).unwrap();
            prop_assert_eq!(ours.to_str().unwrap(), expected);
        }
    }
}
