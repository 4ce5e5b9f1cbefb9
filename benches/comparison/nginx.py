"""nginx: the backend of all rows, and a contender."""
import os
import shutil

FRAME = """
daemon off; {processes} pid {folder}/{name}.pid; error_log stderr crit;
worker_rlimit_nofile 16384;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/{name}-c; proxy_temp_path {folder}/{name}-p; fastcgi_temp_path {folder}/{name}-f;
  uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {outside}
  server {{ listen 127.0.0.1:{port} backlog=8192 {listen}; {server} }}
}}
"""


def command(site, name, port, server, outside="", listen="", workers=1):
    processes = "master_process off; worker_processes 1;"
    if workers > 1:
        # Its workers become nobody, unless they are told not to.
        processes = f"worker_processes {workers};{' user root;' if os.getuid() == 0 else ''}"
        listen += " reuseport"
    path = site.folder / f"{name}.conf"
    path.write_text(
        FRAME.format(processes=processes, folder=site.folder, name=name, port=port, server=server, outside=outside, listen=listen)
    )
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", site.folder, "-c", path]


MEDIA_TYPES = {"": "application/json", "soap": "text/xml; charset=utf-8", "grpc": "application/grpc"}


def origin(site, port, body, kind=""):
    """Answers every request with the body."""
    media_type = MEDIA_TYPES[kind]
    (site.folder / "body").write_text(body)
    server = f"""root {site.folder}; default_type '{media_type}'; open_file_cache max=4; sendfile on; tcp_nopush on;
      client_max_body_size 1m; client_body_buffer_size 64k; error_page 405 =200 /body;
      location / {{ rewrite ^ /body break; }}"""
    if kind == "grpc":
        # Binary, and with the status behind it.
        (site.folder / "body").write_bytes(body.encode("latin-1"))
        return command(site, "origin", port, f"{server} add_trailer grpc-status 0 always;", listen="http2")
    if len(body) < 4000:
        server = f"""client_max_body_size 1m; client_body_buffer_size 64k;
          location / {{ default_type '{media_type}'; return 200 '{body}'; }}"""
    return command(site, "origin", port, server)


def proxy(site, port, backend, row):
    if row.functions:
        return None
    passed = """proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Request-Id $request_id; client_body_buffer_size 64k; proxy_buffers 16 8k;"""
    if row.headers:
        passed += """proxy_set_header X-Tenant "t-$http_x_account"; proxy_set_header X-Origin "$request_method $uri";
          proxy_set_header X-Client "$remote_addr";"""
    outside = f"upstream origin {{ server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 100000000; }}"
    listen = ""
    if row.http2:
        listen = "http2"
    if row.tls:
        listen = "ssl"
        outside += f"ssl_certificate {site.folder}/cert.pem; ssl_certificate_key {site.folder}/key.pem;"
    paths = row.paths() or ["/"]
    exact = "= " if row.routes > 1 else ""
    server = "\n".join(f"location {exact}{path} {{ {passed} }}" for path in paths)
    return command(site, f"nginx-{port}", port, server, outside, listen, row.workers)
