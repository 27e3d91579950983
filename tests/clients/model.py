"""A model that plays a script: an HTTP server on loopback that a real AI client takes for its model.

A script is a list of steps, each a list of calls that the model makes at once, or a function that returns one and runs
while the client waits. What each call came to, as the client told the model, is kept. Not for more than one prompt.
"""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import protocols


class Model:
    """A server that plays one script to one client, from `with` to its end."""

    def __init__(self, steps):
        self.steps, self.made = steps, {}
        self.bodies, self.tools, self.rounds, self.problems = [], set(), [], []
        self.guard = threading.Lock()
        handler = type("Handler", (Handler,), {"model": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def told(self, words):
        """Whether a request to the model held these words anywhere."""
        inside = json.dumps(words, ensure_ascii=False)[1:-1]
        return any(inside in body for body in self.bodies)

    def step(self, request):
        """The text and the calls of the answer. The same request again, as after a broken connection, gets the same."""
        if not request.tools or request.wants_json:
            return ("{}" if request.wants_json else "ok"), []  # a title, a summary: questions of the client's own
        with self.guard:
            self.tools |= request.tools
            if len(request.rounds) >= len(self.rounds):
                self.rounds = request.rounds
            number = len(request.rounds)
            if number >= len(self.steps):
                return "done", []
            if number not in self.made:
                step = self.steps[number]
                calls = step() if callable(step) else step
                self.made[number] = [(f"call_{uuid.uuid4().hex[:20]}", name, given) for name, given in calls]
            return "", self.made[number]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    model = None

    def log_message(self, *_):
        pass

    def whole(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, event in events:
            data = event if isinstance(event, str) else json.dumps(event)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode())
        self.close_connection = True

    def content(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def do_GET(self):
        if self.path.split("?")[0].endswith("/models"):
            self.whole({"object": "list", "data": [], "models": []})
        else:
            self.whole({}, 200 if self.path == "/" else 404)

    do_HEAD = do_GET

    def do_POST(self):
        content, path = self.content(), self.path.split("?")[0]
        protocol = protocols.of(path)
        if protocol is None:
            return self.whole({"input_tokens": 1, "totalTokens": 1})  # counts of tokens
        try:
            body = json.loads(content)
            self.model.bodies.append(json.dumps(body, ensure_ascii=False))
            request = protocol.read(body, path)
            text, calls = self.model.step(request)
            whole, events = protocol.answer(request, text, calls)
        except Exception as error:  # whatever it is, the scene has to know: the client would only try again
            self.model.problems.append(f"{path}: {error!r}")
            return self.whole({"error": {"message": repr(error)}}, 400)
        return self.stream(events) if request.streams else self.whole(whole)
