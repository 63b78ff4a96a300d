"""`tandem pull` against a server that speaks the hub's API, and against the hub's own client on the
same cache: what either brings, the other finds. Faults: dropped and silent connections, 429, 5xx,
wrong checksums, kill -9, a full disk."""

import contextlib
import json
import os
import pathlib
import pty
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import fake_hub
import harness
from fake_hub import Fault, File

NAME = "org/small-model"
MIB = 1 << 20
RANGE = 512 << 10


def random_bytes(count, seed=0):
    return random.Random(seed).randbytes(count)


def small_model():
    return {
        ".gitattributes": File(b"*.safetensors filter=lfs\n"),
        "README.md": File(b"# A model\n"),
        "config.json": File(json.dumps({"model_type": "llama"}).encode()),
        "tokenizer.json": File(random_bytes(300_000, 1)),
        "vocab.txt": File(b""),
        "model.safetensors": File(random_bytes(3 * MIB + 123, 2), lfs=True),
        "pytorch_model.bin": File(random_bytes(3 * MIB, 3), lfs=True),
        "onnx/model.onnx": File(random_bytes(1000, 4), lfs=True),
    }


WANTED = {"config.json", "tokenizer.json", "vocab.txt", "model.safetensors"}


class PullTestCase(unittest.TestCase):
    """A hub with a small model, an empty cache, and ways to run both clients."""

    def setUp(self):
        self.hub = self.enterContext(fake_hub.FakeHub())
        self.repository = self.hub.add(NAME, small_model())
        self.home = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory(prefix="tandem-pull-")))

    # What is run.

    def environment(self, home=None, **changes):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("HF_", "XDG_")) and not name.lower().endswith("_proxy")}
        return kept | {"HF_HOME": str(home or self.home), "HF_ENDPOINT": self.hub.url,
                       "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"} | changes

    def start(self, *arguments, home=None, **changes):
        """A pull that goes on; its standard error is a file to be read meanwhile."""
        log = tempfile.TemporaryFile()
        process = subprocess.Popen(
            [harness.PROGRAM, "pull", f"--range-size={RANGE}",
             *(arguments or (NAME,))], stdout=subprocess.PIPE,
            stderr=log, env=self.environment(home, **changes))
        process.log = log
        self.addCleanup(log.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, seconds=60):
        """Returns exit code, standard output, standard error."""
        output = process.communicate(timeout=seconds * harness.PATIENCE)[0].decode()
        return process.returncode, output, self.said(process)

    def said(self, process):
        log = process.log.fileno()
        return os.pread(log, os.fstat(log).st_size, 0).decode()

    def pull(self, *arguments, **changes):
        return self.finish(self.start(*arguments, **changes))

    def succeed(self, *arguments, **changes):
        """Pulls and returns the snapshot's directory and what was said."""
        code, output, said = self.pull(*arguments, **changes)
        self.assertEqual(code, 0, said)
        return pathlib.Path(output.strip()), said

    def fail_with(self, code, *arguments, **changes):
        found, output, said = self.pull(*arguments, **changes)
        self.assertEqual(found, code, said)
        self.assertEqual(output, "")
        return said

    def run_client(self, script, home=None, **changes):
        """Runs Python with huggingface_hub imported; returns what it prints."""
        result = subprocess.run(
            [sys.executable, "-c", f"from huggingface_hub import *\n{script}"], text=True,
            capture_output=True, timeout=120, env=self.environment(home, **changes))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.strip()

    # What is looked at.

    def model_directory(self, name=NAME, home=None):
        return pathlib.Path(home or self.home) / "hub" / ("models--" + name.replace("/", "--"))

    def blob(self, path):
        return self.model_directory() / "blobs" / self.repository.files[path].etag

    def partial(self, path):
        return self.blob(path).with_name(self.blob(path).name + ".tandem.incomplete")

    def counted(self, path):
        """The bytes that the file in the making counts as arrived."""
        size = len(self.repository.files[path].content)
        try:
            footer = self.partial(path).read_bytes()[size:]
        except FileNotFoundError:
            return 0
        if footer[:8] != b"TNDMPART":
            return 0
        return sum(struct.unpack(f"<{len(footer) // 8 - 2}q", footer[16:]))

    def check_snapshot(self, snapshot, paths, repository=None):
        repository = repository or self.repository
        found = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}
        self.assertEqual(found, set(paths))
        for path in paths:
            self.assertEqual((snapshot / path).read_bytes(), repository.files[path].content, path)

    def wanted_bytes(self, paths=WANTED):
        return sum(len(self.repository.files[path].content) for path in paths)


