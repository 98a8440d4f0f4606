"""Texts of handsets as words: what STOP and keywords are compared in. Pure."""

import unicodedata


def normal(text: str) -> str:
    """Upper case, nothing but letters and digits, one blank between words: "Pizza, please!" is PIZZA PLEASE."""
    folded = unicodedata.normalize("NFKC", text).upper()
    words = "".join(letter if letter.isalnum() or unicodedata.combining(letter) else " " for letter in folded)
    return " ".join(words.split())


def begins_with(said: str, words: str) -> bool:
    """Whether a text begins with these whole words, both in their normal form."""
    return said == words or said.startswith(words + " ")
