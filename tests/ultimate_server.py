"""An Ultimate on loopback that keeps to its documentation: it has memory, plays tunes, and answers in JSON."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class UltimateServer:
    """The server. ``keeps``: it keeps connections open; the documentation's examples close them."""

    def __init__(self, password: str = "", keeps: bool = False, port: int = 0) -> None:
        self.memory = bytearray(1 << 16)
        self.writes: list[tuple[int, bytes]] = []
        self.played: list[tuple[bytes, str]] = []  # files, and their song numbers
        self.connections = 0
        self.held = 0  # calls that wait for the end of `holding`
        self._answers = threading.Event()
        self._answers.set()
        self.errors: list[str] = []  # of each answer
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                ours.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self._answer()

            do_PUT = do_POST = do_GET

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                ours.held += not ours._answers.is_set()
                ours._answers.wait()
                status, content = 200, dict[str, Any]()
                if password and self.headers.get("X-Password") != password:
                    status, content = 403, {"errors": ["Forbidden"]}
                else:
                    status, content = ours.call(self.command, self.path, body)
                text = json.dumps({"errors": ours.errors} | content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                if not keeps:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # whoever asked may have lost patience
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Give no answers meanwhile; what came is done and answered at the end."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    def call(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Do what a call asks for; return the status and the answer."""
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if (method, url.path) == ("GET", "/v1/version"):
            return 200, {"version": "0.1"}
        if (method, url.path) == ("POST", "/v1/runners:sidplay"):
            self.played.append((body, query.get("songnr", "")))
            return 200, {}
        if (method, url.path) == ("PUT", "/v1/machine:writemem"):
            address, data = int(query["address"], 16), bytes.fromhex(query["data"])
            if not 1 <= len(data) <= 128:
                return 400, {"errors": ["Maximum length of 128 bytes exceeded."]}
            self.memory[address : address + len(data)] = data
            self.writes.append((address, data))
            return 200, {"address": f"{address:04x}-{address + len(data) - 1:04x}"}
        return 404, {"errors": ["No such call"]}

    def close(self) -> None:
        """Switch it off."""
        self._server.shutdown()
        self._server.server_close()
