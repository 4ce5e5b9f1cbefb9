//! Where the reply of an asynchronous call goes: a URL whose host no request can choose.

use callgate_core::{ErrorKind, Invalid, UpstreamError};
use callgate_transform::{Confined, Located, Scope, Text};
use http::{HeaderValue, Uri};

use crate::target::confined;

/// What has a meaning behind a URL's host: a value of the request must not bring it along.
const SPECIAL: &str = "/?#&=@\\";

/// A URL: what is written out, and the template that may follow.
#[derive(Debug)]
pub(crate) struct Callback {
    /// Scheme and host, up to the slash behind them where there is one.
    host: String,
    rest: Option<Confined>,
}

impl Callback {
    /// Reads a URL.
    pub(crate) fn compile(written: &Located<Text>) -> Result<Self, Invalid> {
        let hint = "write scheme and host out, without a user: `https://jobs.example.com/done/{{ params.id }}`";
        let wrong = || Invalid::new("this is no URL with a fixed host").at("callback_url").hint(hint);
        let source = written.value.as_str();
        let start =
            ["http://", "https://"].into_iter().find(|scheme| source.starts_with(scheme)).ok_or_else(wrong)?.len();
        let end = source[start..].find('/').map_or(source.len(), |slash| start + slash + 1);
        let (host, rest) = source.split_at(end);
        let uri: Uri = host.parse().map_err(|_| wrong())?;
        if uri.host().is_none_or(str::is_empty) || host.contains(['{', '}', '@', '?', '#']) {
            return Err(wrong());
        }
        let anything = [Located::nowhere("*".to_owned())];
        let behind = Located { value: written.value.behind(end), at: written.at };
        let rest = (!rest.is_empty()).then(|| confined(&behind, SPECIAL, &anything, "callback_url")).transpose()?;
        if let Some(constant) = rest.as_ref().and_then(Confined::as_constant) {
            format!("{host}{constant}").parse::<Uri>().map_err(|_| wrong())?;
        }
        Ok(Self { host: host.to_owned(), rest })
    }

    /// Whether the body has to be read whole for it.
    pub(crate) fn reads_body(&self) -> bool {
        self.rest.as_ref().is_some_and(Confined::reads_body)
    }

    /// The URL for a request.
    pub(crate) fn render(&self, scope: &Scope) -> Result<HeaderValue, UpstreamError> {
        let mut url = self.host.clone();
        if let Some(rest) = &self.rest {
            let text = rest
                .render(scope)
                .map_err(|cause| UpstreamError::unrendered("the callback's URL could not be rendered", cause))?;
            if text.split(['/', '?']).any(|part| matches!(part, "." | "..")) {
                return Err(unfit("a value leads out of the callback's path"));
            }
            url.push_str(&text);
        }
        HeaderValue::try_from(url).map_err(|_| unfit("a value does not fit into the callback's URL"))
    }
}

fn unfit(message: &'static str) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, message)
        .with_detail("A value of the request does not fit into the URL that it is meant for.")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_transform::{Exchange, Facts, Params};
    use http::Request;

    use super::*;

    fn render(source: &str, id: &str) -> Result<String, UpstreamError> {
        let facts = Facts {
            route: "r".into(),
            request_id: http::HeaderValue::from_static("1"),
            client_ip: None,
            params: Params::from(vec![("id".into(), id.into())]),
            claims: None,
        };
        let parts = Request::get("/").body(()).unwrap().into_parts().0;
        let scope = Scope::of_request(&parts, &Bytes::new().into(), &Exchange::new(facts));
        let callback = Callback::compile(&Located::nowhere(source.to_owned().into()))
            .unwrap_or_else(|invalid| panic!("{source}: {invalid:?}"));
        callback.render(&scope).map(|url| url.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_follows_the_host_may_be_a_template() {
        assert_eq!(render("https://jobs.example.com", "7").unwrap(), "https://jobs.example.com");
        assert_eq!(render("https://jobs.example.com/done", "7").unwrap(), "https://jobs.example.com/done");
        let source = "http://10.0.0.1:8080/{{ params.id }}/done?by={{ request_id }}";
        assert_eq!(render(source, "7").unwrap(), "http://10.0.0.1:8080/7/done?by=1");
    }

    #[test]
    fn a_clients_value_stays_in_its_place() {
        for id in ["a/b", "..", ".", "a?b", "a&b=c", "a#b", "@evil.test", "a b", "a\r\nx: y", "\\", ""] {
            let failed = render("https://jobs.example.com/{{ params.id }}/done", id).unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::BadInput, "{id:?}");
        }
    }

    #[test]
    fn a_url_without_a_fixed_host_is_refused() {
        for source in [
            "jobs.example.com/done",
            "/done",
            "ftp://a/b",
            "https://",
            "https:///x",
            "https://{{ params.id }}/",
            "https://a.{{ params.id }}/",
            "https://a{{ params.id }}",
            "https://u:p@a/",
            "https://a?b",
            "https://a/{{ oops",
            "https://a/b c",
        ] {
            assert_eq!(
                Callback::compile(&Located::nowhere(source.to_owned().into())).unwrap_err().field,
                "callback_url",
                "{source}"
            );
        }
    }
}
