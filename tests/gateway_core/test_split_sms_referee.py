"""Our splitter beside npm split-sms 0.1.7, an implementation of somebody else: equal in every part.

split-sms normalises nothing of a text it judges by itself (it puts spaces for foreign characters only when it
is forced into GSM). It does not look at halves of surrogate pairs, so the texts here have none.
"""

import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from peers_support import require_peer

from gateway_core.encoding import Encoding, split
from gateway_core.encoding.gsm0338 import BASIC, EXTENSION

PEER = Path(__file__).parents[1] / "peers" / "npm"
NAMES = {"GSM": Encoding.GSM7, "Unicode": Encoding.UCS2}

PLAIN = "".join(BASIC.values())
DOUBLE = "".join(EXTENSION.values())
WIDE = "яж中文한é’\u00a0`\t\u0301\u200d\u2028"
ASTRAL = "😀👍🏽🇬🇧𝒳𐍈"

# Where an off-by-one would show: around one, two and three parts, in septets and in UTF-16 units.
EDGES = [*range(64, 74), *range(130, 144), *range(150, 163), *range(198, 204), *range(303, 309), 459, 460]


def edge_texts() -> Iterator[str]:
    yield ""
    for length in EDGES:
        for filler, odd in (("a", "€"), ("я", "😀"), ("a", "😀"), ("€", "a"), ("😀", "я")):
            yield filler * length
            yield filler * length + odd
            yield odd + filler * length
            for place in (66, 67, 133, 152, 153, 305):
                yield filler * min(place, length) + odd + filler * max(0, length - place)


def random_texts(count: int) -> Iterator[str]:
    rng = random.Random(338)
    alphabets = (PLAIN, PLAIN + DOUBLE, DOUBLE, PLAIN + WIDE, WIDE + ASTRAL, PLAIN + DOUBLE + WIDE + ASTRAL)
    for number in range(count):
        alphabet = alphabets[number % len(alphabets)]
        yield "".join(rng.choices(alphabet, k=rng.choice((rng.randrange(80), rng.randrange(700)))))


def test_every_text_splits_as_split_sms_splits_it() -> None:
    node = shutil.which("node")
    require_peer("node", present=node is not None)
    require_peer("npm split-sms", present=(PEER / "node_modules" / "split-sms").is_dir())
    assert node is not None
    texts = [*edge_texts(), *random_texts(3000)]
    answer = subprocess.run(
        [node, "split.js"],
        cwd=PEER,
        input="".join(json.dumps(text) + "\n" for text in texts),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    theirs = [json.loads(line) for line in answer.stdout.split("\n") if line]
    assert len(theirs) == len(texts) > 4000
    for text, their in zip(texts, theirs, strict=True):
        ours = split(text)
        assert (ours.encoding, list(ours.parts)) == (NAMES[their["encoding"]], their["parts"]), repr(text)
