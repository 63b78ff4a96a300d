"""What a pool with TLS and a token is started with: certificates and the token, made for a test."""

import pathlib
import secrets
import subprocess


def make_certificates(directory, names):
    """A CA and a certificate of it, as docs/security.md makes them."""
    new = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256"]
    for command in ([*new, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"],
                    [*new, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=store", "-addext",
                     f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE",
                     "-keyout", "server.key", "-out", "server.pem"]):
        subprocess.run(command, cwd=directory, check=True, capture_output=True)


class Credentials:
    """One certificate for all roles of a pool, which are reached by `addresses`, and their token."""

    def __init__(self, directory, addresses):
        self._directory = pathlib.Path(directory)
        self._directory.mkdir()
        make_certificates(self._directory, ",".join(f"IP:{address}" for address in addresses))
        self._token = secrets.token_hex(32)
        (self._directory / "token").write_text(self._token + "\n")

    def environment(self):
        """Of every role, owners of memory and clients alike."""
        return {"TANDEM_STORE_TLS_CA_FILE": str(self._directory / "ca.pem"),
                "TANDEM_STORE_TLS_CERT_FILE": str(self._directory / "server.pem"),
                "TANDEM_STORE_TLS_KEY_FILE": str(self._directory / "server.key"),
                "TANDEM_STORE_TOKEN_FILE": str(self._directory / "token")}

    def curl_flags(self):
        return ["--cacert", str(self._directory / "ca.pem"),
                "-H", f"Authorization: Bearer {self._token}"]
