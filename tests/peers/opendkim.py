"""A real OpenDKIM, which verifies for a Postfix and writes Authentication-Results."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from core_support import wait_for
from peers_support import require_peer
from serve_support import accepts, free_port

_PROGRAM = "/usr/sbin/opendkim"
_CONFIGURATION = """
Mode v
Socket inet:{port}@127.0.0.1
AuthservID {authserv_id}
AlwaysAddARHeader yes
RemoveARAll yes
RemoveARFrom {authserv_id}
InternalHosts 192.0.2.1
TestDNSData file:{folder}/dns
Background no
"""


@contextmanager
def verifying(authserv_id: str, keys: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Lines of main.cf for a Postfix that has its mail verified; `keys`: TXT records by name."""
    require_peer("opendkim, as root", Path(_PROGRAM).exists() and os.getuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="mailgate-opendkim-"))
    port = free_port()
    (folder / "dns").write_text("".join(f"{name} {record}\n" for name, record in keys.items()))
    configuration = folder / "opendkim.conf"
    configuration.write_text(_CONFIGURATION.format(port=port, authserv_id=authserv_id, folder=folder))
    process = subprocess.Popen([_PROGRAM, "-f", "-x", str(configuration)], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: accepts(port), 20)
        milter = f"inet:127.0.0.1:{port}"
        yield (f"smtpd_milters = {milter}", "milter_default_action = tempfail")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