class CacheTest(PullTestCase):
    def test_writes_the_hubs_layout(self):
        snapshot, said = self.succeed()
        directory = self.model_directory()
        self.assertEqual(snapshot, directory / "snapshots" / self.repository.commit)
        self.check_snapshot(snapshot, WANTED)
        self.assertEqual((directory / "refs" / "main").read_text(), self.repository.commit)
        self.assertEqual({path.name for path in (directory / "blobs").iterdir()},
                         {self.repository.files[path].etag for path in WANTED})
        link = (snapshot / "model.safetensors").readlink()
        self.assertEqual(str(link), "../../blobs/" + self.repository.files["model.safetensors"].etag)
        self.assertIn("100 %", said)
        self.assertEqual(self.hub.sent_bytes, self.wanted_bytes())

    def test_the_hubs_client_finds_what_was_pulled(self):
        snapshot, _ = self.succeed()
        self.hub.forget()
        found = self.run_client(f"""
print(snapshot_download("{NAME}", local_files_only=True))
print(hf_hub_download("{NAME}", "config.json"))
report = scan_cache_dir()
print(report.warnings, len(report.repos), report.size_on_disk)
print(snapshot_download("{NAME}", allow_patterns={sorted(WANTED)!r}))
""").splitlines()
        self.assertEqual(found[0], str(snapshot))
        self.assertEqual(found[1], str(snapshot / "config.json"))
        self.assertEqual(found[2], f"[] 1 {self.wanted_bytes()}")
        self.assertEqual(found[3], str(snapshot))
        self.assertEqual(self.hub.sent_bytes, 0)

    def test_finds_what_the_hubs_client_has_brought(self):
        brought = self.run_client(f'print(snapshot_download("{NAME}"))')
        self.hub.forget()
        snapshot, _ = self.succeed()
        self.assertEqual(str(snapshot), brought)
        self.assertEqual(self.hub.sent_bytes, 0)
        self.hub.forget()
        self.assertEqual(self.succeed(HF_HUB_OFFLINE="1")[0], snapshot)
        self.assertEqual(self.hub.seen, [])

    def test_serves_what_either_has_brought(self):
        harness.require_model()
        name = "org/tiny-GGUF"
        content = harness.MODEL.read_bytes()
        self.hub.add(name, {"README.md": File(b"#"), "model.Q4_1.gguf": File(content, lfs=True)})
        theirs = self.home / "theirs"
        self.run_client(f'snapshot_download("{name}")', home=theirs)
        self.succeed(name)
        for home in (theirs, self.home):
            server = harness.Role("serve", ["serve", name, "--host=127.0.0.1", "--port=0"], self.home,
                                  self.environment(home)).start()
            self.addCleanup(server.kill)
            status, _, text = server.request("GET", "/v1/models")
            self.assertEqual((status, json.loads(text)["data"][0]["id"]), (200, name))
            self.assertEqual(server.stop(), 0)

    def test_a_model_that_is_not_there_says_how_to_get_it(self):
        result = subprocess.run([harness.PROGRAM, "serve", NAME], env=self.environment(), text=True,
                                capture_output=True, timeout=30)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"tandem pull {NAME}", result.stderr)

    def test_pulls_a_revision_beside_another(self):
        self.succeed()
        self.repository.commit, self.repository.refs = "2" * 40, ("main", "v2", "refs/pr/1")
        self.repository.files["config.json"] = File(b'{"version": 2}')
        self.hub.forget()
        snapshot, _ = self.succeed(f"{NAME}@refs/pr/1")
        self.assertEqual(snapshot.name, "2" * 40)
        self.check_snapshot(snapshot, WANTED)
        directory = self.model_directory()
        self.assertEqual((directory / "refs/refs/pr/1").read_text(), "2" * 40)
        self.assertEqual((directory / "refs/main").read_text(), "1" * 40)
        self.assertEqual(self.hub.sent(), {"config.json": len(b'{"version": 2}')})
        self.assertEqual(self.succeed(f"{NAME}@{'2' * 40}")[0], snapshot)

    def test_offline_asks_nobody(self):
        said = self.fail_with(1, HF_HUB_OFFLINE="1")
        self.assertIn("HF_HUB_OFFLINE", said)
        self.assertIn(str(self.model_directory()), said)
        self.assertEqual(self.hub.seen, [])
        snapshot, _ = self.succeed()
        self.hub.forget()
        self.assertEqual(self.succeed(HF_HUB_OFFLINE="1")[0], snapshot)
        self.assertIn("v9", self.fail_with(1, f"{NAME}@v9", HF_HUB_OFFLINE="1"))
        self.assertEqual(self.hub.seen, [])


