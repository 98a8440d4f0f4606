"""What readers of many languages would accept, and over all of Unicode: no letter is lost."""

import re
import sys
import time
import unicodedata

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.encoding import apply_policy, encode_gsm7, fits_gsm7, transliterate, whole
from gateway_core.encoding.gsm0338 import BASIC, EXTENSION
from gateway_core.encoding.replacements import REPLACEMENTS
from gateway_core.encoding.transliterate import in_place_of

CODEC = gsm0338.Codec()
CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
LETTERS = [character for character in CHARACTERS if unicodedata.category(character)[0] in "LN"]
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=100)
gsm_text = st.text(alphabet="".join(BASIC.values()) + "".join(EXTENSION.values()))

READ = {
    "typographic quotes": ("“It’s” ‘so’ „hier“ «là» ‹x›", '"It\'s" \'so\' "hier" "là" \'x\''),
    "dashes": ("a – b — c ‐ d − 1", "a - b - c - d - 1"),
    "ellipsis, bullets, primes": ("wait… • 5′ 7″ · x", "wait... * 5' 7\" . x"),
    "blanks": ("a\u00a0b\u2009c\u3000d\te", "a b c d e"),
    "lines": ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
    "what shows nothing": ("so\u00adft \u200bzero\ufeff \u200eltr\x07", "soft zero ltr"),
    "marks": ("™ © ® № ℃", "TM (C) (R) No C"),
    "arrows": ("a → b ← c ↔ d ⇒ e", "a -> b <- c <-> d => e"),
    "sums": ("2×3 ± 1 ≤ 7 ≥ x ≠ y ÷ 2", "2x3 +/- 1 <= 7 >= x != y / 2"),
    "fractions": ("½ 1½ 2⅓ ¾", "1/2 1 1/2 2 1/3 3/4"),
    "powers": ("m² 10² 10⁻⁶ H₂O", "m2 10^2 10^-6 H2O"),
    "circles": ("①② Ⓐ", "(1)(2) (A)"),
    "micro, as sign and as letter": ("5 µg 5 \u03bcg 3 \u03bcΩ", "5 ug 5 ug 3 uΩ"),
    "money": ("₹500 ₽10 €5 £5 ¥5", "INR500 RUB10 €5 £5 ¥5"),
    "check marks": ("✅ up ❌ down ⚠️ hot", "OK up X down (!) hot"),
    "ligatures": ("oﬃce ﬁsh œuvre Æsir ĳs", "office fish oeuvre Æsir ijs"),
    "full width": ("Ｈｅｌｌｏ！", "Hello!"),
    "mathematical letters": ("𝐇𝐞𝐥𝐥𝐨 𝛽", "Hello B"),
    "German": ("Straße über Öl ẞ", "Straße über Öl SS"),
    "French": ("garçon naïf Noël à où ê", "garcon naif Noel à où e"),
    "Spanish": ("¿Está aquí? ¡Señor! 1º", "¿Esta aqui? ¡Señor! 1o"),
    "Portuguese": ("coração não", "coracao nao"),
    "Scandinavian": ("smørrebrød på Åland", "smørrebrød på Åland"),
    "Icelandic": ("Það er þú", "Thad er thu"),
    "Polish": ("Zażółć gęślą jaźń ŁÓDŹ", "Zazolc gesla jazn LODZ"),
    "Czech": ("Příliš žluťoučký kůň", "Prilis zlutoucky kun"),
    "Croatian": ("đak Đuro čćšž", "dak Duro ccsz"),
    "Hungarian": ("árvíztűrő tükörfúrógép ŰŐ", "arviztürö tükörfurogép ÜÖ"),
    "Romanian": ("în țară și ăâ", "in tara si aa"),
    "Turkish": ("ığışçöü İĞŞÇÖÜ", "igiscöü IGSÇÖÜ"),
    "Vietnamese": ("Tiếng Việt đẹp", "Tieng Viet dep"),
    "pinyin keeps the umlaut": ("lǘ lǜ", "lü lü"),
    "decomposed": ("e\u0301te\u0301 u\u0308ber n\u0303", "été über ñ"),
    "a base that nothing composes with": ("x\u0302 q\u0308", "x q"),
    "Greek": ("Καλημέρα", "KAΛHMEPA"),
    "Greek, all letters": ("ΐ ψάξε θύμος ωφξ ᾳ Ὰ", "I ΨAΞE ΘYMOΣ ΩΦΞ A A"),
    "Greek in Latin": ("Hello Ωμέγα", "Hello ΩMEΓA"),
    "Russian": ("Привет, объект", "Privet, ob'ekt"),
    "Ukrainian": ("Їжак і ґанок", "Izhak i ganok"),
    "Bulgarian": ("бързо Ъгъл", "barzo Agal"),
    "Serbian": ("ђак љубав", "djak ljubav"),
    "Georgian": ("გამარჯობა", "gamarjoba"),
    "Arabic": ("سلام", "slam"),
    "Hebrew": ("שלום", "slvm"),
    "Korean": ("안녕", "AnNyeong"),
    "Korean, decomposed": (unicodedata.normalize("NFD", "안녕"), "AnNyeong"),
    "Japanese": ("コーヒー こんにちは", "ko-hi- konnichiha"),
    "Japanese, half width": ("ｶﾞｽ", "gasu"),
    "Chinese": ("你好", "NiHao"),
    "digits": ("٣٫٥ ४२", "3.5 42"),
    "emoji": ("🔥 😀👍🏽 ❤️ 🇬🇧 1️⃣", ":fire: :-D:thumbsup: <3 GB 1"),
    "emoji that is joined": ("👩\u200d🚀", ":woman::rocket:"),
    "accents that stand alone": ("a´b`c¨", "a'b'c\""),
    "what no table knows": ("\ue000 \U0001f8ff", "? ?"),
    "half a character": ("a\ud83d", "a?"),
}


