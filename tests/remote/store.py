"""A store that speaks as much of S3 as memlatch needs, checks signatures, and can misbehave.

It runs in the process of the test, so that a scene can say how it is to misbehave and look at what it holds.
"""

import hashlib
import hmac
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

KEY, SECRET = "AKIDTEST", "geheim/+x"


class Store(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, port, authority):
        super().__init__((address, port), Handler)
        self.objects, self.lock = {}, threading.Lock()
        self.writes = 0
        self.behave()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server, authority.key)
        # The handshake belongs to the thread of the connection.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def behave(self, **faults):
        """How often (every so many writes) which fault happens: `lose`, 409, 429, 503; `ignore` conditions; `slow` seconds."""
        self.faults = faults

    def handle_error(self, request, client_address):
        pass  # a client that is killed says nothing more


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", len(body))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code, message="no", **headers):
        self.answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), **headers)

    def is_signed(self, body):
        given = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)",
                         self.headers.get("Authorization", ""))
        if not given:
            return False
        key, day, region, names, signature = given.groups()
        lines = "".join(f"{name}:{self.headers[name].strip()}\n" for name in names.split(";"))
        wanted = [name for name in self.headers if name.lower().startswith(("x-amz-", "if-"))]
        digest = hashlib.sha256(body).hexdigest()
        canonical = f"{self.command}\n{self.path}\n\n{lines}\n{names}\n{digest}"
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], f"{day}/{region}/s3/aws4_request",
                          hashlib.sha256(canonical.encode()).hexdigest()])
        secret = f"AWS4{SECRET}".encode()
        for part in (day, region, "s3", "aws4_request", text):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        return (key == KEY and secret.hex() == signature and self.headers["x-amz-content-sha256"] == digest
                and all(name.lower() in names.split(";") for name in wanted))

    def handle_one(self):
        store, body = self.server, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.is_signed(body):
            return self.refuse(403, "SignatureDoesNotMatch")
        if "?" in self.path or self.path.split("/")[1] != "bucket":
            return self.refuse(404, "NoSuchBucket")
        name = unquote(self.path)
        if self.command == "GET":
            with store.lock:
                found = store.objects.get(name)
            if found is None:
                return self.refuse(404, "NoSuchKey")
            return self.answer(200, found[0], ETag=tag_of(found[0]), **{"x-amz-meta-memlatch-writes": found[1]})
        if self.command == "DELETE":
            with store.lock:
                store.objects.pop(name, None)
            return self.answer(204)
        with store.lock:
            store.writes += 1
            happens = {fault: store.writes % every == 0 for fault, every in store.faults.items() if fault not in ("slow", "ignore")}
        for status, code in ((409, "ConditionalRequestConflict"), (429, "TooManyRequests"), (503, "SlowDown")):
            if happens.get(f"s{status}"):
                return self.refuse(status, code)
        time.sleep(store.faults.get("slow", 0))
        with store.lock:
            found = store.objects.get(name)
            if not store.faults.get("ignore"):
                if self.headers.get("If-None-Match") == "*" and found is not None:
                    return self.refuse(412, "PreconditionFailed")
                if wanted := self.headers.get("If-Match"):
                    if found is None:
                        return self.refuse(404, "NoSuchKey")
                    if tag_of(found[0]) != wanted:
                        return self.refuse(412, "PreconditionFailed")
            store.objects[name] = (body, self.headers.get("x-amz-meta-memlatch-writes", ""))
        if happens.get("lose"):
            # It is done, and nobody hears of it.
            self.close_connection = True
            return
        self.answer(200, ETag=tag_of(body))

    do_GET = do_PUT = do_DELETE = handle_one


def tag_of(content):
    return f'"{hashlib.md5(content).hexdigest()}"'
