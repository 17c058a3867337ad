"""Protocols: how methods are evaluated, and what is recorded."""

from zoo.evaluation.automatic import Automatic
from zoo.evaluation.interactive import Interactive
from zoo.evaluation.oneshot import OneShotProtocol
from zoo.evaluation.protocol import Protocol
from zoo.evaluation.two_scales import ZoomSimulation

__all__ = ["Automatic", "Interactive", "OneShotProtocol", "Protocol", "ZoomSimulation"]
