"""The same, with little time for a body to come."""

from pexec_site import bodies
from tests.live.served import application

__all__ = ["application"]
bodies.RECEIVE_S = 0.5
