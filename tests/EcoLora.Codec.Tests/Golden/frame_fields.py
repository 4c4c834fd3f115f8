"""What every part of the independent reader stands on: its error, the names of the modes, and bytes, bits and checksums as FORMAT.md has them."""
import struct, sys

try:
    import numpy as np
except ImportError:
    print(f"decode_frames.py: {sys.executable} has no numpy (Debian: apt-get install python3-numpy)")
    sys.exit(3)

FP32, FP16, BF16, INT8, INT4, SIGN = range(6)
STACK = 2  # kind
ALL, BITMAP, GOLOMB, CODED_FP32, CODED_TOKENS = 0, 1, 2, 3, 7
BITS = {FP32: 32, FP16: 16, BF16: 16, INT8: 8, INT4: 4, SIGN: 1}  # of a value in modes 1 and 2
LARGEST = {FP16: 31743, BF16: 32639, INT8: 127, INT4: 7, SIGN: 1}
BLOCK = 1024


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
