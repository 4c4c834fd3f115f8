#!/usr/bin/env python3
"""A wire with latency: moves whole IP packets between two tun devices, each way after a fixed delay.

    delay.py SECONDS DEVICE NAMESPACE DEVICE NAMESPACE

Makes the two devices and puts each into its network namespace; they live as long as this process. It ends no TCP connection and
drops, reorders and merges nothing, so that the ends' TCP sees the round trip of a long wire. Needs root; SIGTERM ends it.
"""
import collections
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
LARGEST_PACKET = 65536


def tun(device, namespace):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", device, "netns", namespace], check=True)
    subprocess.run(["ip", "-n", namespace, "link", "set", device, "up"], check=True)
    return descriptor


def carry(source, target, delay):
    waiting = collections.deque()
    while True:
        wait = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([source], [], [], wait)[0]:
            packet = os.read(source, LARGEST_PACKET)
            waiting.append((time.monotonic() + delay, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(target, waiting.popleft()[1])


def main():
    delay, hub, site = float(sys.argv[1]), tun(*sys.argv[2:4]), tun(*sys.argv[4:6])
    # Before everything else on a busy machine: a late packet would be a longer wire.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    # One process per direction, so that neither waits for the other.
    other = os.fork()
    if other == 0:
        carry(hub, site, delay)

    def end(*_):
        os.kill(other, signal.SIGKILL)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    carry(site, hub, delay)


main()
