"""Record what a JACK port gets: ``python record_clock.py CLIENT``. At the end of its input it prints the messages."""

import os
import sys

from sidlive.bench.jack_in import JackIn

port = JackIn(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
print(*(message.hex() for _, message in port.heard), flush=True)
os._exit(0)
