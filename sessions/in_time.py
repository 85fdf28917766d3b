"""In time: loops, movements of controls, a change of tempo, prompts that change on the bar, a break.

    sidlive run sessions/in_time.py
    sidlive run sessions/in_time.py --offline --wav in_time.wav

Every change waits for a beat or a bar, so it comes in exactly that frame. Offline the result is the same each time.
"""
# ruff: noqa: F821 (the verbs are predefined names)

prompt("gallop")
start()
wait("4 bars")
print(clock())


@every("1 bar")
def keys(n):
    """Climb a minor third, a fourth, and fall back."""
    transpose([0, 3, 5, 0][n % 4])


@every("2 beats")
def gate(n):
    """The bass is silent in every other half of a bar."""
    if n % 2:
        mute(1)
    else:
        unmute(1)


every("4 bars", lambda n: seed(100 + n), name="futures")
lfo("timbre_heat", 0.6, 1.4, "2 bars", shape="triangle", at="bar")
ramp("temperature", 1.3, over="6 bars", at="bar")
tempo(156, over="4 bars", at="bar")
wait("8 bars")

hush()
with at("bar"):  # the break: everything at once
    prompt("circuit")
    transpose(0)
    temperature(0.9)
    unmute()
    mask("1-2")
mask("all", at="+4 bars")
wait("6 bars")
steps("transpose", [0, -2, -4, -2], "1 bar", at="bar")
wait("4 bars")
stop(at="bar")
wait("2 bars")

print(commit("in_time"))
