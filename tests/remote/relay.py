"""What stands between a machine and its engine: a proxy, or a relay that loses answers.

  relay.py proxy ADDRESS PORT            an HTTP proxy that knows CONNECT and nothing else
  relay.py forgetful PORT TO-PORT EVERY  passes requests on, and drops the answer to every so many writes
"""

import http.client
import re
import socket
import sys
import threading


def serve(address, port, handle):
    server = socket.create_server((address, port))
    print("listening", flush=True)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def head_of(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None, b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def proxy(connection):
    head, rest = head_of(connection)
    match = head and re.match(r"CONNECT ([^ :]+):(\d+) ", head)
    if not match:
        connection.sendall(b"HTTP/1.1 405 only CONNECT\r\ncontent-length: 0\r\n\r\n")
        return connection.close()
    other = socket.create_connection((match[1], int(match[2])), timeout=5)
    other.settimeout(None)
    connection.sendall(b"HTTP/1.1 200 connected\r\n\r\n")
    other.sendall(rest)
    threading.Thread(target=pump, args=(connection, other), daemon=True).start()
    pump(other, connection)


class Forgetful:
    def __init__(self, to, every):
        self.to, self.every, self.writes, self.lock = to, every, 0, threading.Lock()

    def __call__(self, connection):
        while True:
            head, body = head_of(connection)
            if head is None:
                return connection.close()
            length = int(re.search(r"(?i)content-length: (\d+)", head)[1])
            while len(body) < length:
                body += connection.recv(65536)
            path = head.split(" ")[1]
            is_write = path == "/v3/kv/txn" and b"request_put" in body
            with self.lock:
                self.writes += is_write
                drops = is_write and self.writes % self.every == 0
            engine = http.client.HTTPConnection("127.0.0.1", self.to)
            headers = {"content-type": "application/json"}
            engine.request("POST", path, body, headers)
            answer = engine.getresponse()
            if path == "/v3/watch":
                connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                while data := answer.read1(65536):
                    try:
                        connection.sendall(data)
                    except OSError:
                        break
                return connection.close()
            content = answer.read()
            if drops:
                # The engine has done it, and nobody hears of it.
                return connection.close()
            connection.sendall(f"HTTP/1.1 {answer.status} OK\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["proxy", address, port]:
            serve(address, int(port), proxy)
        case ["forgetful", port, to, every]:
            serve("127.0.0.1", int(port), Forgetful(int(to), int(every)))
