"""From slides to stores: tissue, grid of patches, filters, pairs of two magnifications, and a picture to check it."""

from data_prep.slides.options import add_slide_arguments
from data_prep.slides.prepare import slide_shard

__all__ = ["add_slide_arguments", "slide_shard"]