@pytest.mark.parametrize("case", READ)
def test_as_its_reader_would_accept_it(case: str) -> None:
    text, read = READ[case]
    assert transliterate(text) == read
    assert apply_policy(text, "transliterate") == read


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Zürich “𒀀”", id="a letter without any reading"),
        pytest.param("“\u0b49\U000e0fff”", id="not assigned: perhaps a letter tomorrow"),
    ],
)
def test_what_cannot_be_expressed_whole_stays_whole(text: str) -> None:
    assert transliterate(text) == text


def test_no_letter_and_no_digit_is_lost() -> None:
    assert [letter for letter in LETTERS if not in_place_of(letter)] == []
    assert [letter for letter in LETTERS if not transliterate(letter)] == []
    assert [letter for letter in LETTERS if transliterate(letter) == "?"] == []


def test_every_character_becomes_what_fits_or_stays() -> None:
    for character in CHARACTERS:
        instead = in_place_of(character)
        assert fits_gsm7(instead) or instead == character


@pytest.mark.parametrize("script", ["LATIN", "GREEK", "CYRILLIC", "COPTIC"])
def test_scripts_of_europe_fit(script: str) -> None:
    letters = [letter for letter in LETTERS if unicodedata.name(letter, "").startswith(script)]
    assert len(letters) > 100
    for letter in letters:
        septets, length = CODEC.encode(transliterate(letter))
        assert septets
        assert length


@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param(0x80, 0x24F, id="Latin"),
        pytest.param(0x2000, 0x206F, id="general punctuation"),
        pytest.param(0x20A0, 0x20C0, id="money"),
        pytest.param(0x2190, 0x21FF, id="arrows"),
        pytest.param(0x2200, 0x22FF, id="mathematics"),
        pytest.param(0x2500, 0x27BF, id="boxes and dingbats"),
        pytest.param(0x1F300, 0x1F64F, id="emoji"),
    ],
)
def test_typography_fits(first: int, last: int) -> None:
    for code in range(first, last + 1):
        if unicodedata.category(chr(code)) != "Cn":
            encode_gsm7(in_place_of(chr(code)))


def test_what_fits_is_replaced_by_itself() -> None:
    for character in [*BASIC.values(), *EXTENSION.values()]:
        assert in_place_of(character) == character


def test_the_table_is_for_what_does_not_fit_and_leads_to_what_does() -> None:
    for character, instead in REPLACEMENTS.items():
        assert len(character) == 1
        assert not fits_gsm7(character) or instead == character  # the Greek capitals that are there
        assert fits_gsm7(instead)


@given(gsm_text)
def test_what_fits_is_unchanged(text: str) -> None:
    assert transliterate(text) == text


@given(any_text)
def test_twice_is_once(text: str) -> None:
    once = transliterate(text)
    assert transliterate(once) == once


@given(any_text)
def test_all_or_nothing(text: str) -> None:
    once = transliterate(text)
    assert fits_gsm7(once) or once == whole(text)


@given(st.text(alphabet=st.sampled_from(LETTERS).filter(lambda letter: letter not in "ﾞﾟ"), max_size=100))
def test_each_letter_leaves_one_at_least(text: str) -> None:
    letters = [one for one in unicodedata.normalize("NFC", text) if not unicodedata.combining(one)]
    assert len(transliterate(text)) >= len(letters)


@given(st.text(alphabet=st.characters(max_codepoint=0x24F, categories=["L", "N", "P", "Z"])))
def test_latin_fits(text: str) -> None:
    assert fits_gsm7(transliterate(text))


@given(st.text(alphabet=st.sampled_from("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰΑΒΓΔΩ«»· \n")))
def test_greek_takes_a_septet_a_letter(text: str) -> None:
    read = transliterate(text)
    assert len(encode_gsm7(read)) == len(text)


def test_the_pattern_for_long_runs_holds_all_marks_that_are_sorted() -> None:
    assert all(re.match(r"[^\w\s\x00-\x7f]", one) for one in CHARACTERS if unicodedata.combining(one))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" + "\u0301\u0323" * 200_000, id="marks in the wrong order"),
        pytest.param("=\u0338" * 200_000, id="negations"),
        pytest.param("\U0001d165\U0001d16e" * 200_000, id="marks beyond the basic plane"),
        pytest.param("\u1100\u1161" * 200_000, id="jamo"),
        pytest.param("μ" * 400_000, id="letters that depend on what follows"),
        pytest.param("1²" * 200_000, id="powers"),
        pytest.param("\ufdfa" * 100_000, id="18 letters in one"),
    ],
)
def test_long_texts_take_linear_time(text: str) -> None:
    began = time.perf_counter()
    transliterate(text)
    assert time.perf_counter() - began < 5  # the square of these lengths takes minutes
