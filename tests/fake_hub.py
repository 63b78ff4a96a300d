"""A server that speaks the model hub's API, for tests of clients of it, with faults on demand.

Two servers, as at the real hub: one answers the API and small files itself and redirects to the
other, the content store, for files in large-file storage. Both count what they send.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import http.server
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse

PATIENCE_SECONDS = 60
PIECE = 64 << 10


@dataclasses.dataclass
class File:
    content: bytes
    lfs: bool = False

    @functools.cached_property
    def sha256(self):
        return hashlib.sha256(self.content).hexdigest()

    @functools.cached_property
    def git_sha1(self):
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\n".encode()
        blob = pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def etag(self):
        return self.sha256 if self.lfs else self.git_sha1


@dataclasses.dataclass
class Repository:
    files: dict
    commit: str = "1" * 40
    refs: tuple = ("main",)
    gated: bool = False


@dataclasses.dataclass
class Seen:
    """A request that came."""
    server: str
    method: str
    path: str
    headers: dict
    time: float


class Fault:
    """What goes wrong with one request for content."""

    def __init__(self, status=None, headers=(), drop_after=None, flip_byte=False, silent=False,
                 ignore_range=False):
        self.status, self.headers = status, dict(headers)
        self.drop_after, self.flip_byte, self.silent = drop_after, flip_byte, silent
        self.ignore_range = ignore_range


class FakeHub:
    """Use as a context. `url` is for HF_ENDPOINT; `token` is the only one with access to gated
    repositories. With a certificate and its key the hub speaks TLS, and so does the content store
    unless `plain_store`."""

    def __init__(self, certificate=None, key=None, plain_store=False):
        self.repositories = {}
        self.token = "hf_good"
        self.tells_metadata = True  # else as a mirror that leaves ?blobs=true away
        self.api_faults = collections.deque()
        self._faults = collections.defaultdict(collections.deque)
        self._lock = threading.Lock()
        self._seen = []
        self._sent = collections.Counter()
        self._hold_after = None
        self._released = threading.Event()
        self._holding = self._replying = 0
        self._stopping = threading.Event()
        self._servers = {}
        for name in ("hub", "store"):
            server = _Server(("127.0.0.1", 0), _Handler)
            server.hub, server.name, server.scheme = self, name, "http"
            if certificate and not (plain_store and name == "store"):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, key)
                server.socket = context.wrap_socket(server.socket, server_side=True,
                                                    do_handshake_on_connect=False)
                server.scheme = "https"
            self._servers[name] = server

    def __enter__(self):
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02},
                             daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._released.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def address(self, name):
        server = self._servers[name]
        return f"{server.scheme}://localhost:{server.server_address[1]}"

    @property
    def url(self):
        return self.address("hub")

    def add(self, name, files, **options):
        self.repositories[name] = Repository(files, **options)
        return self.repositories[name]

    def fail(self, path, *faults):
        """The next requests for the file's content go wrong, one by each fault."""
        with self._lock:
            self._faults[path].extend(faults)

    def hold_after(self, content_bytes):
        """Once so many bytes of content were sent, nothing more is until release()."""
        with self._lock:
            self._hold_after = self.sent_bytes_locked() + content_bytes
        self._released.clear()

    def release(self):
        with self._lock:
            self._hold_after = None
        self._released.set()

    @property
    def holding(self):
        """How many replies are held."""
        with self._lock:
            return self._holding

    @property
    def replying(self):
        """How many replies with content are under way, those that are held included."""
        with self._lock:
            return self._replying

    def count_reply(self, change):
        with self._lock:
            self._replying += change

    @property
    def seen(self):
        with self._lock:
            return list(self._seen)

    def forget(self):
        """Begins to count and to note requests anew."""
        with self._lock:
            self._seen.clear()
            self._sent.clear()

    def sent_bytes_locked(self):
        return sum(self._sent.values())

    @property
    def sent_bytes(self):
        """The bytes of files' content that were sent."""
        with self._lock:
            return self.sent_bytes_locked()

    def sent(self):
        """The same by file."""
        with self._lock:
            return dict(self._sent)

    def take_fault(self, path):
        with self._lock:
            return self._faults[path].popleft() if self._faults[path] else Fault()

    def note(self, server, method, path, headers):
        with self._lock:
            self._seen.append(Seen(server, method, path, dict(headers), time.monotonic()))

    def may_send(self, path, count):
        """Waits while held; counts and returns how much of `count` may go now."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            with self._lock:
                allowed = count
                if self._hold_after is not None:
                    allowed = min(count, self._hold_after - self.sent_bytes_locked())
                if allowed > 0:
                    self._sent[path] += allowed
                    return allowed
                self._holding += 1
            self._released.wait(0.05)
            with self._lock:
                self._holding -= 1
        raise TimeoutError("held for too long")

    def wait_silently(self, connection):
        """Says nothing until the client has gone."""
        connection.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(OSError):
            connection.recv(1)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # Clients that are killed or refuse a certificate are part of the tests.


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_SECONDS

    def log_message(self, *_):
        pass

    @property
    def hub(self):
        return self.server.hub

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        self.hub.note(self.server.name, self.command, self.path, self.headers)
        if self.server.name == "store":
            return self._send_from_store(path)
        if match := re.fullmatch(r"/api/models/(.+?)(?:/(revision|tree)/(.+))?", path):
            return self._answer_api(*match.groups(), url.query)
        if match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            return self._resolve(*match.groups())
        self._reply(404)

    def _reply(self, status, headers=(), body=b""):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _find(self, name, revision):
        """The repository at the revision; none after the refusal was sent."""
        repository = self.hub.repositories.get(name)
        token = self.headers.get("Authorization", "")
        if repository is None:
            self._reply(404 if token else 401, {"X-Error-Code": "RepoNotFound",
                                                "X-Error-Message": "Repository not found"})
        elif repository.gated and token != f"Bearer {self.hub.token}":
            self._reply(403 if token else 401, {
                "X-Error-Code": "GatedRepo", "X-Error-Message": f"Access to {name} is restricted."})
        elif revision not in (None, repository.commit, *repository.refs):
            self._reply(404, {"X-Error-Code": "RevisionNotFound",
                              "X-Error-Message": f"Invalid rev id: {revision}"})
        else:
            return repository
        return None

    def _answer_api(self, name, kind, revision, query):
        if self.hub.api_faults:
            fault = self.hub.api_faults.popleft()
            return self._reply(fault.status, fault.headers)
        repository = self._find(name, revision)
        if repository is None:
            return
        if kind == "tree":
            body = [self._tree_entry(path, file) for path, file in repository.files.items()]
        else:
            with_blobs = "blobs=true" in query and self.hub.tells_metadata
            body = {"id": name, "modelId": name, "sha": repository.commit, "private": False,
                    "gated": repository.gated, "disabled": False, "tags": [], "downloads": 0,
                    "likes": 0,
                    "siblings": [self._sibling(path, file, with_blobs)
                                 for path, file in repository.files.items()]}
        self._reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _sibling(self, path, file, with_blobs):
        sibling = {"rfilename": path}
        if with_blobs:
            sibling |= {"size": len(file.content), "blobId": file.git_sha1}
            if file.lfs:
                sibling["lfs"] = {"sha256": file.sha256, "size": len(file.content),
                                  "pointerSize": 130}
        return sibling

    def _tree_entry(self, path, file):
        entry = {"type": "file", "oid": file.git_sha1, "size": len(file.content), "path": path}
        if file.lfs:
            entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 130}
        return entry

    def _resolve(self, name, revision, path):
        repository = self._find(name, revision)
        if repository is None:
            return
        file = repository.files.get(path)
        if file is None:
            return self._reply(404, {"X-Error-Code": "EntryNotFound",
                                     "X-Repo-Commit": repository.commit})
        headers = {"X-Repo-Commit": repository.commit}
        if not file.lfs:
            return self._send_content(path, file, headers | {"ETag": f'"{file.git_sha1}"'})
        location = f"{self.hub.address('store')}/{urllib.parse.quote(name + '/' + path)}?signature=1"
        self._reply(302, headers | {"X-Linked-Etag": f'"{file.sha256}"',
                                    "X-Linked-Size": str(len(file.content)), "Location": location})

    def _send_from_store(self, path):
        for name, repository in self.hub.repositories.items():
            file_path = path.removeprefix(f"/{name}/")
            if file_path in repository.files:
                file = repository.files[file_path]
                return self._send_content(file_path, file, {"ETag": '"not-a-checksum"'})
        self._reply(404)

    def _send_content(self, path, file, headers):
        content, status = memoryview(file.content), 200
        fault = self.hub.take_fault(path) if self.command == "GET" else Fault()
        if fault.status:
            return self._reply(fault.status, fault.headers)
        if fault.silent:
            self.close_connection = True
            return self.hub.wait_silently(self.connection)
        if fault.flip_byte:
            content = memoryview(file.content[:-1] + bytes([file.content[-1] ^ 1]))
        headers = headers | {"Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and not fault.ignore_range:
            first = int(wanted[1])
            last = min(int(wanted[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first:last + 1], 206
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.hub.count_reply(+1)
        try:
            self._send_pieces(path, content, fault.drop_after)
        finally:
            self.hub.count_reply(-1)

    def _send_pieces(self, path, content, drop_after):
        end = len(content) if drop_after is None else min(drop_after, len(content))
        at = 0
        while at < end:
            count = self.hub.may_send(path, min(PIECE, end - at))
            self.wfile.write(content[at:at + count])
            at += count
        if drop_after is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_WR)
