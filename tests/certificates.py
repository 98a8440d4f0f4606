"""Certificates for tests, made by the openssl command, and contexts of clients that trust them."""

import functools
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peers_support import require_peer


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path

    def client(self, *, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """A context that trusts this certificate and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificate)
        context.maximum_version = highest
        return context


def openssl(*arguments: str) -> str:
    require_peer("openssl", bool(shutil.which("openssl")))
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@functools.cache
def pair(folder: Path, name: str = "localhost", *, days: int = 30, algorithm: str = "ec") -> Pair:
    """A self-signed certificate for `name` and 127.0.0.1, and its key."""
    made = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    kind = ["rsa:2048"] if algorithm == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl(
        *("req", "-x509", "-nodes", "-days", str(days), "-newkey", *kind),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    )
    return made
