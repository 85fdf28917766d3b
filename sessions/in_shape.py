"""In shape: what the model has heard is edited while it plays, and each time the music goes on in that shape.

    sidlive run sessions/in_shape.py
    sidlive run sessions/in_shape.py --offline --wav in_shape.wav

Every edit comes at a bar line and is taken back at another, so verse and chorus of one prompt become a piece.
"""
# ruff: noqa: F821 (the verbs are predefined names)

prompt("gallop")
start()
wait("4 bars")

reverse("bar", at="bar")  # the notes of each bar in the opposite order
octave(3, -1, at="+4 bars")  # and the melody falls an octave
wait("8 bars")
unedit(all=True, at="bar")  # as it was
wait("2 bars")

with at("bar"):  # the break: a chopped bar, thinned on the way to the chip, so the model does not lose its notes
    chop("1/8", 5)
    thin(0.6, heard=False)
ramp("thin", 0, over="4 bars", at="+2 bars")
wait("6 bars")

with at("bar"):  # the bass in the rhythm of another fragment, with an echo of the melody above it
    unedit(all=True)
    rhythm(1, "strut")
    echo(3, "1/8", to=2)
wait("6 bars")
print(*edits(), sep="\n")

with at("bar"):
    unedit(all=True)
    stretch(2)  # half speed for the end
wait("4 bars")
stop(at="bar")
wait("2 bars")

print(commit("in_shape"))
