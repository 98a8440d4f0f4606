"""The peer: stock aiosmtpd on uvloop, which parses nothing, stores nothing and answers 250."""

import asyncio
import sys
from typing import Any

import uvloop
from aiosmtpd.smtp import SMTP


class Nothing:
    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        return "250 OK"


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Nothing(), hostname="sink.example", enable_SMTPUTF8=True, loop=loop), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