class SelectionTest(PullTestCase):
    def test_gets_what_patterns_select(self):
        snapshot, _ = self.succeed("--include", "*.onnx", "--include", "*.md", NAME,
                                   "--exclude", "README*")
        self.check_snapshot(snapshot, {"onnx/model.onnx"})
        self.assertEqual(str((snapshot / "onnx/model.onnx").readlink())[:15], "../../../blobs/")
        said = self.fail_with(2, NAME, "--include=*.nothing")
        self.assertIn("pytorch_model.bin", said)

    def test_asks_which_of_several_gguf_files(self):
        files = {f"model.{kind}.gguf": File(random_bytes(1000, 9), lfs=True)
                 for kind in ("Q4_0", "Q8_0")}
        repository = self.hub.add("org/quants", files)
        said = self.fail_with(2, "org/quants")
        self.assertIn("--include", said)
        self.assertIn("model.Q4_0.gguf (1.0 kB)", said)
        snapshot, _ = self.succeed("org/quants", "--include=*Q4_0*")
        self.check_snapshot(snapshot, {"model.Q4_0.gguf"}, repository)

    def test_does_not_let_a_server_write_elsewhere(self):
        for path in ("../../../evil.json", "/tmp/evil.json", "a/../../evil.json"):
            self.hub.add("org/evil", {path: File(b"{}"), "model.safetensors": File(b"w")})
            self.assertIn("rfilename", self.fail_with(2, "org/evil"))
        self.assertFalse(self.model_directory("org/evil").exists())


