"""The server that reads digits: its API, its limits and its files."""

from __future__ import annotations

import builtins
import errno
import http.client
import io
import json
import os
import re
import shutil
import socket
import struct
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import h11
import numpy as np
import pytest
from helpers import quick
from PIL import Image

from skorch_mnist import cli, load_digits28, read_digits, reading
from skorch_mnist.datasets import load_image_folder
from skorch_mnist.pictures import find_digits
from skorch_mnist.rejection import RejectingClassifier
from skorch_mnist.serve import _app, _bodies, _examples, _reader, _server
from skorch_mnist.serve._app import PAGE, make_app
from skorch_mnist.serve._examples import Examples
from skorch_mnist.serve._reader import Reader

JSON = {"Content-Type": "application/json"}


def drawing(shift=0):
    """A gray picture of a 7."""
    pixels = np.full((150, 150), 230, np.uint8)
    pixels[30:40, 25 + shift : 75 + shift] = 40
    for row in range(30, 120):
        pixels[row, 72 - row // 4 + shift : 82 - row // 4 + shift] = 40
    return pixels


def as_png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURE = as_png(drawing())


class Answer:
    """Status, headers and content of an answer."""

    def __init__(self, response):
        self.status, self.headers, self.content = response.status, response.msg, response.read()
        if self.status >= 400 and self.content:
            assert re.fullmatch(r"[^\n]+(?<!\.)\.", self.json["error"])  # one sentence
            assert ". " not in self.json["error"]

    @property
    def json(self):
        return json.loads(self.content)


class Client:
    """Sends requests to a server."""

    def __init__(self, port):
        self.port = port

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def request(self, method, path, body=None, headers=()):
        connection = self.connection()
        try:
            connection.request(method, path, body, dict(headers))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def predict(self, body, headers=(), query=""):
        return self.request("POST", f"/predict{query}", body, headers)

    def instances(self, value):
        return self.predict(json.dumps({"instances": value}), JSON)

    def send(self, content, wait=5.0):
        """Send bytes, and return what comes back until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as sock:
            sock.sendall(content)
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return received


def form(*files, boundary=b"----b"):
    """The body and headers of a form with files: pairs of name and content."""
    parts = [
        b"--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"
        b"Content-Type: image/png\r\n\r\n%s\r\n" % (boundary, name.encode(), content)
        for name, content in files
    ]  # fmt: skip
    body = b"".join(parts) + b"--%s--\r\n" % boundary
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}


@contextmanager
def running(classifier=None, host="127.0.0.1", examples=None):
    """A server in a thread."""
    reader = Reader(classifier)
    with _server.listen("127.0.0.1", 0) as sock:
        keep = None if examples is None else Examples(examples, reader.classes)
        server = _server.make_server(make_app(reader, host, keep))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            yield Client(sock.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def server():
    with running() as client:
        yield client


# Pictures


def expected(picture, name=None):
    """What the command predict prints for a picture, as Python objects."""
    digits = [{**digit._asdict(), "box": list(digit.box)} for digit in read_digits(picture)]
    return [{"image": name, "digits": digits}]


def test_a_picture_is_read_as_read_digits_does(server):
    answer = server.predict(PICTURE, {"Content-Type": "image/png"})
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == expected(PICTURE)
    assert answer.json[0]["digits"][0]["label"] == 7


def test_the_answer_is_that_of_the_command_predict(server, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("seven.png").write_bytes(PICTURE)
    assert cli.main(["predict", "seven.png", "--json"]) == 0
    answer = server.predict(*form(("seven.png", PICTURE)))
    assert answer.json == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", None])
def test_raw_bytes_need_no_type(content_type, server):
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert server.predict(PICTURE, headers).json == expected(PICTURE)


@pytest.mark.parametrize("name", ["süß 七.png", "../../etc/passwd", "a\tb.png", ""])
def test_a_form_gives_the_name_of_its_file(name, server):
    assert server.predict(*form((name, PICTURE))).json == expected(PICTURE, name)


def test_chunks_are_put_together(server):
    body = (PICTURE[start : start + 100] for start in range(0, len(PICTURE), 100))
    assert server.predict(body).json == expected(PICTURE)


def test_a_picture_without_digits_has_an_empty_list(server):
    answer = server.predict(as_png(np.full((50, 50), 255, np.uint8)))
    assert (answer.status, answer.json) == (200, [{"image": None, "digits": []}])


def test_details_are_what_the_network_saw_and_its_probabilities(server):
    pages = np.concatenate([drawing(), drawing()], axis=1)
    [answer] = server.predict(as_png(pages), query="?details=true").json
    found = find_digits(pages, page="auto")
    assert [digit["pixels"] for digit in answer["digits"]] == found.images.tolist()
    probabilities = reading.pretrained().predict_proba(found.images)
    np.testing.assert_allclose([d["probabilities"] for d in answer["digits"]], probabilities)


def test_a_label_of_none_is_null(server, monkeypatch):
    plain = reading.classify

    def rejecting(rows, classifier):
        labels, probabilities = plain(rows, classifier)
        return [None] * len(labels), probabilities

    monkeypatch.setattr(reading, "classify", rejecting)
    monkeypatch.setattr(_reader, "classify", rejecting)
    [digit] = server.predict(PICTURE, query="?details=true").json[0]["digits"]
    assert digit["label"] is None and len(digit["probabilities"]) == 10
    assert server.instances([[0] * 784]).json["predictions"][0]["label"] is None


# Arrays


def test_arrays_get_the_labels_of_predict(server):
    X, _ = load_digits28(return_X_y=True)
    X = X[:40]  # read_digits would accept more of them
    classifier = RejectingClassifier.from_pretrained("digits")
    labels = [None if label == -1 else label for label in classifier.predict(X).tolist()]
    assert labels != reading.classify(X, reading.pretrained())[0]
    highest = classifier.predict_proba(X).max(axis=1)
    for arrays in (X, X.reshape(-1, 28, 28), X.reshape(-1, 28, 28, 1), X.reshape(-1, 1, 28, 28)):
        predictions = server.instances(arrays.tolist()).json["predictions"]
        assert [one["label"] for one in predictions] == labels
        np.testing.assert_allclose([one["probability"] for one in predictions], highest, rtol=1e-5)


def test_arrays_are_on_the_scale_of_the_training_images(digits):
    X_train, X_test, y_train, _ = digits
    words = np.array([f"digit {label}" for label in y_train])
    clf = quick(max_epochs=1).fit(X_train / 255, words)
    with running(clf) as server:
        predictions = server.instances((X_test[:5] / 255).tolist()).json["predictions"]
        assert [one["label"] for one in predictions] == clf.predict(X_test[:5] / 255).tolist()
        answer = server.instances(X_test[:5].tolist())
        assert answer.status == 400 and "from 0 (paper) to 1 (ink)" in answer.json["error"]
        [digit] = server.predict(PICTURE).json[0]["digits"]
        assert digit["label"].startswith("digit ")
        model = server.request("GET", "/model").json
        assert model["input"]["highest"] == 1 and model["card"] is None


BLANK = [[0] * 28] * 28
ARRAYS = json.dumps({"instances": [BLANK]})


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"instances": [' + b"1" * 5000 + b"]}", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "Send "),
        (b'{"instances": null}', "Send "),
        (b'{"instances": []}', "Send "),
        (b'{"instances": [[]]}', "Send "),
        (b'{"instances": {"a": 1}}', "Send "),
        (b'{"instances": "seven"}', "Send "),
        (json.dumps({"instances": BLANK}), "Send "),  # one image is not a list of images
        (json.dumps({"instances": [[0] * 783]}), "Send "),
        (json.dumps({"instances": [[[0] * 56] * 14]}), "Send "),
        (json.dumps({"instances": [["0"] * 784]}), "Send "),
        (json.dumps({"instances": [[True] * 784]}), "Send "),
        (json.dumps({"instances": [[None] * 784]}), "Send "),
        (json.dumps({"instances": [[10**400] * 784]}), "Send "),
        (json.dumps({"instances": [[0] * 784, [0] * 783]}), "the same shape"),
        (json.dumps({"instances": [[256] + [0] * 783]}), "from 0 to 256"),
        (json.dumps({"instances": [[-1] + [0] * 783]}), "from -1 to 0"),
        (json.dumps({"instances": [[float("nan")] + [0] * 783]}), "contain NaN"),
        (json.dumps({"instances": [[float("inf")] + [0] * 783]}), "to inf"),
        (json.dumps({"instances": [[1] * 784]}), "too faint"),  # on a scale of 0 to 1
    ],
)  # fmt: skip
def test_arrays_that_are_not_images_are_refused(body, sentence, server):
    answer = server.predict(body, JSON)
    assert (answer.status, answer.json["status"]) == (400, 400)
    assert sentence in answer.json["error"]


def test_a_blank_image_is_an_image(server):
    assert len(server.instances([BLANK]).json["predictions"]) == 1


# Health, model, page


def test_health(server):
    assert server.request("GET", "/health").json == {"status": "ok"}


def test_the_model_is_described(server):
    model = server.request("GET", "/model").json
    assert model["classes"] == list(range(10))
    assert model["input"] == {"shape": [28, 28], "lowest": 0, "highest": 255}
    assert model["versions"]["skorch_mnist"] and model["versions"]["torch"]
    assert model["card"].startswith("# Model card: `digits`")
    assert model["limits"] == {"bytes": 20_000_000, "pixels": 25_000_000}
    assert model["keeps_examples"] is False


def test_the_page_is_small_and_only_knows_its_own_files(server):
    answers = {address: server.request("GET", address) for address in PAGE}
    assert {answer.status for answer in answers.values()} == {200}
    assert sum(len(answer.content) for answer in answers.values()) < 100_000
    for answer in answers.values():
        text = answer.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//\w", text)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    for address in re.findall(r'(?:src|href)="([^"]+)"', answers["/"].content.decode()):
        assert f"/{address}" in PAGE


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/page/index.html", 404),
        ("GET", "/health/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/page.css/..%2f..%2f_app.py", 404),
        ("GET", "/%00", 404),
        ("POST", "/examples", 404),
        ("GET", "/predict", 405),
        ("PUT", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("TRACE", "/", 405),
        ("POST", "/health", 405),
        ("DELETE", "/", 405),
    ],
)
def test_errors_are_json_with_a_status_and_a_sentence(method, path, status, server):
    answer = server.request(method, path)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert list(answer.json) == ["status", "error"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer.headers["Allow"] is not None) == (status == 405)


def test_addresses_that_do_not_exist_are_answered_with_those_that_do(server, keeping):
    for client, last in ((server, "/predict."), (keeping, "/predict, /examples.")):
        error = client.request("GET", "/nowhere").json["error"]
        assert error.endswith(f"the addresses are /, /health, /model, {last}")
        assert client.request("GET", "/predict").json["error"].endswith("use POST.")


def test_head_returns_only_headers(server):
    for path in ("/", "/health", "/model"):
        answer = server.request("HEAD", path)
        assert (answer.status, answer.content) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
    assert server.request("HEAD", "/predict").status == 405


def bomb(side):
    """A small PNG file of side x side gray pixels."""

    def chunk(kind, content):
        crc = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + crc

    size = side.to_bytes(4, "big")
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    header = chunk(b"IHDR", size + size + b"\x08\x00\x00\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"seven", "not in a supported format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run\n", "not in a supported format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not in a supported format"),
        (PICTURE[:8] + b"\0" * 100, "not in a supported format"),
        (ARRAYS.encode(), "add the header Content-Type: application/json"),
        (as_png(np.zeros((10, 300), np.uint8)), "or is too narrow"),
        (bomb(5001), "more than 25,000,000 pixels"),
        (bomb(14_000), "more than 25,000,000 pixels"),  # which Pillow refuses, too
        (b"", "The picture is empty"),
        (PICTURE[: len(PICTURE) // 2], "The picture is damaged or incomplete"),
        (b"\0\0\0\x18ftypheic" + PICTURE, "install pillow-heif on the server"),
    ],
)
def test_the_error_says_what_is_wrong_with_a_picture(content, sentence, server, monkeypatch):
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    for body, headers in ((content, {}), form(("/home/me/seven.png", content))):
        answer = server.predict(body, headers)
        assert answer.status == 400 and sentence in answer.json["error"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?page=true", "'page' is not a valid parameter"),
        ("?details=yes", "details='yes' is not valid: it must be true or false"),
        ("?details=true&accept=0.9", "'accept' is not a valid parameter"),
    ],
)
def test_unknown_parameters_are_refused(query, sentence, server):
    for body, headers in ((PICTURE, {}), (ARRAYS, JSON)):
        answer = server.predict(body, headers, query=query)
        assert answer.status == 400 and sentence in answer.json["error"]
    assert "only for pictures" in server.predict(ARRAYS, JSON, "?details=true").json["error"]


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", "b"),
        (b"--b--\r\n", "b"),
        (b"--b\r\n", "b"),
        (b"no boundary", "b"),
        (form(boundary=b"c")[0], "b"),
        (form()[0], ""),
        (form()[0], "b" * 500),
        (form(("a", PICTURE), ("b", PICTURE))[0], "----b"),
        (form(*[("a", b"")] * 11)[0], "----b"),
        (form(("a", PICTURE))[0][:-10], "----b"),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n', "b"),
        (b"--b\r\nContent-Disposition\r\n\r\nx\r\n--b--\r\n", "b"),
        (b"--b\r\n" + b"A" * 100_000 + b": 1\r\n\r\nx\r\n--b--\r\n", "b"),
    ],
)
def test_forms_without_exactly_one_file_are_refused(body, boundary, server):
    answer = server.predict(body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert answer.status == 400 and "form" in answer.json["error"]


def test_large_bodies_are_refused_before_they_are_read(server):
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for kind, size in (("image/png", 20_000_001), ("application/json", 5_000_001)):
        request = f"{head}Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
        answer = server.send(request.encode())
        assert answer.startswith(b"HTTP/1.1 413 ") and f"{size - 1:,} bytes".encode() in answer


def test_large_bodies_of_unknown_size_are_refused_while_they_are_read(server):
    body = iter([bytes(1_000_000)] * 21)
    assert server.predict(body).status == 413


def test_pictures_are_only_stored_in_memory(server, monkeypatch):
    opened = []
    plain = builtins.open
    monkeypatch.setattr(builtins, "open", lambda *a, **k: opened.append(a) or plain(*a, **k))
    monkeypatch.setattr(os, "open", lambda *a, **k: opened.append(a) or 1 / 0)  # of tempfile
    large = PICTURE + bytes(5_000_000)
    assert server.predict(*form(("seven.png", large))).json == expected(large, "seven.png")
    assert opened == []


def test_the_response_to_an_unexpected_error_does_not_contain_its_cause(monkeypatch, caplog):
    def failing(*_):
        raise RuntimeError("/home/secret/model.safetensors")

    with running() as server:
        monkeypatch.setattr(Reader, "picture", failing)
        answer = server.predict(PICTURE)
        assert answer.status == 500 and "secret" not in answer.content.decode()
        assert server.request("GET", "/health").status == 200


# Who may ask


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1", "LOCALHOST", "[::1]:80"])
def test_requests_for_this_machine_are_answered(host, server):
    assert server.request("GET", "/health", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8000", "localhost.evil.example", "192.168.0.1",
     "localhost@e", "127.0.0.1.nip.io", "[::1", "localhost:99999999", "a b", "localhost/",
     "\u00e9"],
)  # fmt: skip
def test_requests_for_other_hosts_are_refused(host, server):
    answer = server.request("POST", "/predict", PICTURE, {"Host": host.encode()})
    assert (answer.status, answer.json["status"]) == (403, 403)


def test_requests_without_host_are_refused(server):
    assert server.send(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403")
    assert server.send(b"GET /health HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_a_server_for_other_machines_answers_to_its_names_and_addresses():
    names = ["192.168.0.1:8000", "[fe80::1]", socket.gethostname(), "digits.example", "localhost"]
    with running(host="digits.example") as server:
        for name in names:
            assert server.request("GET", "/health", headers={"Host": name}).status == 200
        assert server.request("GET", "/health", headers={"Host": "evil.example"}).status == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8000", 200),
        ("https://localhost:8000", 200),
        ("http://localhost:8001", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://localhost:8000.evil.example", 403),
    ],
)
def test_requests_from_other_websites_are_refused(origin, status, server):
    headers = {"Host": "localhost:8000", "Origin": origin}
    assert server.request("GET", "/health", headers=headers).status == status
    assert server.predict(PICTURE, headers).status == status


# Slow, many and broken connections


def test_connections_that_send_no_request_in_time_are_closed(monkeypatch):
    monkeypatch.setattr(_server, "IDLE", 0.2)
    monkeypatch.setattr(_server, "LINGER", 0.1)
    valid = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running() as server:
        for start, statuses in (
            (b"", []),
            (valid, [b"200"]),
            (valid[:-2], [b"408"]),
            (valid + b"GET /", [b"200", b"408"]),
        ):
            answer = server.send(start)  # which ends with the connection
            assert re.findall(rb"HTTP/1.1 (\d+)", answer) == statuses


def test_a_client_that_closes_its_connection_while_it_is_refused_logs_no_error(monkeypatch, caplog):
    send, closed = h11.Connection.send, threading.Event()
    monkeypatch.setattr(_server, "IDLE", 0.2)
    with running() as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def send_and_close(connection, event):
            if isinstance(event, h11.EndOfMessage) and not closed.is_set():
                sock.close()  # with a reset, between the response and its end
                closed.set()
            return send(connection, event)

        monkeypatch.setattr(h11.Connection, "send", send_and_close)
        sock.sendall(b"GET /health HTTP/1.1\r\n")
        assert closed.wait(5)
        assert server.request("GET", "/health").status == 200
    assert caplog.records == []


def test_bodies_that_do_not_arrive_in_time_are_refused(monkeypatch):
    monkeypatch.setattr(_bodies, "TIMEOUT", 0.2)
    monkeypatch.setattr(_server, "IDLE", 0.5)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nseven"
    with running() as server:
        assert server.send(head).startswith(b"HTTP/1.1 408 ")


def test_requests_that_take_too_long_are_aborted(monkeypatch):
    monkeypatch.setattr(_server, "LONGEST", 0.2)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nseven"
    with running() as server:
        assert server.send(head) == b""


def test_pictures_that_wait_too_long_are_refused(monkeypatch):
    monkeypatch.setattr(_app, "PATIENCE", 0.2)
    monkeypatch.setattr(Reader, "picture", lambda *_: time.sleep(0.5))
    with running() as server:
        assert server.predict(PICTURE).status == 503


def test_pictures_that_wait_when_the_server_stops_are_refused(monkeypatch, caplog):
    running_task = threading.Event()

    def picture(*_):
        running_task.set()
        time.sleep(0.5)

    monkeypatch.setattr(Reader, "picture", picture)
    monkeypatch.setattr(_server, "GRACE", 0)
    with ThreadPoolExecutor(1) as pool:
        with running() as server:
            answer = pool.submit(server.predict, PICTURE)
            assert running_task.wait(5)
        assert answer.result().status == 503
    assert not any(record.exc_info for record in caplog.records)


def test_slow_clients_do_not_block_others(server):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nse"
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for number, sock in enumerate(slow):
        sock.sendall(head[: number + 40])
    try:
        assert server.predict(PICTURE).json == expected(PICTURE)
    finally:
        for sock in slow:
            sock.close()


def test_requests_are_refused_if_the_server_is_full(monkeypatch):
    monkeypatch.setattr(_bodies, "MOST_HELD", 2 * len(PICTURE) - 1)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"
    with running() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(head + PICTURE)
            time.sleep(0.2)
            answer = server.predict(PICTURE)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        time.sleep(0.2)
        assert server.predict(PICTURE).status == 200
        monkeypatch.setattr(_bodies, "MOST_AT_ONCE", 0)
        assert server.predict(PICTURE).status == 503


@pytest.mark.parametrize(
    "content",
    [
        b"seven\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n",
    ],
)  # fmt: skip
def test_data_that_is_not_http_is_refused(content, server):
    answer = server.send(content)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400


def test_an_incomplete_body_does_not_log_an_error(server, capfd):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = server.send(head + b"5\r\nseven\r\nnot a size\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(head + b"5\r\nse")
    assert server.request("GET", "/health").status == 200
    assert capfd.readouterr().err == ""


def test_a_connection_can_be_used_after_an_error(server):
    connection = server.connection()
    for body, headers, status in [
        (PICTURE, {}, 200),
        (b"seven", {}, 400),
        (b"{", JSON, 400),
        (PICTURE, {"Origin": "http://evil.example"}, 403),
        (bytes(6_000_000), JSON, 413),
        (PICTURE, {}, 200),
    ]:
        connection.request("POST", "/predict", body, headers)
        assert Answer(connection.getresponse()).status == status
    connection.close()


def test_a_request_for_a_websocket_is_a_plain_request(server):
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert server.request("GET", "/health", headers=headers).status == 200


def test_requests_at_the_same_time_get_their_own_answers(server):
    pictures = [as_png(drawing(shift)) for shift in range(0, 60, 20)]
    alone = [expected(picture) for picture in pictures]
    assert len({str(answer) for answer in alone}) == len(pictures)
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda picture: server.predict(picture).json, pictures * 2))
    assert together == alone * 2


# Examples


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    with running(examples=folder) as client:
        client.folder = folder
        yield client


def keep(server, **given):
    return server.request("POST", "/examples", json.dumps(given), JSON)


def test_corrected_digits_are_saved_by_class(keeping):
    assert keeping.request("GET", "/model").json["keeps_examples"] is True
    [digit] = keeping.predict(PICTURE, query="?details=true").json[0]["digits"]
    for label in ("7", 7, "1"):
        answer = keep(keeping, label=label, pixels=digit["pixels"])
        assert (answer.status, answer.json) == (200, {"kept": str(label)})
    images = load_image_folder(keeping.folder)
    assert images.target.tolist() == [1, 7, 7]
    np.testing.assert_array_equal(images.images, [digit["pixels"]] * 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "label must be one of 0, 1,"),
        ({"label": "../7", "pixels": BLANK}, "label must be one of"),
        ({"label": [7], "pixels": BLANK}, "label must be one of"),
        ({"label": "7"}, "28 rows"),
        ({"label": "7", "pixels": BLANK[:27]}, "28 rows"),
        ({"label": "7", "pixels": [*BLANK[:27], [0]]}, "28 rows"),
        ({"label": "7", "pixels": [[256] * 28] * 28}, "28 rows"),
        ({"label": "7", "pixels": [[0.5] * 28] * 28}, "28 rows"),
        ({"label": "7", "pixels": [[10**30] * 28] * 28}, "28 rows"),
    ],
)
def test_examples_that_are_not_images_of_digits_are_refused(given, sentence, keeping):
    before = sorted(keeping.folder.rglob("*"))
    answer = keep(keeping, **given)
    assert answer.status == 400 and sentence in answer.json["error"]
    assert sorted(keeping.folder.rglob("*")) == before


def test_a_full_folder_refuses_examples(tmp_path, monkeypatch):
    monkeypatch.setattr(_examples, "MOST", 1)
    for status in (200, 507):
        with running(examples=tmp_path) as server:
            assert keep(server, label="7", pixels=BLANK).status == status
            assert keep(server, label="7", pixels=BLANK).status == 507


@pytest.mark.parametrize("label", ["a/b", "..", ".hidden", "", "a\nb", "a" * 101])
def test_a_class_whose_name_is_not_a_valid_folder_name_is_refused(label, tmp_path):
    with pytest.raises(ValueError, match="cannot be saved"):
        Examples(tmp_path / "kept", ["7", label])
    assert not (tmp_path / "kept").exists()


# The command


def error_of(arguments, capsys, status=1):
    assert cli.main(["serve", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    return err


def test_a_port_in_use_is_an_error(server, capsys):
    error = error_of(["--port", str(server.port)], capsys)
    reason = os.strerror(errno.EADDRINUSE)
    assert f"cannot listen on 127.0.0.1, port {server.port} ({reason}): choose" in error


def test_a_host_of_another_machine_is_an_error(capsys):
    assert "choose another --host" in error_of(["--host", "192.0.2.1", "--port", "0"], capsys)


@pytest.mark.parametrize(
    "arguments", [["--port", "99999"], ["--host", ""], ["--host", "a..b"], ["--model", ""]]
)
def test_arguments_that_are_not_valid_are_usage_errors(arguments, capsys):
    assert arguments[0] in error_of(arguments, capsys, 2)


def test_a_file_is_not_a_folder_for_examples(tmp_path, capsys):
    file = tmp_path / "seven.png"
    file.write_bytes(PICTURE)
    error = error_of(["--port", "0", "--keep", str(file)], capsys)
    assert f"cannot write to the folder {file} (" in error
    assert "choose another with --keep" in error


def test_the_extra_is_named_if_it_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "skorch_mnist[serve]"' in error_of([], capsys)


def test_a_classifier_of_other_images_is_refused(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (40, 20, 20), dtype=np.uint8), np.arange(40) % 2
    quick().fit(X, y).save(tmp_path / "small.safetensors")
    error = error_of(["--port", "0", "--model", str(tmp_path / "small.safetensors")], capsys)
    assert "was fitted on images of shape (1, 20, 20) with 400 pixels" in error


def test_a_classifier_is_served_with_the_card_of_its_run(few_digits, monkeypatch):
    assert (
        cli.main(["train", "--dataset", "digits", "--recipe", "fast", "--output-dir", "run"]) == 0
    )
    cards = []
    monkeypatch.setattr(_app, "make_app", lambda reader, *_: cards.append(reader.about["card"]))
    monkeypatch.setattr(_server.Server, "run", lambda *_, **__: None)
    shutil.copy("run/model.safetensors", "alone.safetensors")
    for model in ("run", "run/model.safetensors", "alone.safetensors"):
        assert cli.main(["serve", "--port", "0", "--model", model]) == 0
    card = Path("run/README.md").read_text(encoding="utf-8")
    assert cards == [card, card, None]
