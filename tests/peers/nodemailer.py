"""nodemailer, as a Node program uses it."""

import json
from pathlib import Path
from typing import Any

from peers.programs import run
from peers_support import require_peer

_FOLDER = Path(__file__).parent / "npm"


def nodemailer(port: int, *mails: dict[str, Any], **transport: Any) -> list[dict[str, Any]]:
    """What became of each mail: accepted, rejected and response, or an error with code and responseCode."""
    require_peer("nodemailer", (_FOLDER / "node_modules" / "nodemailer").exists())
    server = {"host": "127.0.0.1", "port": port, "name": "client.example", **transport}
    asked = json.dumps({"transport": server, "mails": mails}).encode()
    done = run("node", str(_FOLDER / "mail.mjs"), raw=asked)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
