"""Sound in real time, from frames to the device.

In reading order: `renderer` (plays frames on the SID), `feed` (samples between renderer and device), `audio` (the
devices), `device_minder` (finds a lost device again, changes devices).
"""
