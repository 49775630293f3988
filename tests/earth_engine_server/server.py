"""A loopback double of Earth Engine's REST protocol for the real `ee` client.

    python -m tests.earth_engine_server.server --settings='{"latency_s": 0.4}'

It answers the wheel's own discovery document and algorithm list, pixels that
depend on place (`world`), exports as operations (`exports`), and, as asked
for, failures. It tests the protocol, not what Earth Engine would compute.
"""

import argparse
import contextlib
import dataclasses
import http.server
import importlib.resources
import io
import json
import random
import socket
import threading
import time

import numpy as np

from tests.earth_engine_server import world
from tests.earth_engine_server.exports import Exports
from tests.earth_engine_server.exports import read_project
from tests.earth_engine_server.graph_check import check_expression
from tests.earth_engine_server.refusal import Refusal

LIMIT_BYTES = 48 * 2**20
LIMIT_BANDS = 1024
# google.rpc.Code, by its HTTP mapping.
_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
_CLIENT_FILES = importlib.resources.files("ee") / "tests"
_TOO_MANY = (
    "Too Many Requests: Request was rejected because the request rate or "
    "concurrency limit has been exceeded."
)


@dataclasses.dataclass
class Settings:
    """What the server does besides answering.

    Attributes:
      latency_s: Wait before each answer.
      fault_share: Share of pixel requests that fail in some way of `faults`.
      faults: Of 429, 500, 503, "cut" (half a body), "stall".
      stall_s: How long a stalled request hangs before the line is cut.
      seed: Of the draw of faults.
      poisoned: Left edges of places whose requests fail for good (400).
      limit_bytes: Largest answer.
      frames_missing: So many of the last frames of each place are empty.
      same_pixels: All pixels but those of the guard are the first answer's:
        a server that costs little, for measuring the client.
      mixed_up: Every answer shows the place of the request before it.
      log: Each pixel request is appended here, one JSON line each.
      check_graphs: Check each expression against the algorithm list.
      bucket: Local folder that plays Cloud Storage for exports; without it
        they end, but there are no files.
      export_polls: An export's state changes after so many questions.
      failed_exports: Words; an export whose description has one fails.
      queue_limit: More waiting exports are refused with 429.
      export_faults: What befalls the first requests for exports, in order:
        None, a status, or "lost" (it begins, the answer is 503).
      refuse_duplicates: A request id that came before is refused with 409;
        else the operation that it began is answered again.
      depth_last: Arrays lie pixel by pixel, not channel by channel.
      whole_margins: Patches grow by the kernel on each side, not by half.
    """

    latency_s: float = 0.0
    fault_share: float = 0.0
    faults: tuple = (429, 500, 503, "cut")
    stall_s: float = 30.0
    seed: int = 0
    poisoned: tuple = ()
    limit_bytes: int = LIMIT_BYTES
    frames_missing: int = 1
    same_pixels: bool = False
    mixed_up: bool = False
    log: str = ""
    check_graphs: bool = True
    bucket: str = ""
    export_polls: int = 1
    failed_exports: tuple = ()
    queue_limit: int = 3000
    export_faults: tuple = ()
    refuse_duplicates: bool = False
    depth_last: bool = False
    whole_margins: bool = False


@dataclasses.dataclass(frozen=True)
class PixelRequest:
    """One computePixels call, as the server saw it."""

    crs: str
    affine: tuple
    height: int
    width: int
    bands: tuple
    status: object
    time_s: float

    @property
    def place(self):
        """(crs, left, top) of the answer."""
        return self.crs, self.affine[2], self.affine[5]


