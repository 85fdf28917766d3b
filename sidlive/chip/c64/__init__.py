"""The C64 that runs a tune: processor, memory map, CIAs, VIC, the SID as a program reads it, and a stand-in Kernal."""