class TransferTest(PullTestCase):
    def test_gets_ranges_side_by_side(self):
        self.hub.hold_after(0)
        process = self.start(NAME, "--include=model.safetensors", "--connections=4")
        harness.wait_until(lambda: self.ranges_asked() == 4, 20, "four ranges to be asked for")
        self.hub.release()
        self.assertEqual(self.finish(process)[0], 0)
        self.assertEqual(self.ranges_asked(), 7)

    def ranges_asked(self):
        return sum("Range" in seen.headers for seen in self.hub.seen if seen.server == "store")

    def test_goes_on_exactly_where_a_kill_left_it(self):
        path = "model.safetensors"
        self.hub.hold_after(3 * MIB // 2)
        process = self.start(NAME, f"--include={path}", "--connections=3")
        harness.wait_until(lambda: self.counted(path) == 3 * MIB // 2, 20, "what was sent to arrive")
        process.kill()
        self.finish(process)
        self.assertFalse((self.model_directory() / "snapshots").exists())
        self.hub.release()
        harness.wait_until(lambda: not self.hub.replying, 20, "the server to notice the kill")
        self.hub.forget()
        snapshot, said = self.succeed(NAME, f"--include={path}")
        self.check_snapshot(snapshot, {path})
        self.assertEqual(self.hub.sent_bytes, self.wanted_bytes({path}) - 3 * MIB // 2)
        self.assertIn("are there already", said)
        self.assertFalse(self.partial(path).exists())

    def test_stops_at_a_signal_and_goes_on(self):
        self.hub.hold_after(MIB)
        process = self.start()
        harness.wait_until(lambda: self.hub.holding, 20, "the transfer to be under way")
        process.send_signal(signal.SIGINT)
        code, _, said = self.finish(process, seconds=10)
        self.assertEqual(code, 1)
        self.assertIn("the same command goes on", said)
        self.hub.release()
        self.check_snapshot(self.succeed()[0], WANTED)

    def test_goes_on_after_dropped_connections(self):
        self.hub.fail("model.safetensors", Fault(drop_after=100_000), Fault(drop_after=0),
                      Fault(drop_after=RANGE - 1))
        self.hub.fail("tokenizer.json", Fault(drop_after=1000))
        snapshot, said = self.succeed(NAME, "--connections=1")
        self.check_snapshot(snapshot, WANTED)
        self.assertEqual(self.hub.sent_bytes, self.wanted_bytes())
        self.assertIn("the connection broke off", said)

    def test_gives_up_on_a_connection_that_always_drops(self):
        self.hub.fail("tokenizer.json", *[Fault(drop_after=0)] * 2)
        said = self.fail_with(1, NAME, "--retries=1")
        self.assertIn("tokenizer.json", said)
        self.assertIn("the same command goes on from there", said)
        self.assertFalse((self.model_directory() / "snapshots").exists())
        self.check_snapshot(self.succeed()[0], WANTED)

    def test_does_not_wait_for_a_silent_server(self):
        self.hub.fail("model.safetensors", Fault(silent=True))
        snapshot, said = self.succeed(HF_HUB_DOWNLOAD_TIMEOUT="2")
        self.check_snapshot(snapshot, WANTED)
        self.assertIn("model.safetensors: the connection broke off", said)

    def test_stays_away_as_long_as_it_is_asked_to(self):
        self.hub.fail("tokenizer.json", Fault(status=429, headers={"Retry-After": "3"}))
        snapshot, said = self.succeed(NAME, "--connections=1")
        self.check_snapshot(snapshot, WANTED)
        self.assertIn("answered 429; trying again in 3 s", said)
        times = [seen.time for seen in self.hub.seen if "tokenizer" in seen.path]
        self.assertGreaterEqual(times[1] - times[0], 2.9)
        between = [seen for seen in self.hub.seen if times[0] < seen.time < times[0] + 2.9]
        self.assertEqual(between, [])

    def test_says_so_where_it_is_asked_to_stay_away_for_long(self):
        self.hub.api_faults.append(Fault(status=429, headers={"Retry-After": "7200"}))
        said = self.fail_with(1)
        self.assertIn("429", said)
        self.assertIn("HF_TOKEN", said)

    def test_tries_again_where_the_hub_is_in_trouble(self):
        self.hub.api_faults.append(Fault(status=502))
        self.hub.fail("config.json", Fault(status=503))
        snapshot, said = self.succeed()
        self.check_snapshot(snapshot, WANTED)
        self.assertIn("answered 502", said)
        self.assertIn("answered 503", said)
        self.hub.api_faults.extend([Fault(status=500)] * 2)
        said = self.fail_with(1, NAME, "--retries=1")
        self.assertIn("answered 500", said)
        self.assertIn("later", said)

    def test_gets_a_damaged_file_once_more(self):
        self.hub.fail("tokenizer.json", Fault(flip_byte=True))
        self.hub.fail("model.safetensors", *[Fault()] * 6, Fault(flip_byte=True))
        snapshot, said = self.succeed(NAME, "--connections=1")
        self.check_snapshot(snapshot, WANTED)
        for path in ("tokenizer.json", "model.safetensors"):
            self.assertIn(f"{path}: its checksum is ", said)

    def test_keeps_no_file_that_is_damaged_again(self):
        self.hub.fail("tokenizer.json", *[Fault(flip_byte=True)] * 2)
        said = self.fail_with(1)
        self.assertIn("tokenizer.json arrived damaged twice", said)
        self.assertIn(self.repository.files["tokenizer.json"].etag, said)
        self.assertFalse(self.blob("tokenizer.json").exists())
        self.assertFalse(self.partial("tokenizer.json").exists())
        self.assertFalse((self.model_directory() / "snapshots").exists())
        self.check_snapshot(self.succeed()[0], WANTED)

    def test_copes_with_a_server_without_ranges(self):
        self.hub.fail("model.safetensors", *[Fault(ignore_range=True)] * 20)
        snapshot, said = self.succeed()
        self.check_snapshot(snapshot, WANTED)
        self.assertIn("in one piece", said)

    def test_copes_with_a_mirror_that_tells_only_names(self):
        self.hub.tells_metadata = False
        snapshot, _ = self.succeed()
        self.check_snapshot(snapshot, WANTED)
        self.assertEqual(self.blob("model.safetensors").name,
                         self.repository.files["model.safetensors"].sha256)

    def test_two_pulls_fetch_everything_once(self):
        self.hub.hold_after(MIB)
        first = self.start(NAME, "--connections=1")
        harness.wait_until(lambda: self.hub.holding, 20, "the first to be under way")
        second = self.start(NAME, "--connections=1")
        harness.wait_until(lambda: "waiting for another process" in self.said(second), 20,
                           "the second to wait")
        self.assertIn("holds", self.fail_with(1, NAME, "--lock-timeout=1"))
        self.hub.release()
        for process in (first, second):
            code, output, said = self.finish(process)
            self.assertEqual(code, 0, said)
        self.check_snapshot(pathlib.Path(output.strip()), WANTED)
        self.assertEqual(self.hub.sent_bytes, self.wanted_bytes())


class RefusalTest(PullTestCase):
    def test_sends_the_token_to_the_hub_alone(self):
        self.repository.gated = True
        (self.home / "token").write_text(self.hub.token + "\n")
        self.succeed()
        for seen in self.hub.seen:
            expected = f"Bearer {self.hub.token}" if seen.server == "hub" else None
            self.assertEqual(seen.headers.get("Authorization"), expected, seen.path)
        self.assertEqual({seen.server for seen in self.hub.seen}, {"hub", "store"})

    def test_says_what_a_gated_model_needs(self):
        self.repository.gated = True
        said = self.fail_with(1)
        self.assertIn(f"accept its terms at {self.hub.url}/{NAME}", said)
        self.assertIn("HF_TOKEN", said)
        said = self.fail_with(1, HF_TOKEN="hf_other")
        self.assertIn("the token has no access", said)
        self.assertNotIn("hf_other", said)

    def test_says_what_does_not_exist(self):
        self.assertIn("org/absent does not exist, or is private", self.fail_with(1, "org/absent"))
        self.assertIn('no model "org/absent"',
                      self.fail_with(1, "org/absent", HF_TOKEN=self.hub.token))
        self.assertIn('no revision "v9"', self.fail_with(1, f"{NAME}@v9"))
        self.assertIn("accepted: ORG/NAME", self.fail_with(2, "../name"))
        self.assertIn("HF_ENDPOINT", self.fail_with(2, HF_ENDPOINT="localhost:1"))

    def test_says_so_where_nobody_can_be_reached(self):
        said = self.fail_with(1, HF_ENDPOINT="http://127.0.0.1:1")
        self.assertIn("cannot reach http://127.0.0.1:1", said)
        self.assertIn("HF_HUB_OFFLINE=1", said)
        # Something answers, but no hub.
        self.assertIn("check", self.fail_with(1, HF_ENDPOINT=self.hub.address("store")))


class DiskTest(PullTestCase):
    @contextlib.contextmanager
    def small_disk(self, size):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.home],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("a file system of a limited size can be mounted only as root")
        try:
            yield
        finally:
            subprocess.run(["umount", "--lazy", self.home], check=True)

    def test_says_before_the_transfer_that_the_disk_is_too_small(self):
        with self.small_disk("2m"):
            said = self.fail_with(1)
            self.assertIn("3.4 MB more are needed", said)
            self.assertIn("HF_HOME", said)
        self.assertEqual(self.hub.sent_bytes, 0)

    def test_goes_on_after_the_disk_was_full(self):
        with self.small_disk("5m"):
            self.hub.hold_after(MIB)
            process = self.start()
            harness.wait_until(lambda: self.hub.holding, 20, "the transfer to be under way")
            filler = self.home / "filler"
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            self.hub.release()
            code, _, said = self.finish(process)
            self.assertEqual(code, 1)
            self.assertIn("No space left on device", said)
            self.assertIn("free some space", said)
            filler.unlink()
            before = self.counted("model.safetensors")
            self.hub.forget()
            self.check_snapshot(self.succeed()[0], WANTED)
            self.assertGreater(before, 0)
            self.assertEqual(self.hub.sent()["model.safetensors"],
                             self.wanted_bytes({"model.safetensors"}) - before)


class TerminalTest(PullTestCase):
    def test_shows_a_bar_on_a_terminal_and_lines_elsewhere(self):
        self.assertNotIn("\r", self.succeed()[1])
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        shown = bytearray()

        def read():
            with contextlib.suppress(OSError):
                while part := os.read(ours, 4096):
                    shown.extend(part)
        reader = threading.Thread(target=read)
        reader.start()
        process = subprocess.Popen([harness.PROGRAM, "pull", NAME], stdout=subprocess.DEVNULL,
                                   stderr=theirs, env=self.environment(self.home / "other"))
        os.close(theirs)
        self.assertEqual(process.wait(60), 0)
        reader.join(10)
        text = shown.decode()
        self.assertRegex(text, r"\r\x1b\[K.*\[[#.]+\] ")
        self.assertTrue(text.endswith("4 of 4 files\r\n"), text)


class SecureTest(PullTestCase):
    """The same behind a certificate that no known authority has signed."""

    def use_secure_hub(self, **options):
        keys = self.enterContext(tempfile.TemporaryDirectory(prefix="tandem-keys-"))
        key, certificate = f"{keys}/key.pem", f"{keys}/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-days", "2",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        self.hub = self.enterContext(fake_hub.FakeHub(certificate, key, **options))
        self.hub.repositories[NAME] = self.repository
        return certificate

    def test_speaks_tls_with_whom_it_trusts(self):
        certificate = self.use_secure_hub()
        said = self.fail_with(1)
        self.assertIn("certificate", said)
        self.assertIn("SSL_CERT_FILE", said)
        self.check_snapshot(self.succeed(SSL_CERT_FILE=certificate)[0], WANTED)

    def test_follows_no_redirect_from_https_to_http(self):
        certificate = self.use_secure_hub(plain_store=True)
        said = self.fail_with(1, SSL_CERT_FILE=certificate)
        self.assertIn("model.safetensors", said)
        self.assertEqual([seen for seen in self.hub.seen if seen.server == "store"], [])


if __name__ == "__main__":
    unittest.main()
