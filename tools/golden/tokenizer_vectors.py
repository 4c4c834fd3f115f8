#!/usr/bin/env python3
"""Makes tests/EcoLora.Formats.Tests/Tokenizers/golden/tokenizer.json: how the patterns of GPT-2, Llama 3 and Qwen2 cut texts, by the module `regex`
(pip install regex; Unicode case folding and White_Space as in Oniguruma and Rust's engines), and composed forms by the module unicodedata. The texts are
made here. The digest is over the composed forms of every character alone and between marks, one per line in UTF-8."""
import hashlib, json, os, random, sys, unicodedata
import regex

TARGET = os.path.join(os.path.dirname(__file__), "..", "..", "tests", "EcoLora.Formats.Tests", "Tokenizers", "golden", "tokenizer.json")
CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
LLAMA3 = r"(?i:" + CONTRACTIONS + r")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "Gpt2": CONTRACTIONS + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "Llama3": LLAMA3.replace("DIGITS", "{1,3}"),
    "Qwen2": LLAMA3.replace("DIGITS", ""),
}
# Letters, digits and marks of the basic plane and beyond it, white space of every kind, what looks like white space and is none, contractions.
PIECES = ["a", "Bc", "é", "e\u0301", "\u0301", "ß", "字", "ſ", "\u212a", "İ", "ı", "ǅ", "ʰ", "ﬁ", "क्षि", "ที่", "각", "\u1100\u1161\u11a8", "𝐀𝐛", "𐐀", "𠀀", "1",
          "23", "4567", "½", "²", "Ⅷ", "٣", "𝟏𝟐𝟑𝟒", "𐒠", "'s", "'S", "'ſ", "'LL", "'lL", "'l", "'d", "'Re", "'rE", "'VE", "'m", "'T", "'\u212a", "'", "''", "’s",
          " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", " \n", "\n ", "\u000b", "\u000c", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u3000",
          "\u001c", "\u180e", "\u200b", "\u2060", "\ufeff", ".", "!?", "_", "-", "€", "😀", "👩\u200d👧", "\U0001d165", "\ue000", "\0"]
MARKED = ["A\u030a", "\u212b", "\u0344", "q\u0323\u0307", "q\u0307\u0323", "a\u0315\u0300\u05ae\u0062", "\u1100\u1161", "\u1100\u1161\u11a8", "\uac00\u11a8", "\uac01\u11a8",
          "\u0958", "\u09c7\u09be", "\u0f71\u0f72\u0f74", "\U0001d15e", "\U00011131\U00011127", "\u0340\u0341", "a\u0300\u0300", "\u0300a", "\ufb1d", "\u2adc", "\u1e9b\u0323"]


def texts(rng):
    yield from PIECES
    for _ in range(500):
        yield "".join(rng.choice(PIECES) for _ in range(rng.randint(2, 9)))


def digest():
    found = hashlib.sha256()
    for code in range(0x110000):
        if 0xD800 <= code <= 0xDFFF or unicodedata.category(chr(code)) == "Cn":
            continue
        for text in (chr(code), "a\u0345\u0323" + chr(code) + "\u0301\u0323", chr(code) + "\u1161"):
            found.update(unicodedata.normalize("NFC", text).encode() + b"\n")
    return found.hexdigest()


def main():
    chosen = list(texts(random.Random(7)))
    splits = []
    for name, pattern in PATTERNS.items():
        compiled = regex.compile(pattern, regex.V0)
        for text in chosen:
            words = [match.group() for match in compiled.finditer(text)]
            assert "".join(words) == text
            splits.append([name, words])
    composed = [[text, unicodedata.normalize("NFC", text)] for text in MARKED]
    assigned = [[start, end] for start, end in ranges()]
    os.makedirs(os.path.dirname(TARGET), exist_ok=True)
    with open(TARGET, "w", encoding="ascii", newline="\n") as file:
        file.write('{\n"splits": [\n' + ",\n".join(json.dumps(split) for split in splits) + '\n],\n"composed": [\n')
        file.write(",\n".join(json.dumps(pair) for pair in composed) + f'\n],\n"assigned": {json.dumps(assigned, separators=(",", ":"))},\n')
        file.write(f'"composed_digest": "{digest()}"\n}}\n')
    print(unicodedata.unidata_version, regex.__version__, file=sys.stderr)


def ranges():
    """First and last of each run of characters that this Unicode version knows, surrogates left out."""
    start = None
    for code in range(0x110001):
        known = code < 0x110000 and not 0xD800 <= code <= 0xDFFF and unicodedata.category(chr(code)) != "Cn"
        if known and start is None:
            start = code
        if not known and start is not None:
            yield start, code - 1
            start = None


main()
