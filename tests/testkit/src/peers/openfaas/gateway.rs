use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, HOST},
    request::Parts,
};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    OpenFaas, State, functions, lock, queue,
    reply::{AnyBody, Reply, reply, with},
};

pub(super) const CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
pub(super) const START_TIME: HeaderName = HeaderName::from_static("x-start-time");
pub(super) const DURATION: HeaderName = HeaderName::from_static("x-duration-seconds");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A function as a path names it.
pub(super) struct Called {
    pub(super) name: String,
    pub(super) namespace: String,
}

pub(super) async fn answer(request: Request<Incoming>, peer: SocketAddr, state: Arc<State>) -> Reply {
    let path = request.uri().path();
    if path == "/system/functions" {
        return list(&request, &state);
    }
    if let Some((called, below)) = path.strip_prefix("/function/").and_then(named) {
        let (mut head, body) = rooted(request, &below);
        stamp(&mut head, peer, &state);
        let stamped = head.headers.clone();
        let body = UnsyncBoxBody::new(body.map_err(std::io::Error::other));
        let mut reply = call(&called, Request::from_parts(head, body), &state).await;
        for name in [CALL_ID, START_TIME, FORWARDED_FOR, FORWARDED_HOST] {
            if let Some(value) = stamped.get(&name) {
                reply.headers_mut().insert(name, value.clone());
            }
        }
        return reply;
    }
    if let Some((called, below)) = path.strip_prefix("/async-function/").and_then(named) {
        if request.method() != Method::POST {
            return reply(405, "");
        }
        let given = request.headers().contains_key(CALL_ID);
        let (mut head, body) = rooted(request, &below);
        stamp(&mut head, peer, &state);
        let Ok(body) = body.collect().await else { return reply(400, "the request's body broke") };
        let mut accepted = reply(202, "");
        accepted.headers_mut().extend(head.headers.get(&START_TIME).cloned().map(|value| (START_TIME, value)));
        if !given {
            accepted.headers_mut().extend(head.headers.get(&CALL_ID).cloned().map(|value| (CALL_ID, value)));
        }
        lock(&state.queue).spawn(queue::work(called, head, body.to_bytes(), Arc::clone(&state)));
        return accepted;
    }
    with(reply(404, "404 page not found\n"), "content-type", "text/plain; charset=utf-8")
}

/// The function that a path begins with, and what follows; `None` for a name that is none.
fn named(path: &str) -> Option<(Called, String)> {
    let (called, below) = path.split_at(path.find('/').unwrap_or(path.len()));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if called.is_empty() || !called.bytes().all(fits) {
        return None;
    }
    let (name, namespace) = called.rsplit_once('.').unwrap_or((called, OpenFaas::NAMESPACE));
    let called = Called { name: name.to_owned(), namespace: namespace.to_owned() };
    Some((called, if below.is_empty() { "/".to_owned() } else { below.to_owned() }))
}

/// The request as the function sees it: its path begins behind the function's name.
fn rooted(request: Request<Incoming>, below: &str) -> (Parts, Incoming) {
    let (mut head, body) = request.into_parts();
    let target = head.uri.query().map_or(below.to_owned(), |query| format!("{below}?{query}"));
    head.uri = target.parse().unwrap_or_else(|_| Uri::from_static("/"));
    (head, body)
}

/// The headers that the gateway adds.
fn stamp(head: &mut Parts, peer: SocketAddr, state: &State) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let id = format!("00000000-0000-4000-8000-{:012x}", state.ids.fetch_add(1, Ordering::SeqCst));
    let host = head.headers.get(HOST).cloned();
    let headers = &mut head.headers;
    headers.extend(HeaderValue::try_from(now.to_string()).ok().map(|value| (START_TIME, value)));
    let missing = [
        (CALL_ID, HeaderValue::try_from(id).ok()),
        (FORWARDED_FOR, HeaderValue::try_from(peer.to_string()).ok()),
        (FORWARDED_HOST, host),
    ];
    for (name, value) in missing {
        if let Some(value) = value {
            headers.entry(name).or_insert(value);
        }
    }
}

/// Calls a function, for as long as the gateway waits.
pub(super) async fn call(called: &Called, request: Request<AnyBody>, state: &Arc<State>) -> Reply {
    let Called { name, namespace } = called;
    if !lock(&state.functions).contains(&(namespace.clone(), name.clone())) {
        let text = format!("error finding function {name}.{namespace}: server returned non-200 status code (404)");
        return with(reply(404, text), "content-type", "text/plain; charset=utf-8");
    }
    let started = Instant::now();
    let limit = *lock(&state.write_timeout);
    let Ok(mut outcome) = tokio::time::timeout(limit, functions::run(name, request, state)).await else {
        return reply(200, "");
    };
    if outcome.by_watchdog {
        let taken = HeaderValue::try_from(format!("{:.6}", started.elapsed().as_secs_f64()));
        outcome.reply.headers_mut().extend(taken.ok().map(|taken| (DURATION, taken)));
    }
    outcome.reply
}

fn list(request: &Request<Incoming>, state: &State) -> Reply {
    if !is_admin(request.headers()) {
        return with(reply(401, "invalid credentials\n"), "www-authenticate", "Basic realm=\"Restricted\"");
    }
    state.lists.fetch_add(1, Ordering::SeqCst);
    let query = request.uri().query().unwrap_or_default().split('&');
    let namespace = query.filter_map(|pair| pair.strip_prefix("namespace=")).next().unwrap_or(OpenFaas::NAMESPACE);
    let functions: Vec<Value> = lock(&state.functions)
        .iter()
        .filter(|(space, _)| space == namespace)
        .map(|(space, name)| {
            json!({
                "name": name, "image": format!("functions/{name}:latest"), "namespace": space, "replicas": 1,
                "availableReplicas": 1, "invocationCount": 0, "labels": {}, "annotations": {},
            })
        })
        .collect();
    with(reply(200, Value::from(functions).to_string()), "content-type", "application/json")
}

fn is_admin(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", OpenFaas::USER, OpenFaas::PASSWORD)));
    headers.get(AUTHORIZATION).is_some_and(|given| given == expected.as_str())
}
