#!/usr/bin/env python3
"""Frames of src/EcoLora.Codec/FORMAT.md, written and read independently of the C# code (python3, standard library).

  codec_frames.py write FILE   writes the golden frames: tests/EcoLora.Codec.Tests/Golden/frames.json
  codec_frames.py check FILE   makes them again, decodes each and compares
"""
import hashlib, json, math, struct, sys

FP32, FP16, ALL, GOLOMB = 0, 1, 0, 1


class FrameError(ValueError):
    pass


def require(holds, field):
    if not holds:
        raise FrameError(field)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def bits32(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class Layout:
    """tensors: (module, role, rows, columns)."""

    def __init__(self, tensors):
        self.roles = [role for _, role, rows, columns in tensors for _ in range(rows * columns)]
        text = "".join(f"{module} {role} {rows} {columns}\n" for module, role, rows, columns in tensors)
        self.key = struct.unpack("<I", hashlib.sha256(text.encode()).digest()[:4])[0]

    def segment(self, s, count):
        total = len(self.roles)
        return range(s * total // count, (s + 1) * total // count)

    def entries(self, segment, role):
        """Indexes within the segment of the role's entries."""
        return [i - segment.start for i in segment if self.roles[i] == role]


def truncated_binary(m):
    width = (m - 1).bit_length()
    return width, (1 << width) - m


def write_positions(indexes, m):
    width, short = truncated_binary(m)
    bits, previous = [], -1

    def number(value, count):
        bits.extend(value >> i & 1 for i in range(count))

    for index in indexes:
        q, r = divmod(index - previous - 1, m)
        previous = index
        bits.extend([1] * q + [0])
        if m == 1:
            continue
        if r < short:
            number(r, width - 1)
        else:
            number((r + short) >> 1, width - 1)
            bits.append((r + short) & 1)
    out = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        out[i // 8] |= bit << (i % 8)
    return bytes(out)


def read_positions(data, m, kept, n):
    width, short = truncated_binary(m)
    bits = iter([byte >> i & 1 for byte in data for i in range(8)])
    used, indexes, position = 0, [], -1

    def bit():
        nonlocal used
        used += 1
        value = next(bits, None)
        require(value is not None, "positions")
        return value

    for _ in range(kept):
        gap = 0
        while bit():
            gap += m
            require(position + gap < n, "positions")
        if m > 1:
            r = sum(bit() << i for i in range(width - 1))
            if r >= short:
                r = 2 * r + bit() - short
            gap += r
        position += gap + 1
        require(position < n, "positions")
        indexes.append(position)
    rest = list(bits)
    require(len(rest) < 8 and not any(rest), "positions")
    return indexes


def golomb_parameter(kept, n):
    if kept in (0, n):
        return 1
    p = kept / n
    return max(1, min(65535, math.ceil(math.log(1 / (2 - p)) / math.log(1 - p))))


def write_section(role, mode, values, fraction):
    """Returns the section and what a receiver decodes."""
    n = len(values)
    count = 0 if n == 0 else max(1, min(n, math.floor(fraction * n + 0.5)))
    kept = sorted(sorted(range(n), key=lambda i: (-(bits32(values[i]) & 0x7FFFFFFF), i))[:count])
    largest = max((abs(v) for v in values), default=0.0)
    e = 0 if mode == FP32 or largest == 0 else min(126, 14 - (math.frexp(largest)[1] - 1))

    def pack(value):
        if mode == FP32:
            return struct.pack("<f", value)
        half = struct.pack("<e", math.ldexp(value, e))
        return half if math.isfinite(read_value(half, mode, e)) else struct.pack("<e", math.copysign(32752.0, value))

    coded = {i: pack(values[i]) for i in kept}
    if count < n:
        kept = [i for i in kept if any(b & (0x7F if j == len(coded[i]) - 1 else 0xFF) for j, b in enumerate(coded[i]))]
    m = golomb_parameter(len(kept), n)
    positions = b"" if len(kept) == n else write_positions(kept, m)
    modes = (role == "B") | mode << 2 | (ALL if len(kept) == n else GOLOMB) << 5
    section = struct.pack("<BbBHii", modes, e, 0, m, len(kept), len(positions)) + positions + b"".join(coded[i] for i in kept)
    sent = [0.0] * n
    for i in kept:
        sent[i] = read_value(coded[i], mode, e)
    return section, sent


def read_value(data, mode, e):
    if mode == FP32:
        return struct.unpack("<f", data)[0]
    value = math.ldexp(struct.unpack("<e", data)[0], -e)
    return f32(value) if abs(value) < 2.0 ** 128 else math.inf


def encode(layout, header, change, keep_a, keep_b, mode):
    """header: kind, run, round, client, segment, segments, base. Returns the frame and what a receiver decodes."""
    segment = layout.segment(header["segment"], header["segments"])
    sent = [0.0] * len(segment)
    run_key = hashlib.sha256(header["run"].encode()).digest()[:8]
    frame = b"ECLF" + struct.pack("<BBH", 1, header["kind"], 36) + run_key + struct.pack(
        "<IiiHHi", layout.key, header["round"], header["client"], header["segment"], header["segments"], header["base"])
    for role, fraction in (("A", keep_a), ("B", keep_b)):
        places = layout.entries(segment, role)
        section, values = write_section(role, mode, [change[i] for i in places], fraction)
        frame += section
        for place, value in zip(places, values):
            sent[place] = value
    return frame + struct.pack("<I", crc32c(frame)), sent


def decode(layout, frame):
    """Returns the header's fields and the segment's values; checks in the order of FORMAT.md."""
    require(len(frame) >= 40, "length")
    require(frame[:4] == b"ECLF", "magic")
    version, kind, size = struct.unpack_from("<BBH", frame, 4)
    require(version == 1, "version")
    require(kind <= 1, "kind")
    require(36 <= size <= len(frame) - 4, "header length")
    key, number, client, s, count, base = struct.unpack_from("<IiiHHi", frame, 16)
    require(number >= 0, "round")
    require(base >= 0, "base version")
    require(s < count, "segment")
    require(kind == 0 or (client == -1 and count == 1), "sender of a global change")
    require(kind == 1 or client >= 0, "client")
    require(crc32c(frame[:-4]) == struct.unpack("<I", frame[-4:])[0], "checksum")
    require(key == layout.key, "layout")
    require(count <= len(layout.roles), "segments")
    segment = layout.segment(s, count)
    values, body, modes, parts = [0.0] * len(segment), frame[size:-4], set(), []
    for role in "AB":
        places = layout.entries(segment, role)
        require(len(body) >= 13, "section")
        flags, e, reserved, m, kept, length = struct.unpack_from("<BbBHii", body)
        mode, position_mode = flags >> 2 & 7, flags >> 5
        require(flags & 3 == (role == "B") and mode <= FP16 and position_mode <= GOLOMB and reserved == 0, "section")
        require(0 <= kept <= len(places), "section")
        require(position_mode == GOLOMB or (kept == len(places) and length == 0), "section")
        require(-113 <= e <= 126 and m >= 1 and length >= 0, "section")
        width = 4 if mode == FP32 else 2
        require(13 + length + kept * width <= len(body), "section")
        parts.append((places, position_mode, mode, e, m, kept, body[13:13 + length], body[13 + length:13 + length + kept * width]))
        body = body[13 + length + kept * width:]
        modes.add(mode)
    require(not body, "length")
    require(len(modes) == 1, "value mode")
    for places, position_mode, mode, e, m, kept, positions, data in parts:
        width = 4 if mode == FP32 else 2
        indexes = range(kept) if position_mode == ALL else read_positions(positions, m, kept, len(places))
        for j, index in enumerate(indexes):
            value = read_value(data[j * width:(j + 1) * width], mode, e)
            require(math.isfinite(value), "value")
            values[places[index]] = value
    return {"kind": kind, "round": number, "client": client, "segment": s, "segments": count, "base": base}, values


def made_up(count, start=1, shrink=1.0):
    """Numbers of mixed size and sign from a small congruential generator, in binary32."""
    state, values = start, []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values.append(f32(((state >> 8) / (1 << 23) - 1) ** 3 * shrink))
    return values


def cases():
    pair = [("q", "A", 2, 6), ("q", "B", 4, 2)]
    model = [(f"model.layers.{i}.{name}", role, *shape) for i in range(2) for name in ("q_proj", "v_proj")
             for role, shape in (("A", (4, 16)), ("B", (16, 4)))]
    only_b = [tensor for tensor in model if tensor[1] == "B"]
    up = {"kind": 0, "run": "golden", "round": 3, "client": 7, "segment": 0, "segments": 1, "base": 3}
    down = {"kind": 1, "run": "golden", "round": 3, "client": -1, "segment": 0, "segments": 1, "base": 3}

    yield "dense fp32", pair, up, made_up(20), 1.0, 1.0, FP32
    yield "dense fp16", pair, up, made_up(20), 1.0, 1.0, FP16
    yield "all zero", pair, up, [0.0] * 20, 0.5, 0.5, FP16
    yield "dense with zeros of both signs", pair, up, [0.0, -0.0] * 10, 1.0, 1.0, FP16
    yield "ties go to the lower index", pair, up, [0.5, -0.5] * 10, 0.4, 0.3, FP32
    yield "subnormals", pair, up, [math.ldexp(i - 9, -149) for i in range(20)], 0.5, 1.0, FP16
    yield "largest and smallest", pair, up, [3.4028234663852886e38, 1e-38] + [f32(1e38)] * 10 + [1e-30, 2e-30, 3e-30, 1.5, 0.0, 0.0, 1e-7, 1.0], 0.9, 0.8, FP16
    for segment in range(5):
        yield f"segment {segment} of 5", model, {**up, "segment": segment, "segments": 5, "client": segment}, \
            made_up(len(Layout(model).segment(segment, 5)), segment + 2, 1e-3), 0.6, 0.25, FP16
    yield "one kept of many", model, up, made_up(512, 11), 0.001, 0.001, FP16
    yield "almost all kept", model, up, made_up(512, 12), 0.95, 0.9, FP32
    yield "one twentieth", model, up, made_up(512, 13, 1e-6), 0.05, 0.05, FP16
    yield "global change", model, down, made_up(512, 14, 1e-2), 0.3, 0.2, FP16
    yield "only B", only_b, {**down, "run": "ffa-run", "round": 0, "base": 0}, made_up(256, 15), 0.3, 0.5, FP16


def golden():
    for name, tensors, header, change, keep_a, keep_b, mode in cases():
        layout = Layout(tensors)
        change = [f32(v) for v in change]
        frame, sent = encode(layout, header, change, keep_a, keep_b, mode)
        read, values = decode(layout, frame)
        assert list(map(bits32, values)) == list(map(bits32, sent)), name
        assert all(header[field] == value for field, value in read.items()), name
        yield {"name": name, "tensors": [list(t) for t in tensors], **header, "keepA": keep_a, "keepB": keep_b, "fp16": mode == FP16,
               "change": "".join(f"{bits32(v):08x}" for v in change), "sent": "".join(f"{bits32(v):08x}" for v in sent), "frame": frame.hex()}


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    assert crc32c(b"123456789") == 0xE3069283
    assert write_positions([0, 1, 5, 9], golomb_parameter(4, 10)).hex() == "dc01"
    text = "[\n" + ",\n".join(json.dumps(case) for case in golden()) + "\n]\n"
    if sys.argv[1] == "write":
        open(sys.argv[2], "w", encoding="utf-8").write(text)
    elif open(sys.argv[2], encoding="utf-8").read() != text:
        sys.exit(f"{sys.argv[2]}: the frames differ")
