#!/usr/bin/env python3
"""Makes src/EcoLora.Formats/Tokenizers/NfcTable.txt, what Unicode's composed form needs, from Python's own Unicode data (run by Python 3.11:
Unicode 14.0; later versions add characters and change none). .NET has no normalisation of its own: it asks ICU, which our images do not have.

Lines that start with 'C' list combining classes other than 0 as first-last=class, lines that start with 'D' canonical decompositions by one step, Hangul
left out (it is computed): composed=first+second, or composed=first; with '!' where nothing composes to it."""
import os, sys, unicodedata

TARGET = os.path.join(os.path.dirname(__file__), "..", "..", "src", "EcoLora.Formats", "Tokenizers", "NfcTable.txt")


def classes():
    start, last = None, (0, None)
    for code in range(0x110001):
        value = unicodedata.combining(chr(code)) if code < 0x110000 else 0
        if start is not None and value != last:
            yield f"{start:X}-{code - 1:X}={last}"
            start = None
        if value and start is None:
            start, last = code, value


def decompositions():
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code))
        if not parts or parts.startswith("<") or 0xAC00 <= code <= 0xD7A3:
            continue
        composes = unicodedata.normalize("NFC", unicodedata.normalize("NFD", chr(code))) == chr(code)
        yield f"{code:X}={parts.replace(' ', '+')}{'' if composes else '!'}"


def lines(letter, entries):
    line = letter
    for entry in entries:
        if len(line) + 1 + len(entry) > 150:
            yield line
            line = letter
        line += " " + entry
    yield line


with open(TARGET, "w", encoding="ascii", newline="\n") as file:
    for line in [*lines("C", classes()), *lines("D", decompositions())]:
        file.write(line + "\n")
print(unicodedata.unidata_version, file=sys.stderr)
