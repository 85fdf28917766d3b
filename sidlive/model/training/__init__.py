"""Training a network. The only package that imports torch."""
