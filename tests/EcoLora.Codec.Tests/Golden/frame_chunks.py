"""A chunk's entries, a function for each mode of FORMAT.md: which of them are sent, and their codes."""
import numpy as np

from frame_fields import BITS, BLOCK, CODED_TOKENS, FP32, GOLOMB, SIGN, bits_of, expect, read_numbers


# ---- Chunk, modes 0 to 2

def read_all(chunk, role, n, kept):
    if kept == 0:
        return np.zeros(n, bool), np.zeros(0, np.int64)
    width = 2 if role.value_mode == SIGN else BITS[role.value_mode]
    codes = read_numbers(chunk, n, width, "values")
    expect(role.value_mode == FP32 or 1 not in codes, "code", "0, or 2 and more", 1)
    sent = (codes & 0x7FFFFFFF if role.value_mode == FP32 else codes) != 0
    expect(kept in (n, sent.sum()), "kept", f"{n}, or {sent.sum()}, as many are not zero", kept)
    return sent, codes[sent]


def read_golomb(chunk, n, kept):
    divisor = chunk.varint("Golomb divisor", 1, 65535)
    data = chunk.bytes(chunk.varint("length of the gaps", 0, chunk.left()), "gaps")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").tobytes() + b"\2"  # the mark of the end
    width = (divisor - 1).bit_length()
    short = (1 << width) - divisor
    sent, at, index = np.zeros(n, bool), 0, -1
    for _ in range(kept):
        zero = bits.find(0, at)
        quotient, at, remainder = zero - at, zero + 1, 0
        expect(zero >= 0 and at + width <= len(bits), "gaps", f"{kept} gaps", "fewer")
        if divisor > 1:
            remainder = sum(bits[at + i] << i for i in range(width - 1))
            at += width - 1
            if remainder >= short:
                expect(bits[at] < 2, "gaps", f"{kept} gaps", "fewer")
                remainder, at = 2 * remainder + bits[at] - short, at + 1
        index += quotient * divisor + remainder + 1
        expect(index < n, "gaps", f"indexes below {n}", index)
        sent[index] = True
    expect(len(bits) - at <= 8 and 1 not in bits[at:], "gaps", "fewer than 8 zero bits at the end", f"{len(bits) - 1 - at} bits")
    return sent


