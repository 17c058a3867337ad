"""Whole slides, read at any magnification."""

from zoo.slides.opening import BACKENDS, open_slide
from zoo.slides.reader import SlideReader
from zoo.slides.slide import Slide

__all__ = ["BACKENDS", "Slide", "SlideReader", "open_slide"]
