"""Listening sockets: bound here, or inherited from systemd. Non-blocking, listening, IPv4 and IPv6 apart."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from gateway_core.errors import SettingsError

NAMES = ("smtp", "smtps")  # FileDescriptorName= of our socket units
_BACKLOG = 512  # connections that wait to be accepted; the kernel's own bound may be lower
_FIRST_INHERITED = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
# An address of a name or of "every address" may be of a family that this machine has not got.
_NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def bind(listen: Sequence[str], setting: str) -> list[socket.socket]:
    """A socket for each address of each `host:port`. An empty host or `*` is every address of this machine.

    Raises SettingsError, naming the setting and the address, when one cannot be had; then none stays open.
    """
    with _closed_on_error() as sockets:
        for address in listen:
            try:
                sockets.extend(_bind_all(address))
            except (OSError, UnicodeError) as error:  # UnicodeError: a label of the host is too long
                words = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise SettingsError(f"{setting}: {address}: {words}") from None
        return sockets


def _bind_all(listen: str) -> list[socket.socket]:
    """All addresses of a host (localhost has two), on one port also when that is 0."""
    host, _, port = listen.rpartition(":")
    missing: OSError | None = None
    with _closed_on_error() as sockets:
        for family, address in _addresses(host, int(port)):
            same = sockets[0].getsockname()[1] if sockets else address[1]
            try:
                sockets.append(_bind(family, (address[0], same, *address[2:])))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if missing and not sockets:
            raise missing
        return sockets


def _addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    host = host.removeprefix("[").removesuffix("]")
    if host in {"", "*"}:
        return [(socket.AF_INET, ("0.0.0.0", port)), (socket.AF_INET6, ("::", port))]  # noqa: S104
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind(family: int, address: tuple[Any, ...]) -> socket.socket:
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        if os.name == "posix":  # elsewhere it lets two programs share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # so that 0.0.0.0 and [::] may both be listed
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(_BACKLOG)  # a port that another one listens on is refused only here
        made.setblocking(False)
        stack.pop_all()
        return made


def inherited() -> dict[str, list[socket.socket]]:
    """Sockets by name that systemd opened for this process; empty when it opened none. To be called once.

    sd_listen_fds(3): LISTEN_PID says whom they are for, LISTEN_FDS how many, LISTEN_FDNAMES what the units call
    them. The variables are taken away, so that no child believes that they are for it. Raises SettingsError.
    """
    given = {name: os.environ.pop(name, "") for name in _VARIABLES}
    if given["LISTEN_PID"] != str(os.getpid()) or not given["LISTEN_FDS"]:
        return {}
    if not (given["LISTEN_FDS"].isascii() and given["LISTEN_FDS"].isdigit()):
        raise SettingsError(f"LISTEN_FDS: {given['LISTEN_FDS']!r} is not a number")
    count = int(given["LISTEN_FDS"])
    names = given["LISTEN_FDNAMES"].split(":") if given["LISTEN_FDNAMES"] else []
    found: dict[str, list[socket.socket]] = {}
    with _closed_on_error() as taken:
        for index in range(count):
            name = (
                names[index] if index < len(names) else "unknown"
            )  # what systemd calls a socket without a name
            if name not in NAMES:
                raise SettingsError(
                    f"inherited socket {name!r}: its unit needs FileDescriptorName=smtp (plain and STARTTLS) "
                    "or FileDescriptorName=smtps (TLS)"
                )
            taken.append(_taken(_FIRST_INHERITED + index, name))
            found.setdefault(name, []).append(taken[-1])
        return found


def _taken(descriptor: int, name: str) -> socket.socket:
    where = f"inherited socket {name!r} (descriptor {descriptor})"
    try:
        taken = socket.socket(fileno=descriptor)
    except OSError as error:
        raise SettingsError(f"{where}: not a socket: {error.strerror}") from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(taken)
        if taken.family not in {socket.AF_INET, socket.AF_INET6} or taken.type != socket.SOCK_STREAM:
            raise SettingsError(f"{where}: not a TCP socket; its unit needs ListenStream= with a port")
        if not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise SettingsError(f"{where}: not a listening socket; its unit needs Accept=no")
        taken.set_inheritable(False)
        taken.setblocking(False)
        stack.pop_all()
        return taken


@contextlib.contextmanager
def _closed_on_error() -> Iterator[list[socket.socket]]:
    """A list of sockets of which none stays open when the block raises."""
    sockets: list[socket.socket] = []
    try:
        yield sockets
    except BaseException:
        for one in sockets:
            one.close()
        raise
