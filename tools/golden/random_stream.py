#!/usr/bin/env python3
"""Golden values of EcoLora.Numerics.RandomStream: xoshiro256++ seeded with SHA-256 of "seed/name/keys"."""
import hashlib, struct

MASK = (1 << 64) - 1

def rotl(x, k):
    return ((x << k) | (x >> (64 - k))) & MASK

def stream(text):
    s = list(struct.unpack("<4Q", hashlib.sha256(text.encode()).digest()))
    while True:
        yield (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)

if __name__ == "__main__":
    numbers = stream("42/golden/1/2")
    print(", ".join(f"{next(numbers)}UL" for _ in range(3)))
