"""Types of options that several data sets have."""

import argparse
import math


def positive(text: str) -> float:
    """A number above 0 that is finite, as resolutions are.

    Raises:
        ArgumentTypeError: it is another one.
    """
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0; give one, e.g. 0.25 um/px or 40x")
    return number
