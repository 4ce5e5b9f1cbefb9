//! What a first configuration says of each kind.

/// An upstream to begin with.
pub(super) struct Start {
    pub(super) kind: &'static str,
    /// The upstream's lines, with its name.
    pub(super) upstream: &'static str,
    /// The path that leads to it.
    pub(super) matches: &'static str,
    /// The function.
    pub(super) to: &'static str,
    /// A command that shows it at work.
    pub(super) attempt: &'static str,
    /// What else it needs, beside the configuration.
    pub(super) files: &'static [(&'static str, &'static str)],
}

const HELLO: Start = Start {
    kind: "",
    upstream: "",
    matches: "GET /hello/{name}",
    to: "functions/hello",
    attempt: "curl -s http://127.0.0.1:8080/hello/ada",
    files: &[],
};
const PUBLISH: Start = Start {
    matches: "POST /orders",
    to: "events/orders",
    attempt: "curl -s -d 'one coffee' http://127.0.0.1:8080/orders",
    ..HELLO
};

pub(super) const KINDS: [Start; 11] = [
    Start {
        kind: "echo",
        upstream: "# It answers with the request itself, until there is something better to call.\nfunctions:\n  echo: {}",
        to: "functions",
        ..HELLO
    },
    Start {
        kind: "rest",
        upstream: "# A service, or several: `endpoints: [\"http://10.0.0.4:9000\", \"http://10.0.0.5:9000\"]`.\n\
                   service:\n  rest: {url: \"http://127.0.0.1:9000\"}\n  retry: {attempts: 2}",
        matches: "/hello/{name}",
        to: "service",
        ..HELLO
    },
    Start {
        kind: "lambda",
        upstream: "# Credentials are found as AWS's own tools find them: variables, profiles, roles of containers and instances.\n\
                   functions:\n  lambda: {region: eu-west-1}",
        ..HELLO
    },
    Start {
        kind: "local",
        upstream: "# A Lambda function as a process of the gateway: hello.py, beside this file. `watch` starts it anew when it changes.\n\
                   functions:\n  local: {}\n  functions:\n    hello: {runtime: python3, handler: hello.handler, watch: true}",
        files: &[("hello.py", include_str!("hello.py"))],
        ..HELLO
    },
    Start {
        kind: "gcf",
        upstream: "# `credentials: none` is for a function that everybody may call. Without it the gateway's own identity is sent.\n\
                   functions:\n  gcf: {url: \"http://127.0.0.1:8090\", credentials: none}",
        to: "functions",
        ..HELLO
    },
    Start {
        kind: "azure",
        upstream: "# A function app; on Azure: `azure: {app: my-app}`, with `credentials` for functions that want a key.\n\
                   functions:\n  azure: {url: \"http://127.0.0.1:7071\"}\n  functions:\n    hello: {auth_level: anonymous}",
        ..HELLO
    },
    Start {
        kind: "openfaas",
        upstream: "# `callgate discover FILE functions` lists what is deployed, with `credentials` in place.\n\
                   functions:\n  openfaas: {url: \"http://127.0.0.1:8081\"}\n  timeout: 65s",
        ..HELLO
    },
    Start {
        kind: "nats",
        upstream: "# A published message is answered 202 when the server has it; `mode: jetstream` waits until a stream has it.\n\
                   events:\n  nats: {servers: \"nats://127.0.0.1:4222\"}",
        ..PUBLISH
    },
    Start {
        kind: "amqp",
        upstream: "# A message is answered 202 when the broker has confirmed it. `declare` creates the queue if it is not there.\n\
                   events:\n  amqp: {url: \"amqp://127.0.0.1:5672\", declare: {queues: {orders: {}}}}",
        ..PUBLISH
    },
    Start {
        kind: "grpc",
        upstream: "# gRPC is passed through. With `reflection: true`, or `descriptors: shop.proto`, methods take JSON too.\n\
                   service:\n  grpc: {url: \"http://127.0.0.1:50051\"}",
        matches: "/{*rest}",
        to: "{upstream: service}",
        attempt: "grpcurl -plaintext 127.0.0.1:8080 list",
        ..HELLO
    },
    Start {
        kind: "soap",
        upstream: "# hello.wsdl beside this file names the service's address and its operations; put your own in its place.\n\
                   service:\n  soap: {wsdl: hello.wsdl}\n  functions:\n    hello: {operation: greet, input: {name: \"{{ params.name }}\"}}",
        to: "service/hello",
        files: &[("hello.wsdl", include_str!("hello.wsdl"))],
        ..HELLO
    },
];
