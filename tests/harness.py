"""Starts the program's roles for scenario tests, on ports that the system chooses, and stops them.

A Role is one process; a Deployment is the guide's four (or more) of them. Every wait has a deadline
and ends with the log of the role that kept the test waiting.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from users import as_user

SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("TANDEM_BUILD", SOURCE / "build"))
PROGRAM = BUILD / "bin" / "tandem"
FIXTURES = SOURCE.parent / "shared" / "fixtures"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = pathlib.Path(os.environ.get("TANDEM_TEST_MODEL", SOURCE / "build" / "models" / MODEL_FILE))
MODEL_NAME = "smollm2"
# What the program was built with: "address,undefined", "thread" or nothing.
SANITIZED_BY = (re.search(r"^TANDEM_SANITIZE:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.M)
                or ["", ""])[1] if (BUILD / "CMakeCache.txt").exists() else ""
SANITIZED = bool(SANITIZED_BY)
PATIENCE = 10 if SANITIZED else 1  # Instrumented programs are slower.


def missing(what):
    """What to raise where something that `make test` sets up is not there: under `make test` itself
    that is a failure, elsewhere a reason to skip."""
    required = "TANDEM_REQUIRE_TEST_SETUP" in os.environ
    return AssertionError(what) if required else unittest.SkipTest(what)


def require_model():
    if not MODEL.exists():
        raise missing(f"the demo model is not at {MODEL}; `make model` gets it")


def wait_until(condition, seconds, what):
    """Returns condition()'s first true value; fails after the deadline, saying what was waited for."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds * PATIENCE} s in vain for {what}")
        time.sleep(0.01)


