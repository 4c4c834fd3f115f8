#!/usr/bin/env python3
"""An independent reader of EcoLoRA frames, version 2, written from src/EcoLora.Codec/FORMAT.md alone; its functions follow that page's sections.

    decode_frames.py [FOLDER]           decodes every frame that FOLDER/frames.json names and compares its identity, the number of its kept
                                        entries and the SHA-256 of its segment (little-endian binary32) with what stands there
    decode_frames.py --refuse [FOLDER]  besides, changes frames of less than 3000 bytes bit by bit and cuts them short: each must be refused

FOLDER is by default the script's own. It prints a line per frame, `ok NAME` or `NAME: what differs`. The exit code is 0 when all agree, 1 when
one does not, 2 for a wrong command line, 3 when numpy is missing.
"""
import hashlib, json, random, struct, sys
from collections import namedtuple
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print(f"decode_frames.py: {sys.executable} has no numpy (Debian: apt-get install python3-numpy)")
    sys.exit(3)

FP32, FP16, BF16, INT8, INT4, SIGN = range(6)
ALL, BITMAP, GOLOMB, CODED_FP32, CODED_TOKENS = 0, 1, 2, 3, 7
BITS = {FP32: 32, FP16: 16, BF16: 16, INT8: 8, INT4: 4, SIGN: 1}  # of a value in modes 1 and 2
LARGEST = {FP16: 31743, BF16: 32639, INT8: 127, INT4: 7, SIGN: 1}
BLOCK = 1024
Header = namedtuple("Header", "kind length run_key layout_key round client segment segments base_version parameter_length")


class FrameError(Exception):
    """The one error of a reader: it names the field, what was expected and what was found."""


def expect(holds, field, expected, found):
    if not holds:
        raise FrameError(f"{field}: expected {expected}, found {found}")


# ---- Bytes, bits and checksums

CRC32C = list(range(256))
for _ in range(8):
    CRC32C = [value >> 1 ^ (value & 1) * 0x82F63B78 for value in CRC32C]


def check_checksum(data, checksum, field):
    value, found = 0xFFFFFFFF, int.from_bytes(checksum, "little")
    for byte in data:
        value = CRC32C[(value ^ byte) & 255] ^ value >> 8
    value ^= 0xFFFFFFFF
    expect(value == found, field, f"{value:08x}", f"{found:08x}")


class Cursor:
    """Takes one field after the other from bytes, none beyond their end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def bytes(self, count, field):
        expect(count <= self.left(), field, f"{count} bytes", self.left())
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form, field):
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form), field))[0]

    def varint(self, field, least, most):
        value, shift, group = 0, 0, 128
        while group >= 128:
            expect(shift < 35, field, "at most 5 groups", "more")
            group = self.number("B", field)
            value |= (group & 127) << shift
            shift += 7
        expect(group > 0 or shift == 7, field, "no more groups than it needs", "a last group of zero")
        expect(least <= value <= most, field, f"{least} to {most}", value)
        return value

    def end(self, field):
        expect(self.left() == 0, field, "nothing left over", f"{self.left()} bytes")


def bits_of(data, count, field):
    """The first `count` bits, those of a byte from the least significant up; zero bits fill the last byte."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    expect(not bits[count:].any(), field, "zero bits to fill the last byte", "others")
    return bits[:count]


def read_numbers(chunk, count, width, field):
    """Numbers of `width` bits, the least significant first."""
    data = chunk.bytes((count * width + 7) // 8, field)
    if width >= 8:
        return np.frombuffer(data, f"<u{width // 8}").astype(np.int64)
    return bits_of(data, count * width, field).reshape(count, width) @ (1 << np.arange(width))


# ---- What both ends know already: a layout is a list of (module, role, rows, columns)

def first_bytes(text, count):
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:count], "little")


def layout_key(layout):
    return first_bytes("".join(f"{module} {role} {rows} {columns}\n" for module, role, rows, columns in layout), 4)


def pieces_of(layout, begin, end):
    """The tensors' parts inside [begin, end), in the order of the vector: (role, number of entries)."""
    first, pieces = 0, []
    for _, role, rows, columns in layout:
        last = first + rows * columns
        if min(last, end) > max(first, begin):
            pieces.append((role, min(last, end) - max(first, begin)))
        first = last
    return pieces


# ---- Header and parameters

