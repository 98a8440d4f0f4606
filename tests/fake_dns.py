"""A DNS server on 127.0.0.1, over UDP and TCP, with a zone of a few names, counters and faults."""

import collections
import socketserver
import struct
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[Any]]


def txt(text: str | bytes) -> str:
    """A TXT record in the zone file's form: strings of at most 255 octets."""
    data = text if isinstance(text, bytes) else text.encode()
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{octet:03d}" for octet in piece) + '"' for piece in pieces)


class FakeDns:
    """`zone`: {(name, type): [values]}; values of TXT are plain text, the others as in a zone file ("10 mx.example.").
    `faults`: {name: "servfail" | "silence" | "truncated"}. `queries` counts by name, `over_tcp` those by TCP.
    Zone and faults may be changed while it runs.
    """

    def __init__(self, zone: Zone, faults: Mapping[str, str] | None = None, ttl: int = 60) -> None:
        self.zone = dict(zone)
        self.faults = dict(faults or {})
        self.ttl = ttl
        self.queries: collections.Counter[str] = collections.Counter()
        self.over_tcp: collections.Counter[str] = collections.Counter()
        self.address = ""

    def __enter__(self) -> Self:
        for _ in range(50):  # a free UDP port may be taken for TCP
            self._udp: socketserver.BaseServer = _Udp(("127.0.0.1", 0), _UdpHandler)
            port = self._udp.server_address[1]  # type: ignore[attr-defined]
            try:
                self._tcp: socketserver.BaseServer = _Tcp(("127.0.0.1", port), _TcpHandler)
                break
            except OSError:
                self._udp.server_close()
        self.address = f"127.0.0.1:{port}"
        self._threads = []
        for server in (self._udp, self._tcp):
            server.dns = self  # type: ignore[attr-defined]
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        (self.over_tcp if tcp else self.queries)[name] += 1
        fault = self.faults.get(name)
        response = dns.message.make_response(query)
        if fault == "silence":
            return None
        if fault == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif fault == "truncated" and not tcp:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, dns.rdatatype.to_text(query.question[0].rdtype))
        size = 65535 if tcp else max(512, query.payload)
        return response.to_wire(max_size=size, prefer_truncation=True)

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        for _ in range(10):
            values = self.zone.get((name, kind))
            if values:
                self._add(response, name, kind, values)
                return
            alias = self.zone.get((name, "CNAME"))
            if not alias:
                break
            self._add(response, name, "CNAME", alias)
            name = alias[0].rstrip(".")
        if not any(one == name for one, _kind in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = f"ns.{name}. root.{name}. 1 3600 600 86400 {self.ttl}"
        response.authority.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "SOA", soa))

    def _add(self, response: dns.message.Message, name: str, kind: str, values: Sequence[Any]) -> None:
        texts = [txt(value) if kind == "TXT" else value for value in values]
        response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *texts))


class _Udp(socketserver.ThreadingUDPServer):
    allow_reuse_address = False
    daemon_threads = True


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        answer = self.server.dns.answer(wire, tcp=False)  # type: ignore[attr-defined]
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        answer = self.server.dns.answer(self.rfile.read(length), tcp=True)  # type: ignore[attr-defined]
        if answer is not None:
            self.wfile.write(struct.pack("!H", len(answer)) + answer)
