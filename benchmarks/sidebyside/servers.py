"""How each server is started: one worker, its access log off, keep-alive without a limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .place import APPS, BUILD, PACKAGE, SERVER_CPU, VENV, free_port
from .processes import Server

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx-{port}.pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 8000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    keepalive_timeout 300s; open_file_cache max=1000; types {{ text/plain txt; }}
    client_body_temp_path {folder}/nginx-b; proxy_temp_path {folder}/nginx-p;
    fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u;
    scgi_temp_path {folder}/nginx-s;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3;
    {upstream}
    server {{
        listen 127.0.0.1:{port}{listen};
        location / {{ {location} }}
    }}
}}
"""
NGINX_UPSTREAM = (
    "upstream back {{ server 127.0.0.1:{port}; keepalive 200; keepalive_requests 1000000000; }}"
)
NGINX_PROXY = 'proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";'

H2O = """
user: root
num-threads: 1
pid-file: {folder}/h2o-{port}.pid
error-log: {folder}/h2o-{port}.errors
listen:
  host: 127.0.0.1
  port: {port}
{tls}
http1-request-timeout: 300
http2-idle-timeout: 300
hosts:
  default:
    paths:
      "/":
{paths}
"""
H2O_TLS = """  ssl:
    certificate-file: {folder}/cert.pem
    key-file: {folder}/key.pem
"""

HAPROXY = """
global
    nbthread 1
    maxconn 8000
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout client 300s
    timeout server 300s
    timeout connect 5s
    timeout http-keep-alive 300s
    http-reuse always
frontend in
    bind 127.0.0.1:{port}{bind}
{rules}
"""

CADDY = """
{{
    admin off
    auto_https off
    log {{
        level ERROR
    }}
}}
{scheme}://127.0.0.1:{port}, {scheme}://localhost:{port} {{
    {tls}
    {rules}
}}
"""


@dataclass
class Setting:
    """What every server of a case has in common."""

    folder: Path
    tls: bool = True
    file: str = "13.txt"
    upstream: int = 0
    app: str = ""
    h2: bool = False


def _herald_common(setting: Setting, port: int) -> list[str]:
    if not setting.tls:
        return ["--insecure-bind", f"127.0.0.1:{port}"]
    pair = ["--certfile", f"{setting.folder}/cert.pem", "--keyfile", f"{setting.folder}/key.pem"]
    return ["--bind", f"127.0.0.1:{port}", *pair]


def herald(setting: Setting, port: int) -> list[str]:
    target = str(setting.folder / "files")
    if setting.upstream:
        target = f"http://127.0.0.1:{setting.upstream}"
    # A free choice of this comparison: no deadline ends a connection the memory cases hold.
    common = [*_herald_common(setting, port), "--keep-alive", "300"]
    return [str(BUILD / "herald"), "serve", target, *common]


def nginx(setting: Setting, port: int) -> list[str]:
    config = setting.folder / f"nginx-{port}.conf"
    upstream = NGINX_UPSTREAM.format(port=setting.upstream) if setting.upstream else ""
    location = NGINX_PROXY if setting.upstream else f"root {setting.folder}/files;"
    listen = " ssl http2" if setting.tls else ""
    text = NGINX.format(
        folder=setting.folder, port=port, upstream=upstream, location=location, listen=listen
    )
    if "user" not in text:
        text = "user root;" + text
    config.write_text(text)
    return ["nginx", "-c", str(config)]


def h2o(setting: Setting, port: int) -> list[str]:
    config = setting.folder / f"h2o-{port}.conf"
    paths = f"        file.dir: {setting.folder}/files"
    if setting.upstream:
        paths = f'        proxy.reverse.url: "http://127.0.0.1:{setting.upstream}/"\n'
        paths += "        proxy.timeout.keepalive: 300000"
    tls = H2O_TLS.format(folder=setting.folder) if setting.tls else ""
    config.write_text(H2O.format(folder=setting.folder, port=port, paths=paths, tls=tls))
    return ["h2o", "-m", "worker", "-c", str(config)]


