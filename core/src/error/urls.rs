//! What addresses in a text give away: who logs in, and what queries carry.

const SHOWN: &str = "***";

/// The text, with user, password and the values of queries of all absolute URLs in it replaced.
pub(super) fn without_credentials(text: String) -> String {
    if !text.contains("://") {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = url.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).unwrap_or(url.len());
        // In a list of URLs the name of the next one's scheme looks like a port of this one.
        let next = url[..end].ends_with(':') && url[end..].starts_with("//");
        let (authority, after) = url.split_at(if next { end - 1 } else { end });
        match authority.rsplit_once('@') {
            Some((_, host)) => shown.extend([SHOWN, "@", host]),
            None => shown.push_str(authority),
        }
        rest = after;
        let end = after.find(is_end).unwrap_or(after.len());
        // A sentence's punctuation is none of the URL's.
        let tail = after[..end].trim_end_matches(['.', ',', ';', ':', ')']);
        if let Some((path, query)) = tail.split_once('?')
            && !path.contains("://")
        {
            shown.extend([path, "?"]);
            hide_values(query, &mut shown);
            rest = &after[tail.len()..];
        }
    }
    shown.push_str(rest);
    shown
}

fn is_end(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '<' | '>') || c.is_whitespace()
}

fn hide_values(query: &str, shown: &mut String) {
    for (index, pair) in query.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        if let Some((name, _)) = pair.split_once('=') {
            shown.extend([name, "="]);
        }
        shown.push_str(SHOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn users_passwords_and_values_of_queries_are_hidden() {
        for (text, expected) in [
            ("no connection to http://a.test:80/b", "no connection to http://a.test:80/b"),
            ("redis://:p4ss@a.test: refused", "redis://***@a.test: refused"),
            ("`amqps://me:p@ss@a.test/%2f` is down", "`amqps://***@a.test/%2f` is down"),
            ("nats://a:b@one.test,nats://c:d@two.test", "nats://***@one.test,nats://***@two.test"),
            ("nats://one.test,nats://c:d@two.test", "nats://one.test,nats://***@two.test"),
            (
                "(https://a.test/b?code=s3cret&sig=x%2F: 403), then `http://a.test?k`",
                "(https://a.test/b?code=***&sig=***: 403), then `http://a.test?***`",
            ),
            ("why? a=b, see http://a.test/c, really?", "why? a=b, see http://a.test/c, really?"),
            ("http://a.test/c?d=http://x:y@b.test", "http://a.test/c?d=***"),
            ("http://\u{e4}:\u{f6}@\u{fc}.test/\u{df}?\u{e4}=\u{f6}", "http://***@\u{fc}.test/\u{df}?\u{e4}=***"),
            ("://", "://"),
        ] {
            let shown = without_credentials(text.to_owned());
            assert_eq!(shown, expected);
            assert_eq!(without_credentials(shown), expected, "what is hidden is not touched again");
        }
    }
}
