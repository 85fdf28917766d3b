"""Plays a note on a real sound device (argument DEVICE) until killed, and prints all notices. Run by a test."""

import sys
import time

from sidlive.chip.registers import silence
from sidlive.live.sound.audio import open_output
from sidlive.live.sound.device_minder import DeviceMinder
from sidlive.live.sound.renderer import Renderer


def main(device: str) -> None:
    row = silence(1)[0]
    row[[1, 4, 5, 6, 24, 25]] = (0x10, 0x21, 0x09, 0xF0, 0x0F, 0x21)
    output = open_output(device)
    renderer = Renderer(lambda: row, output, report=print)
    renderer.start()
    DeviceMinder(renderer, device, lambda text, level: print(text)).start()
    while not output.feed.delivered:
        time.sleep(0.01)
    print(f"on {output.name}")
    renderer.ended.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
