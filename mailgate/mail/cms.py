"""What an S/MIME mail holds (RFC 8551, section 3): what was signed or compressed, and the kind of any.

CMS (RFC 5652) is ASN.1, in DER or in BER with indefinite lengths and strings in pieces (X.690, section 8). The one
path to the content is walked, by position and without a call for a level. A general ASN.1 library would build
objects of everything that a stranger sends, certificates with it, and enter each level by a call; all that is asked
here is where a string stands. No signature is verified: who may text is decided by the outermost header alone.
"""

import zlib

from mailgate.mail.fields import base64

SIGNED = "signed-data"
COMPRESSED = "compressed-data"
OPENED = frozenset({SIGNED, COMPRESSED})
_SEQUENCE, _OID, _EXPLICIT, _OCTETS, _PIECES = 0x30, 0x06, 0xA0, 0x04, 0x24
_CONSTRUCTED, _SEVERAL_OCTETS, _INDEFINITE = 0x20, 0x1F, 0x80
_MOST_LENGTH_OCTETS = 8
_LONGEST = 1_048_576  # octets of what was compressed
_ANY = 1 << 8 * _MOST_LENGTH_OCTETS
_MOST_ELEMENTS = 100_000  # 25 MB in pieces of 1,000 octets, as some programs write them, are a quarter of it
_DATA = bytes.fromhex("2a864886f70d010701")
ENCRYPTED = frozenset({"enveloped-data", "signed-and-enveloped-data", "encrypted-data", "authenveloped-data"})
_KINDS = {
    bytes.fromhex("2a864886f70d010702"): SIGNED,
    bytes.fromhex("2a864886f70d010703"): "enveloped-data",
    bytes.fromhex("2a864886f70d010704"): "signed-and-enveloped-data",  # PKCS #7 (RFC 2315, section 11)
    bytes.fromhex("2a864886f70d010706"): "encrypted-data",
    bytes.fromhex("2a864886f70d0109100109"): COMPRESSED,  # RFC 3274
    bytes.fromhex("2a864886f70d0109100117"): "authenveloped-data",  # RFC 5083
}


def kind(data: bytes) -> str:
    """What its own content type says that it is, in the words of `smime-type` in lower case; "" if it is no CMS, or a
    kind that is no mail. Its first 100 octets are enough.
    """
    try:
        return _Walk(_binary(data), longest=_ANY).kind()
    except _OffThePath:
        return ""


def content(data: bytes) -> bytes | None:
    """What is inside a signed-data or a compressed-data; None for anything else, whatever it is."""
    walk = _Walk(_binary(data))
    try:
        found = walk.kind()
        if found not in OPENED:
            return None
        walk.enter(_EXPLICIT)
        walk.enter(_SEQUENCE)
        walk.skip()  # version
        walk.skip()  # digestAlgorithms, or compressionAlgorithm, of which there is one (RFC 3274, section 2)
        walk.enter(_SEQUENCE)
        if walk.primitive(_OID) != _DATA:
            return None
        walk.enter(_EXPLICIT)
        octets = walk.octets()
        return _expanded(octets) if found == COMPRESSED else octets
    except (_OffThePath, zlib.error):
        return None


def _expanded(octets: bytes) -> bytes:
    """As much as is read of a part: a megabyte can be made of one kilobyte."""
    return zlib.decompressobj().decompress(octets, _LONGEST)


def _binary(data: bytes) -> bytes:
    """Without the armour that some programs leave on it (RFC 7468, sections 8 and 9)."""
    if not data.startswith((b"-----BEGIN CMS-----", b"-----BEGIN PKCS7-----")):
        return data
    return base64(data.partition(b"\n")[2].partition(b"-----END")[0])


class _OffThePath(Exception):
    """Another shape than the one that is walked, or none at all."""


class _Walk:
    """A place in the octets, and where what surrounds it ends. Every step is forward."""

    def __init__(self, data: bytes, longest: int = 0) -> None:
        self._data = data
        self._at = 0
        self._end = longest or len(data)
        self._elements = 0

    def kind(self) -> str:
        """ContentInfo (RFC 5652, section 3), up to its content."""
        self.enter(_SEQUENCE)
        return _KINDS.get(self.primitive(_OID), "")

    def enter(self, wanted: int) -> None:
        tag, length = self._head()
        if tag != wanted:
            raise _OffThePath
        if length >= 0:
            self._end = self._at + length

    def primitive(self, wanted: int) -> bytes:
        tag, length = self._head()
        if tag != wanted:
            raise _OffThePath
        self._at += length
        return self._data[self._at - length : self._at]

    def skip(self) -> None:
        """One element, with all that is inside."""
        opened = 0
        while True:
            if opened and self._passed_end_of_contents():
                opened -= 1
            else:
                _, length = self._head()
                opened += length < 0
                self._at += max(length, 0)
            if not opened:
                return

    def octets(self) -> bytes:
        """An OCTET STRING, whole or in pieces, which may be in pieces themselves (X.690, section 8.7.3)."""
        pieces = []
        outer: list[
            tuple[bool, int]
        ] = []  # of each string that is open: is its end marked, where does its outer end
        while True:
            if outer and (self._passed_end_of_contents() if outer[-1][0] else self._at == self._end):
                self._end = outer.pop()[1]
            else:
                tag, length = self._head()
                if tag == _OCTETS:
                    pieces.append(self._data[self._at : self._at + length])
                    self._at += length
                elif tag == _PIECES:
                    outer.append((length < 0, self._end))
                    self._end = self._at + length if length >= 0 else self._end
                else:
                    raise _OffThePath
            if not outer:
                return b"".join(pieces)

    def _head(self) -> tuple[int, int]:
        """Tag and length (X.690, section 8.1); -1 where the end is marked by end-of-contents octets instead."""
        self._elements += 1
        content = self._at + 2
        if content > min(self._end, len(self._data)) or self._elements > _MOST_ELEMENTS:
            raise _OffThePath
        tag, length = self._data[self._at : content]
        if tag & _SEVERAL_OCTETS == _SEVERAL_OCTETS:
            raise _OffThePath
        if length == _INDEFINITE and tag & _CONSTRUCTED:
            length = -1
        elif length >= _INDEFINITE:
            count = length - _INDEFINITE
            if not 0 < count <= _MOST_LENGTH_OCTETS:
                raise _OffThePath
            length = int.from_bytes(self._data[content : content + count])
            content += count
        if content + max(length, 0) > self._end:
            raise _OffThePath
        self._at = content
        return tag, length

    def _passed_end_of_contents(self) -> bool:
        found = self._at + 2 <= self._end and self._data.startswith(b"\0\0", self._at)
        self._at += 2 * found
        return found
