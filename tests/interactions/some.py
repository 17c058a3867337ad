"""Lists of interactions of every kind, for an image of 17 x 23 pixels."""

from hypothesis import strategies as st

from zoo.interactions import Box, Click, Scribble

SIZE = (17, 23)
HEIGHT, WIDTH = SIZE

xs = st.floats(0, WIDTH - 0.125, allow_nan=False, width=32)
ys = st.floats(0, HEIGHT - 0.125, allow_nan=False, width=32)
turns = st.integers(0, 5)
click = st.builds(Click, xs, ys, st.booleans(), turns)
scribble = st.builds(
    Scribble,
    st.lists(st.tuples(xs, ys), min_size=1, max_size=4).map(tuple),
    st.booleans(),
    st.sampled_from([1.0, 3.0]),
    turns,
)
box = st.builds(Box, st.floats(0, 10), st.floats(0, 8), st.floats(10.5, WIDTH), st.floats(8.5, HEIGHT), turns)
interactions = st.lists(click | scribble | box, max_size=6)
samples = st.lists(interactions, min_size=1, max_size=4)