def nghttpd(setting: Setting, port: int) -> list[str]:
    pair = [f"{setting.folder}/key.pem", f"{setting.folder}/cert.pem"]
    return ["nghttpd", "-n1", "-a", "127.0.0.1", "-d", f"{setting.folder}/files", str(port), *pair]


def haproxy(setting: Setting, port: int) -> list[str]:
    config = setting.folder / f"haproxy-{port}.conf"
    if setting.upstream:
        rules = "    default_backend back\nbackend back\n"
        rules += f"    server one 127.0.0.1:{setting.upstream}"
    else:
        file = setting.folder / "files" / setting.file
        rules = f"    http-request return status 200 content-type text/plain file {file}"
    bind = f" ssl crt {setting.folder}/both.pem alpn h2,http/1.1" if setting.tls else ""
    config.write_text(HAPROXY.format(port=port, rules=rules, bind=bind))
    return ["haproxy", "-db", "-f", str(config)]


def caddy(setting: Setting, port: int) -> list[str]:
    config = setting.folder / f"caddy-{port}.conf"
    tls = f"tls {setting.folder}/cert.pem {setting.folder}/key.pem" if setting.tls else ""
    rules = f"root * {setting.folder}/files\n    file_server"
    if setting.upstream:
        rules = f"reverse_proxy 127.0.0.1:{setting.upstream}"
    scheme = "https" if setting.tls else "http"
    config.write_text(CADDY.format(port=port, scheme=scheme, tls=tls, rules=rules))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]


def herald_asgi(setting: Setting, port: int) -> list[str]:
    common = ["--app-dir", str(APPS), *_herald_common(setting, port)]
    return [str(VENV / "python"), "-m", "herald", "serve", setting.app, *common]


def uvicorn(setting: Setting, port: int) -> list[str]:
    command = [str(VENV / "uvicorn"), setting.app, "--app-dir", str(APPS), "--port", str(port)]
    return [*command, "--loop", "uvloop", "--http", "httptools", "--no-access-log"]


def gunicorn(setting: Setting, port: int) -> list[str]:
    # Its threads worker speaks WSGI; its asynchronous worker of release 25 and later, ASGI.
    command = [str(VENV / "gunicorn"), setting.app, "--chdir", str(APPS), "--workers", "1"]
    return [
        *command,
        "--worker-class",
        "asgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--keep-alive",
        "300",
    ]


def granian(setting: Setting, port: int) -> list[str]:
    command = [str(VENV / "granian"), setting.app, "--working-dir", str(APPS)]
    command += ["--interface", "asgi", "--loop", "uvloop", "--workers", "1", "--no-access-log"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--http", "2" if setting.h2 else "1"]
    if setting.tls:
        command += ["--ssl-certificate", f"{setting.folder}/cert.pem"]
        command += ["--ssl-keyfile", f"{setting.folder}/key.pem"]
    return command


def hypercorn(setting: Setting, port: int) -> list[str]:
    command = [str(VENV / "hypercorn"), setting.app, "--worker-class", "uvloop", "--workers", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "--keep-alive", "300"]
    if setting.tls:
        command += ["--certfile", f"{setting.folder}/cert.pem"]
        command += ["--keyfile", f"{setting.folder}/key.pem"]
    return command


COMMANDS: dict[str, Callable[[Setting, int], list[str]]] = {
    "herald": herald,
    "nginx": nginx,
    "h2o": h2o,
    "nghttpd": nghttpd,
    "haproxy": haproxy,
    "caddy": caddy,
    "herald-asgi": herald_asgi,
    "uvicorn": uvicorn,
    "gunicorn": gunicorn,
    "granian": granian,
    "hypercorn": hypercorn,
}


def make(name: str, setting: Setting, cpu: int = SERVER_CPU) -> Server:
    port = free_port()
    command = COMMANDS[name](setting, port)
    variables = {"GOMAXPROCS": "1", "PYTHONPATH": f"{PACKAGE}:{APPS}", "HOME": str(setting.folder)}
    shown = "herald" if name == "herald-asgi" else name
    return Server(shown, command, port, cpu, setting.folder / f"{name}-{port}.log", variables)