def read_sparse(chunk, role, n, kept, mode):
    sent = read_golomb(chunk, n, kept) if mode == GOLOMB else bits_of(chunk.bytes((n + 7) // 8, "bitmap"), n, "bitmap").astype(bool)
    expect(sent.sum() == kept, "kept", f"{sent.sum()}, as the positions say", kept)
    return sent, read_numbers(chunk, kept, BITS[role.value_mode], "values") + (0 if role.value_mode == FP32 else 2)


# ---- Chunk, modes 3 and 7

class Symbols:
    """rANS: the stream's symbols, run after run."""

    def __init__(self, states, coded):
        self.states, self.coded, self.taken, self.lane = states, coded, 0, 0

    def run(self, frequencies, count):
        if 256 in frequencies:
            return np.full(count, frequencies.index(256))
        symbol = np.repeat(np.arange(len(frequencies)), frequencies)  # each table tells for every slot
        frequency = np.repeat(frequencies, frequencies).astype(np.uint32)
        above_start = np.concatenate([np.arange(each) for each in frequencies]).astype(np.uint32)
        read = self.read_rounds if len(self.states) >= 16 else self.read_one_by_one
        return symbol[read(frequency, above_start, count)]

    def read_rounds(self, frequency, above_start, count):
        """The slots of `count` symbols, all lanes of a round at once; the states below 2^15 take bytes in the order of the lanes."""
        slots, done = np.empty(count, np.uint8), 0
        while done < count:
            lanes = slice(self.lane, min(len(self.states), self.lane + count - done))
            slot = self.states[lanes] & 255
            states = frequency[slot] * (self.states[lanes] >> 8) + above_start[slot]
            low = np.flatnonzero(states < 1 << 15)
            if len(low):
                expect(self.taken + len(low) <= len(self.coded), "coded bytes", "one for every state below 2^15", len(self.coded))
                states[low] = states[low] << 8 | self.coded[self.taken:self.taken + len(low)]
                self.taken += len(low)
            slots[done:done + len(slot)] = slot
            done += len(slot)
            self.states[lanes] = states
            self.lane = lanes.stop % len(self.states)
        return slots

    def read_one_by_one(self, frequency, above_start, count):
        frequency, above_start, states, coded = (array.tolist() for array in (frequency, above_start, self.states, self.coded))
        slots = np.empty(count, np.uint8)
        for index in range(count):
            slot = states[self.lane] & 255
            state = frequency[slot] * (states[self.lane] >> 8) + above_start[slot]
            if state < 1 << 15:
                expect(self.taken < len(coded), "coded bytes", "one for every state below 2^15", len(coded))
                state = state << 8 | coded[self.taken]
                self.taken += 1
            slots[index], states[self.lane] = slot, state
            self.lane = (self.lane + 1) % len(states)
        self.states[:] = states
        return slots

    def carried(self, count):
        """In the end: the raw bytes that the states carry."""
        expect(self.taken == len(self.coded), "coded bytes", f"all {len(self.coded)} used", self.taken)
        expect(self.states.max() < 1 << 16, "final states", "2^15 and 15 bits", self.states.max())
        bits = (self.states[:, None] >> np.arange(15, dtype=np.uint32) & 1).astype(np.uint8).ravel()
        expect(not bits[8 * count:].any(), "final states", "zero bits after the raw bytes", "others")
        return np.packbits(bits[:8 * count], bitorder="little").tobytes()


def read_frequencies(chunk, count, field):
    frequencies, nibbles = [], []

    def nibble():
        if not nibbles:
            byte = chunk.number("B", field)
            nibbles.extend((byte >> 4, byte & 15))
        return nibbles.pop()

    for _ in range(count - 1):
        less_one = nibble()
        frequencies.append(less_one + 1 if less_one < 15 else 16 + nibble() + 16 * nibble())
    expect(not any(nibbles), field, "a zero nibble to fill the last byte", nibbles)
    expect(sum(frequencies) < 256, field, "less than 256 without the last", sum(frequencies))
    return frequencies + [256 - sum(frequencies)]


def read_level(chunk, top):
    """Levels: the frequencies of the 16 nibbles on one of them."""
    by_bits = [0, *chunk.bytes(4, "level frequencies")]
    frequencies = [by_bits[nibble.bit_count()] for nibble in range(16)]
    rest = 256 - sum(frequencies)
    expect(0 <= rest <= (256 if top else 3), "level frequencies", f"a rest of 0 to {256 if top else 3}", rest)
    for nibble in (1, 2, 4)[:0 if top else rest]:
        frequencies[nibble] += 1
    frequencies[0] = rest if top else 0
    return frequencies


def decode_levels(symbols, levels, count):
    """Levels: a class's bitmap of `count` bits."""
    sizes = [count]
    for _ in levels:
        sizes.append((sizes[-1] + 3) // 4)
    bitmap = np.ones(sizes.pop(), bool)  # of the top level all nibbles are symbols
    for frequencies in levels:
        nibbles = np.zeros(len(bitmap), np.uint8)
        nibbles[bitmap] = symbols.run(frequencies, bitmap.sum())
        bits, size = (nibbles[:, None] >> np.arange(4) & 1).ravel().astype(bool), sizes.pop()
        expect(not bits[size:].any(), "level", "zero bits after the last entry", "others")
        bitmap = bits[:size]
    return bitmap


def read_coded(chunk, role, n, kept, mode):
    with_tokens = mode == CODED_TOKENS
    least = chunk.varint("least magnitude", 1, role.largest) if with_tokens else 0
    low_bits = chunk.number("B", "low bits") if with_tokens else 0
    expect(low_bits <= 8, "low bits", "0 to 8", low_bits)
    packed = chunk.number("B", "lanes and classes")
    lanes, classes = 1 << (packed & 7), (packed >> 3) + 1
    expect(classes <= 16, "classes", "at most 16", classes)
    class_frequencies = read_frequencies(chunk, classes, "class frequencies")
    levels, inverted, tables = [], [], []
    for _ in range(classes):
        packed = chunk.number("B", "depth")
        expect(1 <= packed & 127 <= 5, "depth", "1 to 5", packed & 127)
        levels.append([read_level(chunk, top=level == 0) for level in range(packed & 127)])
        inverted.append(packed >= 128)
    for _ in range(classes if with_tokens else 0):
        packed = chunk.number("B", "token symbols")
        count, escape = packed & 127, packed >= 128
        expect(count <= 64 and (count > 0 or not escape), "token symbols", "0 to 64, with an escape at least 1", packed)
        if count == 0:
            tables.append(None)
            continue
        first = chunk.number("B", "first token")
        expect(first + count - escape <= 256, "first token", f"at most {256 - count + escape}", first)
        tables.append((escape, first, read_frequencies(chunk, count, "token frequencies")))

    coded_length = chunk.varint("coded bytes", 0, chunk.left())
    escapes = chunk.varint("escapes", 0, kept if with_tokens else 0)
    states = np.frombuffer(chunk.bytes(3 * lanes, "states"), np.uint8).reshape(lanes, 3).astype(np.uint32) @ np.uint32([1, 1 << 8, 1 << 16])
    expect(states.min() >= 1 << 15 and states.max() < 1 << 23, "states", "2^15 to 2^23 - 1", f"{states.min()} to {states.max()}")
    symbols = Symbols(states, np.frombuffer(chunk.bytes(coded_length, "coded bytes"), np.uint8).astype(np.uint32))
    plane = (kept + 7) // 8
    low_length = 4 * kept if not with_tokens else kept if low_bits == 8 else low_bits * plane
    carried = min(low_length + escapes, 15 * lanes // 8)
    raw = chunk.bytes(low_length + escapes - carried, "raw bytes")

    class_numbers = np.repeat(symbols.run(class_frequencies, (n + BLOCK - 1) // BLOCK), BLOCK)[:n]
    members = [np.flatnonzero(class_numbers == number) for number in range(classes)]
    sent, tokens, escaped = np.zeros(n, bool), np.zeros(n, np.int64), [np.zeros(0, np.int64)]
    for number, entries in enumerate(members):
        sent[entries] = decode_levels(symbols, levels[number], len(entries)) ^ inverted[number]
    expect(sent.sum() == kept, "kept", f"{sent.sum()}, as the positions say", kept)
    for table, entries in zip(tables, members):
        entries = entries[sent[entries]]
        expect((table is not None) == (len(entries) > 0), "token symbols", f"symbols for {len(entries)} entries", "none" if len(entries) else "some")
        if table is not None:
            escape, first, frequencies = table
            found = symbols.run(frequencies, len(entries))
            tokens[entries] = first + found
            escaped.append(entries[escape & (found == len(frequencies) - 1)])
    raw += symbols.carried(carried)
    if not with_tokens:
        return sent, np.frombuffer(raw, "<u4").astype(np.int64)
    escaped = np.concatenate(escaped)
    expect(len(escaped) == escapes, "escapes", len(escaped), escapes)
    tokens[escaped] = np.frombuffer(raw[low_length:], np.uint8)
    if low_bits == 8:
        low = np.frombuffer(raw[:kept], np.uint8).astype(np.int64)
    else:
        low = sum((bits_of(raw[bit * plane:(bit + 1) * plane], kept, "low bits").astype(np.int64) << bit for bit in range(low_bits)), 0)
    return sent, 2 * least + (tokens[sent] << low_bits) + low
