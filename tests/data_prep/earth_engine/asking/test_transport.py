"""The transport against sockets that answer, cut, stall and pack."""

import concurrent.futures
import gzip
import http.server
import threading
import time

import pytest

from data_prep.earth_engine.asking.transport import PooledTransport

BODY = bytes(range(256)) * 40
TIMEOUT_S = 0.25


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.opened += 1

    def finish(self):
        super().finish()
        self.server.ended.set()

    def log_message(self, *_):
        """Requests of a test are no news for the terminal."""

    def do_GET(self):
        self._act(self.path.strip("/"), b"")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self._act(self.path.strip("/"), self.rfile.read(length))

    def _act(self, word, sent):
        self.server.seen.append((self.command, dict(self.headers), sent))
        getattr(self, f"_{word}")()

    def _send(self, body, length=None, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def _whole(self):
        self._send(BODY, len(BODY), X_Odd_Name="Value")

    def _empty(self):
        self._send(b"", 0)

    def _packed(self):
        body = gzip.compress(BODY)
        self._send(body, len(body), Content_Encoding="gzip")

    def _chunked(self, last=b"0\r\n\r\n"):
        self._send(b"", Transfer_Encoding="chunked")
        for begin in range(0, len(BODY), 3_000):
            part = BODY[begin : begin + 3_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(last)

    def _cut(self):
        self._send(BODY[: len(BODY) // 2], len(BODY))
        self.close_connection = True

    def _cut_packed(self):
        body = gzip.compress(BODY)
        self._send(body[:-20], len(body), Content_Encoding="gzip")
        self.close_connection = True

    def _cut_chunked(self):
        self._chunked(last=b"")
        self.close_connection = True

    def _no_gzip(self):
        self._send(BODY, len(BODY), Content_Encoding="gzip")

    def _silent(self):
        time.sleep(3 * TIMEOUT_S)
        self.close_connection = True

    def _stalled(self):
        self._send(BODY[: len(BODY) // 2], len(BODY))
        self._silent()

    def _slow(self):
        # In all longer than the time-out, no silence is.
        self._send(b"", len(BODY))
        for begin in range(0, len(BODY), 2_048):
            self.wfile.write(BODY[begin : begin + 2_048])
            time.sleep(TIMEOUT_S / 3)

    def _hung_up(self):
        self.close_connection = True

    def _error(self):
        self._send(b"<html>overloaded</html>", 23, 502, Retry_After="7")


@pytest.fixture
def server():
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    found.daemon_threads = True
    found.lock, found.opened, found.seen = threading.Lock(), 0, []
    found.ended = threading.Event()
    found.url = f"http://127.0.0.1:{found.server_port}"
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def transport():
    found = PooledTransport(connections=4, timeout_s=TIMEOUT_S)
    yield found
    found.close()


def test_an_answer_comes_whole_with_its_status_and_headers(server, transport):
    answer, content = transport.request(f"{server.url}/whole")
    assert content == BODY
    assert answer.status == 200
    assert answer["x-odd-name"] == "Value"


@pytest.mark.parametrize("word", ["packed", "chunked", "slow"])
def test_the_way_a_body_is_sent_makes_no_difference(server, transport, word):
    answer, content = transport.request(f"{server.url}/{word}")
    assert content == BODY
    assert "content-encoding" not in answer
    assert answer.get("content-length", str(len(BODY))) == str(len(BODY))


def test_an_empty_body_is_no_error(server, transport):
    assert transport.request(f"{server.url}/empty")[1] == b""


def test_what_is_sent_arrives(server, transport):
    transport.request(
        f"{server.url}/whole",
        "POST",
        body='{"ü": 1}'.encode(),
        headers={"Authorization": "Bearer x"},
        redirections=5,
        connection_type=None,
    )
    ((method, headers, sent),) = server.seen
    assert (method, sent) == ("POST", '{"ü": 1}'.encode())
    assert headers["Authorization"] == "Bearer x"


def test_an_error_of_the_server_is_an_answer_with_its_name(server, transport):
    answer, content = transport.request(f"{server.url}/error")
    assert (answer.status, answer.reason) == (502, "Bad Gateway")
    assert answer["retry-after"] == "7"
    assert content == b"<html>overloaded</html>"


@pytest.mark.parametrize(
    "word", ["cut", "cut_packed", "cut_chunked", "hung_up", "no_gzip"]
)
def test_an_answer_that_ends_early_is_a_connection_error(
    server, transport, word
):
    with pytest.raises(ConnectionError, match="."):
        transport.request(f"{server.url}/{word}")
    # And nothing of it is left for the next.
    assert transport.request(f"{server.url}/whole")[1] == BODY


@pytest.mark.parametrize("word", ["silent", "stalled"])
def test_silence_is_a_timeout_that_names_its_length(server, transport, word):
    begun_s = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer for 0.25 s"):
        transport.request(f"{server.url}/{word}")
    assert time.monotonic() - begun_s < 2 * TIMEOUT_S
    assert transport.request(f"{server.url}/whole")[1] == BODY


def test_a_server_that_is_not_there_is_a_connection_error(server, transport):
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as other:
        port = other.server_port
    with pytest.raises(ConnectionError, match="refused"):
        transport.request(f"http://127.0.0.1:{port}/whole")


@pytest.mark.parametrize(
    "url", ["nowhere", "ftp://a/b", "http://", "http://[/"]
)
def test_an_address_that_is_none_is_a_connection_error(transport, url):
    with pytest.raises(ConnectionError, match="."):
        transport.request(url)


def test_one_connection_serves_one_request_after_the_other(server, transport):
    for word in ("whole", "packed", "chunked", "empty", "error") * 3:
        transport.request(f"{server.url}/{word}")
    assert server.opened == 1


def test_threads_keep_as_many_connections_as_there_are_at_one_time(server):
    transport = PooledTransport(connections=12, timeout_s=5)
    barrier = threading.Barrier(12)

    def ask(_):
        barrier.wait(5)
        return transport.request(f"{server.url}/whole")[1]

    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        for _ in range(5):
            assert set(threads.map(ask, range(12))) == {BODY}
    assert server.opened <= 12
    transport.close()


def test_closing_ends_the_connections(server):
    transport = PooledTransport(connections=2, timeout_s=5)
    transport.request(f"{server.url}/whole")
    assert not server.ended.is_set()
    transport.close()
    assert server.ended.wait(5)
