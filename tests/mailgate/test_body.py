"""The text of a mail: which part, what is cut and why, and that no input takes long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate import body
from mailgate.mail import parse

GENERATED = "Auto-Submitted: auto-generated"


def plain(content: str, *headers: str) -> bytes:
    head = "\n".join([*headers, "Content-Type: text/plain; charset=utf-8", "", ""])
    return (head + content).encode()


def html(content: str) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\n\n" + content.encode()


def text_of(raw: bytes) -> str:
    return body.text(parse(raw)).text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("\n\n a  \n\n\n\nb\t \n", "a\n\nb"),
        ("a\u00a0b\u200bc\ufeff", "a bc"),
        ("nul\x00", "nul"),
        ("👩\u200d👧 👍🏽", "👩\u200d👧 👍🏽"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_tidy(content: str, text: str) -> None:
    assert text_of(plain(content)) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("#StartSMS#\nb\n## \n> c\n#EndSMS#\n", "b\n##\n> c"),
        ("#STARTSMS#b#ENDSMS##STARTSMS#c#ENDSMS#", "b"),
        ("a\n#STARTSMS# #ENDSMS#", "a\n#STARTSMS# #ENDSMS#"),
        ("a\n##\nb", "a"),
        ("a\n$$\nb", "a"),
        ("a\n{End SMS}\nb", "a"),
        ("a\n-- \nb", "a"),
        ("a\n--\nb", "a"),
        ("a\n--\n" + "b\n" * 12 + "c", "a\n--\n" + "b\n" * 12 + "c"),  # too much for a signature
        ("a\n--\nb\n--\nc\n--\nd", "a\n--\nb\n--\nc\n--\nd"),  # they divide the text
        ("a\n```\nb\n--\nc\n```", "a\n```\nb\n--\nc\n```"),
        ("a\n##\nb\n-- \nc", "a"),
        ("##\na", "##\na"),
        ("\n\n-- \na\n##\nb", "--\na"),
        ("a ## b\n### c\n$$5", "a ## b\n### c\n$$5"),
        ("a\n> b\n##\nc", "a\n> b"),  # the marker wins over guessing at the quote
    ],
)
def test_markers(content: str, text: str) -> None:
    assert text_of(plain(content)) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a\n#STARTSMS#b#ENDSMS#", "b"),
        ("a\n##\nb\n-- \nc\n> d", "a\n##\nb\n--\nc\n> d"),
        ("a\nFrom: b\nTo: c\nSubject: d", "a\nFrom: b\nTo: c\nSubject: d"),
        ("a\nOn 5 May 2026 b@x.example wrote:\nc", "a\nOn 5 May 2026 b@x.example wrote:\nc"),
    ],
)
def test_machines_are_not_guessed_at(content: str, text: str) -> None:
    assert text_of(plain(content, GENERATED)) == text
    assert body.text(parse(plain(content)), monitoring=True).text == text


ATTRIBUTIONS = [
    "On Mon, May 4, 2026 at 6:26 PM Anna <a@x.example> wrote:",
    "On Mon, May 4, 2026 at 6:26 PM Anna with a long name <\na@x.example> wrote:",
    "On 4 May 2026, at 18:26, Anna wrote:",
    "Anna <a@x.example> wrote:",
    "At 04/05/2026 08:32 PM, you wrote:",
    "Am 04.05.2026 um 18:26 schrieb Anna Berg <a@x.example>:",
    "Am Mo., 4. Mai 2026 um 18:26 Uhr schrieb Anna <\na@x.example>:",
    "Den man. 4. mai 2026 kl. 18:26 skrev Anna <a@x.example>:",
    "man. 4. mai 2026 kl. 18:26 skrev Anna <a@x.example>:",
    "Den mån 4 maj 2026 kl 18:26 skrev Anna <a@x.example>:",
    "Le lun. 4 mai 2026 à 18:26, Anna <a@x.example>\na écrit :",
    "El lun, 4 may 2026 a las 18:26, Anna (<a@x.example>) escribió:",
    "Op ma 4 mei 2026 om 18:26 schreef Anna <a@x.example>:",
    "Il giorno lun 4 mag 2026 alle ore 18:26 Anna <a@x.example> ha scritto:",
    "Em seg., 4 de mai. de 2026 às 18:26, Anna <a@x.example> escreveu:",
    "W dniu 2026-05-04 o 18:26, Anna pisze, Anna napisał(a):",
    "pon., 4 maj 2026 o 18:26 Anna <a@x.example> napisał(a):",
    "ma 4. toukok. 2026 klo 18.26 Anna (a@x.example) kirjoitti:",
    "Thu, 26 Jun 2026 14:00:51 +0400 от Anna <a@x.example>:",
    "2026-05-04 18:26 GMT+02:00 Anna <\na@x.example>:",
    "---- On Mon, 04 May 2026 18:26:36 +0530 Anna<a@x.example> wrote ----",
    "ut 5. 5. 2026 o 9:14 Anna <a@x.example> napísal(a):",
    "Anna <a@x.example> 於 2026年5月5日 週二 上午9:14寫道:",
    "2026. 5. 5. 오전 9:14, Anna <a@x.example> 작성:",
    "2026-05-05 오전 9:14에 Anna 이(가) 쓴 글:",
    "Vào Th 3, 5 thg 5, 2026 vào lúc 09:14 Anna <a@x.example> đã viết:",
    "На вт, 5.05.2026 г. в 9:14 Anna <a@x.example> написа:",
    "uto, 5. svi 2026. u 09:14 Anna <a@x.example> napisao je:",
    "05.05.26 09:14, Anna пише:",
    "Anna писал 2026-05-05 09:14:",
    ">>> Anna <a@x.example> 05/05/2026 09:14 >>>",
    "---- Anna Berg wrote ----",
    "Anna ---05/05/2026 09:14:07---Friday?",
]
# in whatever words: quoted lines follow
INTRODUCTIONS = [
    "Anna wrote:",
    "On Tue, 05 May 2026 09:14:07 +0200, Anna said:",
    "2026年5月5日火曜日 9時14分07秒 UTC+9 Anna:",
    "Anna schrieb in de.test:",
    "Anna さんは書きました:",
    "Zitat von Anna <a@x.example>:",
    "* Anna <a@x.example> [2026-05-05 09:14]:",
    "Anna <a@x.example> skribis:",
    "Missatge de Anna <a@x.example> del dia dt., 5 de maig 2026\na les 9:14:",
    "Anna <a@x.example> wrote in message news:abc$1@x.example...",
]
BLOCKS = [
    '"Tom Ek" <t@x.example>\n04.05.2026 17:02\n\nTo: Anna/Acme@ACME\ncc: Lager/Acme\nSubject: Pump\n',
    "Tom Ek/Acme\n04/05/2026 05:02 PM\n\nTo\tAnna/Acme\nTo: Anna/Acme\nSubject: Pump\n",
    (
        f"{' ' * 13}Tom Ek{' ' * 40}\n{' ' * 13}<t@x.example>{' ' * 40}To \n{' ' * 39}Anna/Acme@ACME\n"
        f"{' ' * 13}04.05.2026 17:02{' ' * 40}cc \n\n{' ' * 67}Subject \n{' ' * 39}Pump\n"
    ),
    "-----Original Message-----\nFrom: a\nSent: b\nTo: c\nSubject: d\n",
    "-----Ursprüngliche Nachricht-----\nVon: a\nGesendet: b\nAn: c\nBetreff: d\n",
    "________________________________\nFra: a\nSendt: b\nTil: c\nEmne: d\n",
    "*From:* a\n*Sent:* b\n*To:* c\n*Subject:* d\n",
    "De : a\nEnvoyé : b\nÀ : c\nObjet : d\n",
    "From: a very long name\n<a@x.example>\nSent: b\nTo: c\nSubject: d\n",
    "---------- Forwarded message ---------\nFrom: a\nDate: b\nSubject: c\nTo: d\n",
    "Begin forwarded message:\n\n",
    "\u2010\u2010\u2010\u2010 Original Message \u2010\u2010\u2010\u2010\n",
    "##- Please type your reply above this line -##\n",
    "_______________________________________________\nTalk mailing list\n",
    "-------- 원본 이메일 --------\n발신: a\n날짜: b\n받은 사람: c\n제목: d\n",
    "-------- Some other words --------\nFrom: a\nDate: b\nTo: c\nSubject: d\n",
    "差出人: a\n送信日時: b\n宛先: c\n件名: d\n",
    "发件人：a\n发送时间：b\n收件人：c\n主题：d\n",
    "Gönderen: a\nGönderildi: b\nKime: c\nKonu: d\n",
    "De la: a\nTrimis: b\nCătre: c\nSubiect: d\n",
    "Από: a\nΣτάλθηκε: b\nΠρος: c\nΘέμα: d\n",
    "מאת: a\nנשלח: b\nאל: c\nנושא: d\n",
    "From: a\n\nSent: b\n\nTo: c\n\nSubject: d\n",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_an_attribution_ends_the_text(line: str) -> None:
    answer = "Yes.\nFriday is fine.\n"
    assert text_of(plain(f"{answer}\n{line}\n> Friday?\n> Anna\n")) == answer.strip()
    assert text_of(plain(f"{answer}\n{line}\n\nFriday?\n")) == answer.strip()
    assert text_of(plain(f"{line}\n> Friday?\n\n{answer}")) == answer.strip()


@pytest.mark.parametrize("line", INTRODUCTIONS)
def test_an_introduction_goes_with_what_it_introduces(line: str) -> None:
    assert text_of(plain(f"Yes.\n\n{line}\n> Friday?\n")) == "Yes."
    assert text_of(plain(f"{line}\n\n> Friday?\n\nYes.")) == "Yes."
    assert text_of(plain(f"Yes.\n\n{line}\n\nFriday?")) == f"Yes.\n\n{line}\n\nFriday?"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_old_mail_ends_the_text(block: str) -> None:
    result = body.text(parse(plain(f"Yes.\n\n{block}\nFriday?\n")))
    assert result.text == "Yes."
    assert [piece.why for piece in result.removed] == ["quote"]
    assert result.removed[0].text.endswith("Friday?")


@pytest.mark.parametrize(
    "content",
    [
        "> Friday?\nYes\n> Saturday?\nNo",
        "On this day\n\nI wrote something",
        "Today Anna wrote:\nbuy milk",
        "At 10:15 the doctor wrote:\ntwo pills",
        "On 5 May 2026 the doctor wrote:\ntwo pills",
        "I do not know what she wrote on 5 May 2026 at 9:14...\n> b\nAsk her",
        "From: Oslo\nTo: Bergen",
        "Sent from my desk",
        "- one\n- two\n\n---\nthree",
        "> only a quote",
        "Address: 10.0.0.5\nState: down",
    ],
)
def test_what_the_author_wrote_stays(content: str) -> None:
    assert text_of(plain(content)) == content


def test_who_answers_nothing_has_written_nothing() -> None:
    result = body.text(parse(plain("On 5 May 2026 b@x.example wrote:\n> c", "Subject: Re: d")))
    assert (result.text, result.source) == ("Re: d", "subject")


def test_the_line_above_an_attribution_stays() -> None:
    assert text_of(plain("In the barn.\nOn 5 May 2026 at 9:14 Anna wrote:\n> Where?")) == "In the barn."


def test_everything_removed_is_reported() -> None:
    result = body.text(parse(plain("a\n\nOn 5 May 2026 b@x.example wrote:\n> c\n\n-- \nd")))
    assert result.text == "a"
    assert [(piece.why, piece.text) for piece in result.removed] == [
        ("quote", "On 5 May 2026 b@x.example wrote:\n> c"),
        ("signature", "d"),
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<b>a</b> <i>b</i>\n  c &amp; d&nbsp;e", "a b c & d e"),
        ("<a href='https://x.example'>link</a>", "link"),
        ("<script>x()</script><style>p{}</style>a<!-- b -->", "a"),
        ("<span style='DISPLAY: none'>x</span><p hidden>y</p><i style='mso-hide:all'>z</i>a", "a"),
        ("<pre>a  b\nc</pre>", "a  b\nc"),
        ("a<div class=gmail_attr>On 5 May b wrote:</div><blockquote class=gmail_quote>c</blockquote>", "a"),
        ("a<div class='moz-cite-prefix'>b:</div><blockquote type=cite>c</blockquote>", "a"),
        ("<div class='moz-cite-prefix'>On 5/5/26, b wrote:</div><blockquote type=cite>c</blockquote>a", "a"),
        ("<p>a</p><blockquote type=cite><p>b</p></blockquote><p>c</p>", "a\n\n> b\n\nc"),
        ("a<div class=gmail_signature>Anna<br>Acme</div>", "a"),
        (
            "a<br><span class=gmail_signature_prefix>-- </span><br><div class='gmail_signature x'>Anna</div>",
            "a",
        ),
        ("a<pre class='moz-signature' cols=72>-- \nAnna</pre>", "a"),
        ("a<div id='x_Signature'><p>Anna</p></div><div>b</div>", "a\nb"),
        ("a<div id=ms-outlook-mobile-signature>Get <a href=x>Outlook for iOS</a></div>", "a"),
        ("<div id=ms-outlook-mobile-signature>written inside it</div>", "written inside it"),
        ("a<div id=appendonsend></div><div>old</div>", "a"),
        ("a<div id='x_divRplyFwdMsg'>From: b</div><div>old</div>", "a"),
        ("a<div class='yahoo_quoted'>old</div>", "a"),
        ("a<span id=OLK_SRC_BODY_SECTION>old</span>", "a"),
        ("<blockquote>indented, not quoted</blockquote>", "indented, not quoted"),
        ("<div>" * 5000 + "a", "a"),
        ("<blockquote type=cite>" * 5000 + "b" + "</blockquote>" * 5000 + "a", "> > > > > > > > b\na"),
    ],
)
def test_html(content: str, text: str) -> None:
    assert text_of(html(content)) == text


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("format=flowed", "a \nb\nc\n", "a b\nc"),
        ("format=flowed; delsp=yes", "a \nb\nc\n", "ab\nc"),
        ("format=flowed", " >a\n  b\n", ">a\n b"),
        ("format=flowed", "> a \n> b\nc\n", "> a b\nc"),
        ("format=flowed", "a \n-- \nb\n", "a"),
    ],
)
def test_flowed(kind: str, content: str, text: str) -> None:
    assert text_of(f"Content-Type: text/plain; {kind}\n\n{content}".encode()) == text


def multipart(kind: str, *inner: tuple[str, str]) -> bytes:
    made = "".join(f"--b\nContent-Type: {name}\n\n{content}\n" for name, content in inner)
    return f"Content-Type: multipart/{kind}; boundary=b\n\n{made}--b--\n".encode()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (multipart("alternative", ("text/plain", "a"), ("text/html", "<p>b</p>")), "a"),
        (multipart("alternative", ("text/plain", " \n"), ("text/html", "<p>b</p>")), "b"),
        (multipart("alternative", ("text/html", "<p>b</p>"), ("text/plain", "a")), "a"),
        (multipart("mixed", ("text/plain", "a"), ("text/plain; name=n.txt", "b")), "a"),
        (multipart("mixed", ("text/plain", ""), ("text/plain", "b")), "b"),
        (multipart("mixed", ("message/rfc822", "Subject: x\n\nb")), ""),
        (b"Content-Type: multipart/mixed\n\n--b\n\na\n--b--\n", "a"),  # no boundary declared
        (b"Content-Type: multipart/mixed; boundary=c\n\n--b\n\na\n--b--\n", "a"),  # another one
        (b"Content-Type: multipart/mixed; boundary=c\n\na\n", "a"),  # none there
        (b"Content-Type: nonsense\n\na", "a"),
        (b"Content-Transfer-Encoding: base64\n\nYWJj\n=\nfooter", "abc"),
        (b"Content-Transfer-Encoding: base64\n\n!", ""),
        (b"Content-Type: text/plain; charset=utf-8\n\ncaf\xe9 \x80", "café €"),
        (b"Content-Type: text/plain; charset=iso-8859-1\n\ncaf\xc3\xa9", "café"),
        (b"Content-Type: text/plain; charset=x-unheard-of\n\ncaf\xc3\xa9", "café"),
        (b"\ncaf\xc3\xa9", "café"),
        (b"Content-Type: text/html\n\n<meta charset=koi8-r>\xd0\xd2\xc9", "при"),
    ],
)
def test_the_part_and_its_charset(raw: bytes, text: str) -> None:
    assert text_of(raw) == text


@pytest.mark.parametrize(
    ("text_from", "subject", "content", "text", "source"),
    [
        ("auto", "s", "b", "b", "body"),
        ("auto", "s", " ", "s", "subject"),
        ("auto", "", "", "", ""),
        ("body", "s", "", "", ""),
        ("subject", "s", "b", "s", "subject"),
        ("both", "s", "b", "s\nb", "both"),
        ("both", "", "b", "b", "body"),
        ("both", "s", "", "s", "subject"),
    ],
)
def test_text_from(text_from: str, subject: str, content: str, text: str, source: str) -> None:
    found = body.text(parse(plain(content, f"Subject: {subject}")), text_from=text_from)
    assert (found.text, found.source) == (text, source)


EVIL = {
    "quotes": "> ",
    "quoted lines": ">\n",
    "openers": "\nOn aaa",
    "dates": "On 2026 wrote\n",
    "labels": "x\nFrom: a\n",
    "half blocks": "x\nFrom: a\nTo: b\n\n",
    "rules": "a\n----\n\n",
    "blanks": "a" + " " * 1000 + "b\n",
    "newlines": "\n",
    "markers": "#STARTSMS#",
    "end markers": "##\n",
    "dashes": "--\n",
    "answers": "x\nOn 12:30 a wrote:\n> q\n",
    "originals": "x\n-----Original Message-----\n\n> a\n",
    "taglines": "Sent from my iPhone\n",
    "lone taglines": "x\n\nSent from my iPhone\n\n",
    "half taglines": "sent from my " + "a " * 60 + "\n\n",
    "notices": "This is confidential and privileged for the intended recipient, sent in error, please delete.\n",
    "half notices": "confidential\n",
    "footers": "Virus-free. www.avast.com\n\n",
    "banners": "[EXTERNAL]\n",
    "warnings": "CAUTION: this email originated from outside of the organization ",
    "closings": "Kind regards\nAnna\n",
    "blocks": "Kind regards\nAnna\nTel: +44 1632 960123\nwww.acme.example\n\n",
    "telephones": "tel: 0 0 0 0 0 0 0 0 0 ",
    "underscores": "____\na\n",
    "rules of dashes": "a\n---\nAnna a@x.example\n",
    "long dashes": "—\nAnna\n",
    "notes": "a ---05/05/2026 09:14-",
    "lines above which to reply": "## reply above reply above\n",
    "replies": "-------- reply reply reply reply reply reply above above above\n",
    "words in rules": "x\n---- a b ----\n",
}


SIZES = (1 << 18, 1 << 20)


def seconds(raw: bytes) -> float:
    """CPU time of this thread, so that what else the machine does is not counted."""
    mail = parse(raw)
    start = time.thread_time()
    body.text(mail)
    return time.thread_time() - start


def is_quick(raw: bytes) -> bool:
    """Under a second for a megabyte; the best of three tries, since a machine can be slow for a moment."""
    return any(seconds(raw) < 1 for _ in range(3))


@pytest.mark.parametrize("name", sorted(EVIL))
def test_work_grows_with_the_length_only(name: str) -> None:
    """A quarter and a whole megabyte: four times the work, with room for noise."""
    piece = EVIL[name]
    small, large = (plain("x\n" + piece * (size // len(piece))) for size in SIZES)
    assert seconds(large) < 10 * seconds(small) + 0.5
    assert is_quick(large)


TAGS = [
    "<div>",
    "<blockquote type=cite>",
    "<b>",
    "<",
    "<table><tr><td>",
    "<p>",
    "<br>",
    "<li>",
    "<!--",
    "&amp;",
]
TAGS += [
    "<i hidden>",
    "<div class=gmail_attr>",
    "<div id=signature>",
    "<pre>",
    "</p>",
    "<a b='c",
    "<td>",
    "<script>",
]


@pytest.mark.parametrize("tag", TAGS)
def test_html_of_any_shape_is_quick(tag: str) -> None:
    assert is_quick(html(tag * (SIZES[1] // len(tag)) + "a"))


HOSTILE = [
    *EVIL.values(),
    *TAGS,
    "\n",
    " ",
    ">",
    "a",
    ":",
    "On ",
    "wrote:",
    "@",
    "2026",
    "</div>",
    "\u00a0",
    "-- \n",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6), st.booleans())
def test_hostile_repetition_takes_less_than_a_second(pieces: list[str], page: bool) -> None:
    """Any few pieces, again and again, up to a megabyte."""
    piece = "".join(pieces)
    content = piece * (SIZES[1] // len(piece.encode()))
    assert is_quick(html(content) if page else plain(content))


@given(st.text(alphabet="> \n-:#$<a1@wrote.On", max_size=300))
def test_every_line_is_texted_or_reported(content: str) -> None:
    result = body.text(parse(plain(content)), text_from="body")
    shown = "\n".join([result.text, *(piece.text for piece in result.removed)])
    letters = [char for char in content if char.isalnum()]
    assert sorted(letters) == sorted(char for char in shown if char.isalnum())


PIECES = ["<", ">", "<div>", "</div>", "<br/>", "<td", " ", "a", "<i style='display:none'>", "&", "<pre>"]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_html_gives_a_text(pieces: list[str]) -> None:
    assert isinstance(text_of(html("".join(pieces))), str)
