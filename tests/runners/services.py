"""Real servers for the http runner to meet: one that answers as the path says, and silent ones."""

import datetime as dt
import json
import socket
import ssl
import threading
from contextlib import ExitStack, contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from executions.runners.base import Context
from executions.runners.connection import Allowed
from executions.runners.http import Http
from executions.runners.output import OutputBuffer
from executions.runners.redaction import Redaction


class Service(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self):
        getattr(self, "answer_" + self.path.strip("/").split("?")[0])()

    do_POST = do_GET  # noqa: N815 (http.server's name)

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self):
        length = int(self.headers.get("Content-Length", 0))
        said = {
            "method": self.command,
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "host": self.headers["Host"],
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        self.reply(200, json.dumps(said).encode(), Content_Type="application/json")

    def answer_mirror(self):
        self.reply(500, self.rfile.read(int(self.headers["Content-Length"])))

    def answer_broken(self):
        self.reply(500, b"out of order")

    def answer_hostile(self):
        self.reply(200, b'{"\\u0000": "\\ud800"}', Content_Type="application/json")

    def answer_busy(self):
        self.server.calls += 1
        if self.server.calls < 3:
            self.reply(429, Retry_After="0.1")
        else:
            self.reply(200, b"at last")

    def answer_busy_until(self):
        self.server.calls += 1
        if self.server.calls > 1:
            self.reply(200, b"at last")
            return
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        self.reply(503, Retry_After=format_datetime(moment, usegmt=True))

    def answer_closed_for_today(self):
        self.reply(503, Retry_After="86400")

    def answer_away(self):
        self.reply(302, Location="http://private.example/json")

    def answer_to(self):
        self.reply(307, Location=self.path.partition("?")[2])

    def answer_round(self):
        self.reply(302, Location="/round")

    def answer_moved(self):
        self.reply(307, Location="/json")

    def answer_endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def answer_slow(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        for _ in range(100):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return
            if self.server.over.wait(0.1):
                return

    def log_message(self, *_):
        return


@contextmanager
def serving(tls=None):
    """A running service, behind TLS if a context is given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.calls, server.over, server.asked_for = 0, threading.Event(), []
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: server.asked_for.append(name)
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        server.handle_error = lambda *_: None  # a client that does not trust us hangs up
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def silent():
    """A port where connections open and nothing more happens."""
    with socket.create_server(("127.0.0.1", 0), backlog=5) as listener:
        yield listener.getsockname()[1]


@contextmanager
def full():
    """A port where no connection opens any more: as if packets were dropped."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def certificate(directory, *names, days=1):
    """A self-signed certificate for names: a server's context, and a file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - 10 * day)
        .not_valid_after(now + days * day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        .sign(key, hashes.SHA256())
    )
    trusted = directory / f"{names[0]}-{days}.pem"
    pem = serialization.Encoding.PEM
    trusted.write_bytes(made.public_bytes(pem))
    private = trusted.with_suffix(".key")
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted


class Asker:
    """Asks services by any name; names are resolved by the test."""

    def __init__(self, port, *, allowed=("*",), trusted=None):
        self.port = port
        self.stop = threading.Event()
        self.allowed = allowed
        self.tls = None if trusted is None else ssl.create_default_context(cafile=trusted)
        self.redaction = Redaction(())
        self.names = {"public.example": ["127.0.0.1"], "private.example": ["10.0.0.7"]}
        self.resolve = lambda name, _port: self.names[name]

    def ask(self, path, *, timeout_s=5.0, scheme="http", host="public.example", **payload):
        runner = Http(allowed=Allowed.listed(self.allowed), resolve=self.resolve, tls=self.tls)
        context = Context("PEXEC-1", "T", 1, "token", timeout_s, OutputBuffer(), self.stop)
        context.redaction = self.redaction
        return runner.run({"url": f"{scheme}://{host}:{self.port}/{path}", **payload}, context)
