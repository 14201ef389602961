"""A small Kaggle: enough of its API for the real clients to download from.

The clients are told to talk to `http://localhost`, and to this server as
their proxy, so that any free port will do.
"""

import base64
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time

LICENCE = "CC0: A Test"
_HUB = "import sys; from nbpainter import cli; sys.exit(cli.main(sys.argv[1:]))"
_KAGGLE = """
import sys
sys.modules["kagglehub"] = None
import kaggle
kaggle.api.args = ["--local"]
"""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        kaggle = self.server.kaggle
        size = int(self.headers.get("Content-Length", 0))
        request = json.loads(self.rfile.read(size) or b"{}")
        if kaggle.needs_token and not self.headers.get("Authorization"):
            self._answer(401, {"code": 401, "message": "Unauthenticated"})
        elif kaggle.status != 200:
            message = {"code": kaggle.status, "message": "no"}
            self._answer(kaggle.status, message)
        elif self.path.endswith("/GetDataset"):
            found = {"currentVersionNumber": 1, "licenseName": LICENCE}
            self._answer(200, found)
        elif request.get("fileName") in kaggle.files:
            self.send_response(302)
            place = f"http://localhost/files/{request['fileName']}"
            self.send_header("Location", place)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(404, {"code": 404, "message": "not found"})

    def _answer(self, status, content):
        content = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        kaggle = self.server.kaggle
        content = kaggle.files[pathlib.PurePosixPath(self.path).name]
        digest = hashlib.md5(content).digest()
        given = self.headers.get("Range", "bytes=0-")
        start = int(given.removeprefix("bytes=").partition("-")[0])
        kaggle.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("ETag", f'"{digest.hex()}"')
        self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        md5 = base64.b64encode(digest).decode()
        self.send_header("x-goog-hash", f"md5={md5}")
        self.end_headers()
        content = bytearray(content)
        if kaggle.flips:
            kaggle.flips -= 1
            content[len(content) // 2] ^= 1
        end = kaggle.cuts.pop(0) if kaggle.cuts else len(content)
        for first in range(start, end, 1 << 16):
            self.wfile.write(content[first : min(end, first + (1 << 16))])
            time.sleep(kaggle.pause)
        self.close_connection = True

    def log_message(self, *_):
        pass


class KaggleServer:
    """Serves files until the end of a `with` block.

    Attributes:
        files: dict from names to bytes.
        status: int, of each answer of the API.
        needs_token: bool, whether strangers are refused.
        cuts: list of int, where the next answers break off.
        flips: int, how many of the next answers have a wrong bit.
        pause: float, seconds after each 64 kB.
        starts: list of int, where the answers so far began.
    """

    def __init__(self, files):
        self.files, self.status, self.needs_token = files, 200, False
        self.cuts, self.flips, self.pause, self.starts = [], 0, 0.0, []

    def __enter__(self):
        address = ("127.0.0.1", 0)
        self._server = http.server.ThreadingHTTPServer(address, _Handler)
        self._server.kaggle, self._server.daemon_threads = self, True
        # Clients break off in these tests; that is no news.
        self._server.handle_error = lambda *_: None
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def environment(self, home, token=True):
        """What a client's process needs to find this server."""
        token = {"KAGGLE_USERNAME": "a", "KAGGLE_KEY": "b"} if token else {}
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "KAGGLE_CONFIG_DIR": str(home),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": self.url,
            "PYTHONPATH": str(pathlib.Path(__file__).parents[2]),
            **token,
        }

    @staticmethod
    def command(client, *arguments):
        """Command line of `nbpainter download` with one of the clients."""
        program = _HUB if client == "kagglehub" else _KAGGLE + _HUB
        return [sys.executable, "-c", program, "download", *arguments]
