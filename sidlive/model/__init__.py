"""The token language, the network, its training, and the torch-free engine."""
