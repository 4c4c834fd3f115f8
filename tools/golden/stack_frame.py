#!/usr/bin/env python3
"""The pinned stack, tests/EcoLora.Codec.Tests/Golden/stack.bin: written from src/EcoLora.Codec/FORMAT.md with struct alone.

It holds the pinned frame tiny-fp16 twice: as it is, of client 7 with 300 samples, and as if client 2 had sent it, with 5 samples. Prints the SHA-256 of what it writes.
"""
import hashlib, struct
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "EcoLora.Codec.Tests" / "Golden"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def varint(number):
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes(groups + bytes([number]))


def of_client(frame, client):
    size, = struct.unpack_from("<H", frame, 6)
    parameters, = struct.unpack_from("<I", frame, 36)
    end = size + parameters
    head = frame[:24] + struct.pack("<i", client) + frame[28:end]
    return head + crc32c(head) + frame[end + 4:]


if __name__ == "__main__":
    frame = (GOLDEN / "tiny-fp16.frame").read_bytes()
    entries = [(7, 300, frame), (2, 5, of_client(frame, 2))]
    index = varint(len(entries)) + b"".join(varint(client) + varint(samples) + struct.pack("<I", len(body)) for client, samples, body in entries)
    run_key = frame[8:16]
    layout_key = hashlib.sha256(b"m0 A 2 6\nm0 B 4 2\nsegments modules\n").digest()[:4]
    head = b"ECLF" + struct.pack("<BBH", 2, 2, 40) + run_key + layout_key + struct.pack("<iiHHiI", 3, -1, 0, 1, 3, len(index)) + index
    stack = head + crc32c(head) + b"".join(body for _, _, body in entries)
    (GOLDEN / "stack.bin").write_bytes(stack)
    print(hashlib.sha256(stack).hexdigest())
