"""How good a model is: nats on held-out tunes, and what it plays on its own beside what the tunes go on with."""
