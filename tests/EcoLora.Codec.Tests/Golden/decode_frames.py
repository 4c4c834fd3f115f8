#!/usr/bin/env python3
"""An independent reader of EcoLoRA frames and stacks, version 2, written from src/EcoLora.Codec/FORMAT.md alone; its functions, here and in frame_fields
and frame_chunks, follow that page's sections.

    decode_frames.py [FOLDER]           decodes every frame that FOLDER/frames.json names and compares its identity, the number of its kept
                                        entries and the SHA-256 of its segment (little-endian binary32) with what stands there; likewise
                                        the stack of FOLDER/stack.json with its clients, their samples and segments
    decode_frames.py --refuse [FOLDER]  besides, changes frames of less than 3000 bytes bit by bit and cuts them short: each must be refused

FOLDER is by default the script's own. It prints a line per frame, `ok NAME` or `NAME: what differs`. The exit code is 0 when all agree, 1 when
one does not, 2 for a wrong command line, 3 when numpy is missing.
"""
import hashlib, json, random, struct, sys
from collections import namedtuple
from pathlib import Path

sys.dont_write_bytecode = True  # the folder of the pinned frames stays as it is

from frame_fields import ALL, BF16, BITMAP, BLOCK, CODED_FP32, CODED_TOKENS, Cursor, FP16, FP32, FrameError, GOLOMB, INT4, INT8, LARGEST, SIGN, STACK
from frame_fields import check_checksum, expect
from frame_chunks import read_all, read_coded, read_sparse

import numpy as np  # after frame_fields, which says so where it is missing

Header = namedtuple("Header", "kind length run_key layout_key round client segment segments base_version parameter_length")


# ---- What both ends know already: a layout is a list of (module, role, rows, columns)

def first_bytes(text, count):
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:count], "little")


def layout_text(layout):
    return "".join(f"{module} {role} {rows} {columns}\n" for module, role, rows, columns in layout)


def layout_key(layout):
    return first_bytes(layout_text(layout), 4)


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
    expect(header.kind <= STACK, "kind", "0 to 2", header.kind)
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
    expect(header.kind != 0 or header.client >= 0, "client of a segment", "0 or more", header.client)
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
    expect(header.kind != STACK, "kind", "0 or 1", header.kind)
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


def read_stack(stack, layout):
    """A stack's header and, in its order, each client's number, samples and segment, or FrameError. `layout` is cut at modules."""
    header = read_header(stack)
    expect(header.kind == STACK, "kind", STACK, header.kind)
    head = header.length + header.parameter_length + 4
    index, rest, entries, clients = Cursor(stack[header.length:head - 4]), Cursor(stack[head:]), [], set()
    for _ in range(index.varint("frames", 0, index.left() // 6)):
        client = index.varint("client", 0, 2**31 - 1)
        expect(client not in clients, "client", "each once", client)
        clients.add(client)
        entries.append((client, index.varint("samples", 1, 2**31 - 1), index.number("I", "length")))
    index.end("parameters")
    frames = [rest.bytes(length, "frames") for _, _, length in entries]
    rest.end("frames")
    for (client, _, _), frame in zip(entries, frames):
        inner = read_header(frame)
        expect(inner.kind == 0, "kind", 0, inner.kind)
        for field, expected in (("client", client), ("run_key", header.run_key), ("round", header.round), ("base_version", header.base_version)):
            expect(getattr(inner, field) == expected, field, expected, getattr(inner, field))
    key = first_bytes(layout_text(layout) + "segments modules\n", 4)
    expect(header.layout_key == key, "layout key", f"{key:08x}", f"{header.layout_key:08x}")
    return header, [(client, samples, read_frame(frame, layout)[2]) for (client, samples, _), frame in zip(entries, frames)]


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
    return unlike(pinned, found)


def stack_differences(stack, layout, pinned):
    """What of the pinned stack is not as stack.json says, in words."""
    try:
        header, entries = read_stack(stack, layout)
    except FrameError as error:
        return [str(error)]
    sent = [[client, samples, hashlib.sha256(segment.astype("<f4").tobytes()).hexdigest()] for client, samples, segment in entries]
    return unlike(pinned, {"run": header.run_key, "round": header.round, "baseVersion": header.base_version, "entries": sent})


def unlike(pinned, found):
    expected = pinned | {"run": first_bytes(pinned["run"], 8)}
    return [f"{name}: expected {expected[name]}, found {value}" for name, value in found.items() if value != expected[name]]


def changes(frame, generator):
    """A frame with each bit of up to 200 of its bytes changed in turn, and cut short before each of these bytes."""
    for at in generator.sample(range(len(frame)), min(200, len(frame))):
        yield f"cut at {at}", frame[:at]
        for bit in range(8):
            yield f"bit {bit} of byte {at}", frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1:]


def accepted(frame, layout, generator, read):
    """The changes of a frame or stack that are not refused with FrameError, in words."""
    for name, changed in changes(frame, generator):
        try:
            read(changed, layout)
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
    frames = [(pinned, differences, read_frame) for pinned in json.loads((folder / "frames.json").read_text("utf-8"))]
    stack = (json.loads((folder / "stack.json").read_text("utf-8")), stack_differences, read_stack)
    for pinned, compare, read in frames + [stack]:
        frame, layout = (folder / pinned["file"]).read_bytes(), pinned["tensors"]
        found = compare(frame, layout, pinned)
        if refuse and len(frame) < 3000:
            found += accepted(frame, layout, generator, read)
        print(f"{pinned['name']}: {'; '.join(found[:5])}" if found else f"ok {pinned['name']}")
        wrong += bool(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