def without_preloaded_runtime():
    """The environment for programs of others, which a sanitizer's runtime can stop for good."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


class Role:
    """One process of the program. `namespace` is a network namespace to run it in, `user` one of
    users.py to run it as."""

    def __init__(self, name, arguments, directory, environment=None, namespace=None,
                 ready_flag="--ready-file", host="127.0.0.1", user=None):
        self.name, self.host = name, host
        self._ready_file = pathlib.Path(directory) / f"{name}.ready"
        self._log_file = pathlib.Path(directory) / f"{name}.log"
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        self._command = [*prefix, *as_user(user), str(PROGRAM), *map(str, arguments),
                         f"{ready_flag}={self._ready_file}"]
        # UCX's memory hooks break ThreadSanitizer's own at a thread's end.
        sanitizer = {"UCX_MEM_EVENTS": "n"} if SANITIZED else {}
        self._environment = os.environ | sanitizer | (environment or {})
        self.ports = {}
        self.process = None

    def start(self, wait=True):
        self._ready_file.unlink(missing_ok=True)
        with open(self._log_file, "ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log,
                                            env=self._environment)
        return self.wait_ready() if wait else self

    def wait_ready(self, seconds=30):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()}")
            return self._ready_file.exists()
        try:
            wait_until(ready, seconds, f"{self.name} to serve")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None
        self.ports = json.loads(self._ready_file.read_text())["ports"]
        return self

    def restart(self):
        """Starts it again on the ports it had."""
        self._pin_ports()
        return self.start()

    def _pin_ports(self):
        pinned = []
        for argument in self._command:
            for flag, name in (("--port=0", "http"), ("--rpc_port=0", "rpc"),
                               ("--metrics_port=0", "metrics"),
                               ("--http_metadata_server_port=0", "metadata")):
                if argument == flag:
                    argument = f"{flag[:-1]}{self.ports[name]}"
            pinned.append(argument)
        self._command = pinned

    @property
    def port(self):
        return self.ports["http"]

    def log(self):
        return self._log_file.read_text(errors="replace")

    def expect_logged(self, *patterns, seconds=5):
        """Waits until the log has each pattern: a line can come later than the reply it is about."""
        for pattern in patterns:
            try:
                wait_until(lambda: re.search(pattern, self.log()), seconds, pattern)
            except AssertionError as error:
                raise AssertionError(f"{self.name} does not log what it should: {error}\n"
                                     f"{self.log()}") from None

    def signal(self, number):
        """Sends a signal. After SIGSTOP all threads of the process stand still."""
        self.process.send_signal(number)
        if number == signal.SIGSTOP and self.process.poll() is None:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def kill(self):
        """kill -9, and waits for the end."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def stop(self, seconds=20):
        """SIGTERM; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=seconds * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)
                raise AssertionError(f"{self.name} did not stop within {seconds} s:\n{self.log()}")
        if SANITIZED and "Sanitizer" in self.log():
            raise AssertionError(f"{self.name}:\n{self.log()}")
        return self.process.returncode

    def request(self, method, path, body=None, headers=None, timeout=120):
        """Returns status, headers and the body as text."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout * PATIENCE)
        try:
            text = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, text,
                               {"Content-Type": "application/json"} | (headers or {}))
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def post(self, path, body, **options):
        """Posts JSON and returns the reply's JSON; fails unless the status is 200."""
        status, _, text = self.request("POST", path, body, **options)
        assert status == 200, f"{self.name} {path}: {status} {text}\n{self.log()[-3000:]}"
        return json.loads(text)

    def stream(self, path, body, timeout=120):
        """Yields the JSON of each event of a streamed reply; ends at [DONE]."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout * PATIENCE)
        try:
            connection.request("POST", path, json.dumps(body | {"stream": True}),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert response.status == 200, response.read()
            for line in response:
                if line.startswith(b"data: [DONE]"):
                    return
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
            raise AssertionError(f"{self.name}: the stream ended without [DONE]")
        finally:
            connection.close()

    def metric(self, name):
        """The sum over labels of a metric."""
        status, _, text = self.request("GET", "/metrics")
        assert status == 200
        pattern = re.compile(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", re.M)
        return sum(float(value) for value in pattern.findall(text))


class Deployment:
    """The guide's roles on this machine: master, prefillers, decoders, proxy and, if asked for, one
    instance that does everything alone ("single")."""

    def __init__(self, prefillers=1, decoders=1, single=False, proxy=True, serve_flags=(),
                 master_flags=(), proxy_flags=(), config=None, roles=("kv_producer", "kv_consumer"),
                 decoder_flags=(), prefiller_flags=()):
        require_model()
        self._directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.directory = pathlib.Path(self._directory.name)
        self._serve_flags, self._config = list(serve_flags), config or {}
        self.master = Role("master", [
            "master", "--rpc_port=0", "--rpc_address=127.0.0.1", "--metrics_port=0",
            "--enable_http_metadata_server=true", "--http_metadata_server_host=127.0.0.1",
            "--http_metadata_server_port=0", *master_flags], self.directory,
            ready_flag="--ready_file")
        self._counts = (prefillers, decoders, single, proxy)
        self._kv_roles = roles
        self._proxy_flags = list(proxy_flags)
        self._flags = {"prefiller": list(prefiller_flags), "decoder": list(decoder_flags)}
        self.prefillers, self.decoders, self.single, self.proxy = [], [], None, None

    def __enter__(self):
        prefillers, decoders, single, proxy = self._counts
        try:
            self.master.start()
            self.prefillers = [self.engine(f"prefiller{i}", self._kv_roles[0],
                                           self._flags["prefiller"]) for i in range(prefillers)]
            self.decoders = [self.engine(f"decoder{i}", self._kv_roles[1], self._flags["decoder"])
                             for i in range(decoders)]
            if single:
                self.single = self.engine("single", None, [])
            for role in self._engines():
                role.wait_ready()
            if proxy:
                self.proxy = self.start_proxy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _engines(self):
        return [*self.prefillers, *self.decoders, *([self.single] if self.single else [])]

    def engine(self, name, kv_role, flags=()):
        """Starts an instance without waiting for it."""
        arguments = ["serve", MODEL, "--host=127.0.0.1", "--port=0",
                     f"--served-model-name={MODEL_NAME}", "--no-enable-prefix-caching",
                     *self._serve_flags, *flags]
        environment = {"PYTHONHASHSEED": "123"}
        if kv_role:
            transfer = {"kv_connector": "LMCacheConnectorV1", "kv_role": kv_role}
            arguments.append(f"--kv-transfer-config={json.dumps(transfer)}")
            environment["LMCACHE_CONFIG_FILE"] = str(self.write_config(name))
        return Role(name, arguments, self.directory, environment).start(wait=False)

    def write_config(self, name, **changes):
        """The guide's YAML with this deployment's ports; `changes` replace values of either level."""
        extra = {
            "local_hostname": "127.0.0.1",
            "metadata_server": f"http://127.0.0.1:{self.master.ports['metadata']}/metadata",
            "protocol": "tcp",
            "master_server_address": f"127.0.0.1:{self.master.ports['rpc']}",
            "global_segment_size": 1 << 30,
            "local_buffer_size": 1 << 30,
            "transfer_timeout": 1,
            "save_chunk_meta": False,
        }
        top = {
            "chunk_size": 256,
            "remote_url": f"mooncakestore://127.0.0.1:{self.master.ports['rpc']}/",
            "remote_serde": "naive",
            "local_cpu": False,
            "max_local_cpu_size": 100,
        }
        for key, value in (self._config | changes).items():
            (extra if key in extra else top)[key] = value
        path = self.directory / f"{name}.yaml"
        # YAML is a superset of JSON.
        path.write_text(json.dumps(top | {"extra_config": extra}))
        return path

    def start_proxy(self):
        ports = lambda roles: ",".join(str(role.port) for role in roles)
        hosts = lambda roles: ",".join("127.0.0.1" for _ in roles)
        return Role("proxy", [
            "proxy", "--host=127.0.0.1", "--port=0",
            f"--prefiller-host={hosts(self.prefillers)}",
            f"--prefiller-port={ports(self.prefillers)}",
            f"--decoder-host={hosts(self.decoders)}", f"--decoder-port={ports(self.decoders)}",
            *self._proxy_flags], self.directory).start()

    def __exit__(self, *_):
        failure = None
        for role in [self.proxy, *self._engines(), self.master]:
            try:
                if role is not None:
                    role.stop()
            except AssertionError as error:
                failure = failure or error
        sanitizer_reports = [
            f"{path.name}:\n{text}" for path in self.directory.glob("*.log")
            if "Sanitizer" in (text := path.read_text(errors="replace"))]
        self._directory.cleanup()
        assert not sanitizer_reports, "\n".join(sanitizer_reports)
        if failure:
            raise failure

    def metadata_keys(self):
        """All keys of the store."""
        connection = http.client.HTTPConnection("127.0.0.1", self.master.ports["metrics"], timeout=5)
        try:
            connection.request("GET", "/get_all_keys")
            return connection.getresponse().read().decode().split()
        finally:
            connection.close()


def chat(text, **options):
    return {"model": MODEL_NAME, "messages": [{"role": "user", "content": text}]} | options


def completion(prompt, **options):
    return {"model": MODEL_NAME, "prompt": prompt} | options
