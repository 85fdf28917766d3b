"""First light: a prompt, its continuation, some knobs, a take.

    sidlive run sessions/first_light.py
    sidlive run sessions/first_light.py TUNE.sid
    sidlive run sessions/first_light.py --offline --wav first_light.wav

Without a tune it continues one of the fragments that come with sidlive. Every word here is a verb of the studio's
console.
"""
# ruff: noqa: F821 (the verbs and args are predefined names)

prompt(load(args[0] if args else "gallop"))
temperature(0.9)
start()
wait(8)

temperature(1.2)  # wilder
wait(4)
mask("1-2")  # the lead falls silent
wait(4)
mask("all")
temperature(0.9)
transpose(3)  # the music is transposed, and so is the past that the model continues
wait(8)

transpose(0)
mute(1)  # the bass drops out on the way to the chip; the model still hears it
wait(2)
unmute()
hold(3)  # the lead keeps its registers
wait(2)
free()
wait(4)
stop()
wait(1)

print(commit("first_light"))
