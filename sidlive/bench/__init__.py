"""All benchmarks, and the programs that they compare with (py65, libsidplayfp)."""