class EarthEngineServer:
    """Starts at once on a free port; `close` ends it."""

    def __init__(self, settings=None, port=0):
        self.settings = settings or Settings()
        self.requests = []
        self.templates = {}
        self.in_flight = 0
        self.most_in_flight = 0
        self.lock = threading.Lock()
        self.random = random.Random(self.settings.seed)
        self.exports = Exports(self.settings)
        self.last_place = None
        self._http = _HttpServer(("127.0.0.1", port), _Handler)
        self._http.double = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.discovery = self._make_discovery()
        self.algorithms = (_CLIENT_FILES / "algorithms.json").read_bytes()
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()

    def _make_discovery(self):
        name = "cloud_api_discovery_document.json"
        document = json.loads((_CLIENT_FILES / name).read_text())
        document.update(rootUrl=f"{self.url}/", baseUrl=f"{self.url}/")
        return json.dumps(document).encode()

    def make_body(self, crs, affine, height, width, bands):
        """The NPY file of an answer."""
        shape = (height, width, bands)
        with self.lock:
            known = self.templates.get(shape)
        if known is None:
            answer = world.make_answer(
                crs, affine, *shape, self.settings.frames_missing
            )
            file = io.BytesIO()
            np.save(file, answer)
            body = file.getvalue()
            if self.settings.same_pixels:
                with self.lock:
                    self.templates[shape] = body
            return body
        # A copy of bytes: NumPy would copy such arrays field by field.
        body = bytearray(known)
        head = len(body) - self.template_bytes(bands, height * width)
        answer = np.frombuffer(body, world.make_type(bands), offset=head)
        guard = [b for b in bands if b in ("longitude", "latitude")]
        fresh = world.make_answer(crs, affine, height, width, guard)
        for band in guard:
            answer[band] = fresh[band].ravel()
        return body

    @staticmethod
    def template_bytes(bands, pixels):
        return pixels * world.make_type(bands).itemsize

    def draw_fault(self):
        with self.lock:
            if self.random.random() >= self.settings.fault_share:
                return None
            return self.random.choice(self.settings.faults)

    def note(self, request):
        with self.lock:
            self.requests.append(request)
            if self.settings.log:
                seen = {"place": request.place, "time_s": request.time_s}
                line = json.dumps({**seen, "status": request.status})
                with open(self.settings.log, "a") as file:
                    file.write(line + "\n")

    @contextlib.contextmanager
    def counted(self):
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            with self.lock:
                self.in_flight -= 1


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """A client that hung up is no event."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    @property
    def double(self):
        return self.server.double

    def do_GET(self):
        path = self.path.split("?")[0]
        if "discovery" in path:
            self._send(self.double.discovery)
        elif path.endswith("/algorithms"):
            self._send(self.double.algorithms)
        elif "/operations" in path:
            self._answer(lambda: self.double.exports.get(self.path))
        else:
            self._send_error(404, f"no {path}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = json.loads(body) if body else {}
        path = self.path.split("?")[0]
        if path.endswith("image:computePixels"):
            with self.double.counted():
                self._compute_pixels(content)
        elif path.endswith("image:export"):
            self._answer(lambda: self._export(path, content))
        elif path.endswith(":cancel"):
            self._answer(lambda: self.double.exports.cancel(path))
        else:
            self._send_error(404, f"no {path}")

    def _export(self, path, content):
        if self.double.settings.check_graphs:
            check_expression(content["expression"])
        return self.double.exports.start(content, read_project(path))

    def _answer(self, act):
        """JSON of what `act` gives, or its refusal."""
        try:
            self._send(json.dumps(act()).encode())
        except Refusal as refusal:
            self._send_error(refusal.status, str(refusal))
        except ValueError as error:
            self._send_error(400, str(error))

    def _compute_pixels(self, content):
        settings = self.double.settings
        grid, bands = content["grid"], tuple(content["bandIds"])
        numbers = grid["affineTransform"]
        affine = tuple(
            float(numbers.get(name, 0))
            for name in (
                "scaleX", "shearX", "translateX",
                "shearY", "scaleY", "translateY",
            )
        )  # fmt: skip
        crs = grid["crsCode"]
        height = int(grid["dimensions"]["height"])
        width = int(grid["dimensions"]["width"])
        fault = self.double.draw_fault()
        time.sleep(settings.latency_s)

        def note(status):
            self.double.note(
                PixelRequest(
                    crs, affine, height, width, bands, status, time.time()
                )
            )

        try:
            self._check(content, affine, height, width, bands)
        except Refusal as refusal:
            note(refusal.status)
            self._send_error(refusal.status, str(refusal))
            return
        if isinstance(fault, int):
            note(fault)
            message = _TOO_MANY if fault == 429 else "An internal error"
            self._send_error(fault, message)
            return
        if settings.mixed_up:
            with self.double.lock:
                last = self.double.last_place or affine
                affine, self.double.last_place = last, affine
        body = self.double.make_body(crs, affine, height, width, bands)
        note(fault or 200)
        self._send(body, "application/octet-stream", fault, settings.stall_s)

    def _check(self, content, affine, height, width, bands):
        settings = self.double.settings
        if content.get("fileFormat") != "NPY":
            raise Refusal(400, f"no format {content.get('fileFormat')}")
        if settings.check_graphs:
            try:
                check_expression(content["expression"])
            except ValueError as error:
                raise Refusal(400, str(error)) from error
        if affine[2] in settings.poisoned:
            raise Refusal(400, "Image.load: Image asset 'x' not found.")
        if len(bands) > LIMIT_BANDS:
            raise Refusal(400, f"Too many bands: {len(bands)} > {LIMIT_BANDS}")
        size = (
            height
            * width
            * sum(np.dtype(world.band_type(b)).itemsize for b in bands)
        )
        if size > settings.limit_bytes:
            raise Refusal(
                400,
                f"Total request size ({size} bytes) must be less than or "
                f"equal to {settings.limit_bytes} bytes.",
            )

    def _send(self, body, kind="application/json", fault=None, stall_s=0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "stall":
            self.wfile.flush()
            time.sleep(stall_s)
        if fault in ("cut", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(body)

    def _send_error(self, status, message):
        content = {
            "error": {
                "code": status,
                "message": message,
                "status": _STATUS_NAMES.get(status, "UNKNOWN"),
            }
        }
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    """Serves until it is killed; the first line printed is the address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", default="{}")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = EarthEngineServer(
        Settings(**json.loads(arguments.settings)), arguments.port
    )
    print(server.url, flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
