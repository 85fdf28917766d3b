"""Sound in real time, from frames to the device.

In reading order: `renderer` (plays frames on the SID), `lead` (how late it may do so), `feed` (samples between renderer
and device), `priority` (of threads that must be in time), `idle_time` (whether the machine is busy), `audio` (the
devices), `device_minder` (finds a lost device again, changes devices).
"""
