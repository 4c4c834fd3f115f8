#!/usr/bin/env python3
"""Golden sample of EcoLora.Federation.RoundRobinSchedule: Fisher-Yates over the stream "seed/sampling/round", the first N_t, sorted."""
from random_stream import stream


def below(numbers, maximum):
    """Lemire's rejection on the high 32 bits."""
    while True:
        product = (next(numbers) >> 32) * maximum
        if product & 0xFFFFFFFF >= (2**32 - maximum) % maximum:
            return product >> 32


def sample(seed, round_number, clients, participants):
    numbers, order = stream(f"{seed}/sampling/{round_number}"), list(range(clients))
    for last in range(clients - 1, 0, -1):
        other = below(numbers, last + 1)
        order[last], order[other] = order[other], order[last]
    return sorted(order[:participants])


if __name__ == "__main__":
    print(sample(42, 0, 100, 10))