def read_header(frame):
    expect(len(frame) >= 44, "frame length", "at least 44 bytes", len(frame))
    magic, version, *fields = struct.unpack("<4sBBHQIiiHHiI", frame[:40])
    header = Header(*fields)
    expect(magic == b"ECLF", "magic", b"ECLF", magic)
    expect(version == 2, "version", 2, version)
    expect(header.kind <= 1, "kind", "0 or 1", header.kind)
    expect(40 <= header.length <= len(frame) - 4, "header length", f"40 to {len(frame) - 4}", header.length)
    end = header.length + header.parameter_length
    expect(end <= len(frame) - 4, "parameter length", f"at most {len(frame) - 4 - header.length}", header.parameter_length)
    check_checksum(frame[:end], frame[end:end + 4], "head's checksum")
    expect(header.round >= 0, "round", "0 or more", header.round)
    expect(header.base_version >= 0, "base version", "0 or more", header.base_version)
    expect(header.segments >= 1, "segments", "1 or more", header.segments)
    expect(header.segment < header.segments, "segment", f"less than {header.segments}", header.segment)
    expect(header.kind == 0 or header.segments == 1, "segments of a global change", 1, header.segments)
    expect(header.kind == 0 or header.client == -1, "client of a global change", -1, header.client)
    expect(header.kind == 1 or header.client >= 0, "client of a segment", "0 or more", header.client)
    return header


