"""Receivers of notifications on loopback: a webhook's server, and a mail server."""

import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class HookServer:
    """Keeps what is posted, and answers with `status`; a redirect leads to /elsewhere."""

    status: int = 204
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def start(self) -> None:
        """Listen on a free port."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.received.append((dict(self.headers), body))
                hook.paths.append(self.path)
                self.send_response(hook.status)
                if hook.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class MailReceiver:
    """As much of SMTP (RFC 5321) as a client needs to leave a message; `refuses` has recipients refused.

    With `breaks_off` it takes the message and closes the connection without a word.
    """

    def __init__(self) -> None:
        self.received: list[str] = []
        self.refuses = False
        self.breaks_off = False
        mail = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here")
                while line := self.rfile.readline():
                    command = line.decode().strip().upper()
                    if command.startswith("RCPT") and mail.refuses:
                        self._say("550 nobody of that name")
                    elif command == "DATA":
                        self._say("354 go on")
                        mail.received.append(self._message())
                        if mail.breaks_off:
                            return
                        self._say("250 taken")
                    elif command == "QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("250 fine")

            def _message(self) -> str:
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.decode())
                return "".join(lines)

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
