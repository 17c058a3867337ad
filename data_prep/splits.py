"""Splits of data sets whose publisher has none: by patient, and the same ones on every machine."""

import argparse
import hashlib

from zoo.errors import ConfigError


def add_split_arguments(parser: argparse.ArgumentParser, val: float, test: float) -> None:
    """Options for the shares of the splits."""
    how = "share of patients in '{}', 0..1; who is in it is decided by a hash of the patient's id ({:g})"
    parser.add_argument("--val-fraction", type=float, default=val, metavar="F", help=how.format("val", val))
    parser.add_argument("--test-fraction", type=float, default=test, metavar="F", help=how.format("test", test))


def split_of(patient: str, args: argparse.Namespace) -> str:
    """'train', 'val' or 'test' of a patient.

    It depends on the id and the two fractions alone, so that slides which are added later, or missing on one machine,
    move no other patient. Of few patients the shares are only roughly as asked for.

    Raises:
        ConfigError: shares below 0 or above 1 together.
    """
    val, test = args.val_fraction, args.test_fraction
    if min(val, test) < 0 or val + test > 1:
        raise ConfigError(f"--val-fraction {val:g} and --test-fraction {test:g}: give shares whose sum is at most 1")
    # 13 hexadecimal digits are what a float holds.
    place = int(hashlib.sha256(patient.encode()).hexdigest()[:13], 16) / 16**13
    return "test" if place < test else "val" if place < test + val else "train"