def read_chunk_lengths(parameters, room):
    value_mode = parameters.number("B", "value mode")
    expect(value_mode <= SIGN, "value mode", "0 to 5", value_mode)
    count = parameters.varint("chunks", 1, parameters.left())
    expect(count <= parameters.left() // 4, "chunks", f"at most {parameters.left() // 4}", count)
    lengths = [parameters.number("I", "chunk length") for _ in range(count)]
    expect(sum(lengths) == room, "chunk lengths", f"{room} in all", sum(lengths))
    return value_mode, lengths


class Role:
    """A role's entries in the segment: what the parameters say of them, and the values that are read."""

    def __init__(self, parameters, value_mode, pieces):
        self.value_mode, self.largest = value_mode, LARGEST.get(value_mode)
        self.decoded = np.zeros(sum(pieces), np.float32)
        if value_mode == FP16:
            exponent = parameters.number("b", "scale exponent")
            expect(-113 <= exponent <= 126, "scale exponent", "-113 to 126", exponent)
            self.scale = np.float32(2.0 ** -exponent)
            self.largest = 30719 if exponent == -113 else self.largest
        elif value_mode in (INT8, INT4, SIGN):
            halves = np.frombuffer(parameters.bytes(2 * len(pieces), "steps"), "<u2").astype(np.uint32)
            steps = (halves << 16).view(np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                good = (halves < 0x8000) & np.isfinite(np.float32(self.largest) * steps)
            expect(good.all(), "steps", f"numbers from 0 of which {self.largest} times is finite", steps[~good][:1])
            self.steps = np.repeat(steps, pieces)
        self.blocks = parameters.varint("blocks per chunk", 1, 8192)

    def chunks(self):
        entries = range(len(self.decoded))
        return [entries[first:first + BLOCK * self.blocks] for first in entries[::BLOCK * self.blocks]]

    def values(self, codes, entries):
        """Values: the binary32 numbers of these entries' codes (with FP32, of their bits)."""
        if self.value_mode == FP32:
            values = codes.astype(np.uint32).view(np.float32)
            expect(np.isfinite(values).all(), "values", "finite numbers", "others")
            return values
        magnitudes, negative = codes >> 1, (codes & 1).astype(bool)
        expect(magnitudes.max(initial=0) <= self.largest, "code", f"a magnitude of at most {self.largest}", magnitudes.max(initial=0))
        if self.value_mode == FP16:
            values = magnitudes.astype(np.uint16).view(np.float16).astype(np.float32) * self.scale
        elif self.value_mode == BF16:
            values = (magnitudes << 16).astype(np.uint32).view(np.float32)
        else:
            values = magnitudes.astype(np.float32) * self.steps[entries]
        return np.where(negative, -values, values)


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


# ---- Frame

def read_chunk(data, role, entries):
    """Reads one chunk into these entries of its role, and returns how many are kept."""
    chunk, n = Cursor(data[4:]), len(entries)
    mode, coded = chunk.number("B", "chunk mode"), CODED_FP32 if role.value_mode == FP32 else CODED_TOKENS
    expect(mode in (ALL, BITMAP, GOLOMB, coded), "chunk mode", f"0, 1, 2 or {coded}", mode)
    kept = chunk.varint("kept", 0, n)
    if mode == ALL:
        sent, codes = read_all(chunk, role, n, kept)
    else:
        sent, codes = (read_coded if mode == coded else read_sparse)(chunk, role, n, kept, mode)
    chunk.end("chunk")
    sent = entries.start + np.flatnonzero(sent)
    role.decoded[sent] = role.values(codes, sent)
    return kept


def read_frame(frame, layout):
    """A frame's header, number of kept entries and segment, or FrameError. The checks come in the order of "What a reader checks", except that
    the checksums of all chunks come before the rules of any."""
    header = read_header(frame)
    head = header.length + header.parameter_length + 4
    parameters = Cursor(frame[header.length:head - 4])
    value_mode, lengths = read_chunk_lengths(parameters, len(frame) - head)

    expect(header.layout_key == layout_key(layout), "layout key", f"{layout_key(layout):08x}", f"{header.layout_key:08x}")
    total = sum(rows * columns for _, _, rows, columns in layout)
    expect(header.segments <= total, "segments", f"at most {total}", header.segments)
    pieces = pieces_of(layout, header.segment * total // header.segments, (header.segment + 1) * total // header.segments)
    lengths_by_role = {name: [length for role, length in pieces if role == name] for name in "AB"}
    roles = {name: Role(parameters, value_mode, parts) for name, parts in lengths_by_role.items() if parts}
    parameters.end("parameters")
    plan = [(role, entries) for role in roles.values() for entries in role.chunks()]
    expect(len(lengths) == len(plan), "chunks", len(plan), len(lengths))

    cursor, kept = Cursor(frame[head:]), 0
    chunks = [cursor.bytes(length, "chunk") for length in lengths]
    for chunk in chunks:
        check_checksum(chunk[4:], chunk[:4], "chunk's checksum")
    for chunk, (role, entries) in zip(chunks, plan):
        kept += read_chunk(chunk, role, entries)
    decoded = {name: Cursor(role.decoded) for name, role in roles.items()}
    return header, kept, np.concatenate([decoded[name].bytes(length, "entries") for name, length in pieces])


# ---- Pinned frames

def differences(frame, layout, pinned):
    """What of a pinned frame is not as frames.json says, in words."""
    try:
        header, kept, segment = read_frame(frame, layout)
    except FrameError as error:
        return [str(error)]
    digest = hashlib.sha256(segment.astype("<f4").tobytes()).hexdigest()
    found = {"kind": header.kind, "run": header.run_key, "round": header.round, "client": header.client, "segment": header.segment,
             "segments": header.segments, "baseVersion": header.base_version, "kept": kept, "sha256": digest}
    expected = pinned | {"run": first_bytes(pinned["run"], 8)}
    return [f"{name}: expected {expected[name]}, found {value}" for name, value in found.items() if value != expected[name]]


def changes(frame, generator):
    """A frame with each bit of up to 200 of its bytes changed in turn, and cut short before each of these bytes."""
    for at in generator.sample(range(len(frame)), min(200, len(frame))):
        yield f"cut at {at}", frame[:at]
        for bit in range(8):
            yield f"bit {bit} of byte {at}", frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1:]


def accepted(frame, layout, generator):
    """The changes of a frame that are not refused with FrameError, in words."""
    for name, changed in changes(frame, generator):
        try:
            read_frame(changed, layout)
            yield f"{name}: not refused"
        except FrameError:
            pass
        except Exception as error:  # a reader that fails in another way is wrong
            yield f"{name}: {type(error).__name__}: {error}"


def main(arguments):
    refuse = arguments[:1] == ["--refuse"]
    folders = arguments[refuse:]
    if len(folders) > 1 or any(folder.startswith("-") for folder in folders):
        print("usage: decode_frames.py [--refuse] [FOLDER]")
        return 2
    folder, generator, wrong = Path(*folders) if folders else Path(__file__).parent, random.Random(20), 0
    for pinned in json.loads((folder / "frames.json").read_text("utf-8")):
        frame, layout = (folder / pinned["file"]).read_bytes(), pinned["tensors"]
        found = differences(frame, layout, pinned)
        if refuse and len(frame) < 3000:
            found += accepted(frame, layout, generator)
        print(f"{pinned['name']}: {'; '.join(found[:5])}" if found else f"ok {pinned['name']}")
        wrong += bool(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
