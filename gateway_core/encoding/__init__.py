"""How a text becomes SMS: which alphabet carries it, into how many parts it falls, what it cannot carry."""

from gateway_core.encoding.costs import Costly, Costs, Why, costs
from gateway_core.encoding.gsm0338 import decode_gsm7, encode_gsm7, fits_gsm7, foreign, whole
from gateway_core.encoding.policy import POLICIES, apply_policy
from gateway_core.encoding.split import Encoding, Segments, split
from gateway_core.encoding.transliterate import transliterate
from gateway_core.encoding.truncate import truncate

__all__ = [
    "POLICIES",
    "Costly",
    "Costs",
    "Encoding",
    "Segments",
    "Why",
    "apply_policy",
    "costs",
    "decode_gsm7",
    "encode_gsm7",
    "fits_gsm7",
    "foreign",
    "split",
    "transliterate",
    "truncate",
    "whole",
]
