"""HAProxy, with one thread for each worker."""
import shutil

FRAME = """
global
  nbthread {workers}
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option http-keep-alive
  http-reuse always
frontend in
  bind 127.0.0.1:{port}{bind}
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  {rules}
  default_backend origin
backend origin
  server one 127.0.0.1:{backend}
"""


def proxy(site, port, backend, row):
    binary = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if not binary or row.functions:
        return None
    rules, bind = [], ""
    if row.http2:
        bind = " proto h2"
    if row.tls:
        text = (site.folder / "cert.pem").read_text() + (site.folder / "key.pem").read_text()
        (site.folder / "both.pem").write_text(text)
        bind = f" ssl crt {site.folder}/both.pem"
    if row.headers:
        rules = [
            "http-request set-header X-Tenant t-%[req.hdr(x-account)]",
            'http-request set-header X-Origin "%[method] %[path]"',
            "http-request set-header X-Client %[src]",
        ]
    if row.routes > 1:
        table = site.folder / f"routes-{port}.map"
        table.write_text("".join(f"{path} origin\n" for path in row.paths()))
        rules.append(f"use_backend %[path,map({table})]")
    path = site.folder / f"haproxy-{port}.cfg"
    path.write_text(FRAME.format(workers=row.workers, port=port, backend=backend, bind=bind, rules="\n  ".join(rules)))
    return [binary, "-f", path, "-db"]
