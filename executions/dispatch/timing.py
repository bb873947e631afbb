"""The windows that leadership and liveness are judged by, in seconds, all in one place.

They hold together: a worker stops itself well before it is declared lost, and trusts nothing for
longer than the lease. `PEXEC_TEMPO` scales them all alike (drills use a quicker one).
"""

from __future__ import annotations

from django.conf import settings

_TEMPO: float = settings.PEXEC_TEMPO

LEASE_TTL_S = 15.0 * _TEMPO
LEASE_RENEW_EVERY_S = 5.0 * _TEMPO
LEASE_MARGIN_S = 3.0 * _TEMPO
STANDBY_S = 1.0 * _TEMPO
"""How often one that does not lead asks for the lease, or starts over after an error."""

HEARTBEAT_EVERY_S = 5.0 * _TEMPO
SELF_STOP_S = 20.0 * _TEMPO
"""A worker that could confirm itself nowhere for so long stops what it runs."""
LOST_AFTER_S = 45.0 * _TEMPO
BLIND_AFTER_S = 10.0 * _TEMPO
"""A longer pause between two looks at the workers proves nothing about the time between."""

SILENT_AFTER_S = 15.0 * _TEMPO
"""A worker that was not heard in either place for so long is given nothing new."""
DEAF_AFTER_S = 15.0 * _TEMPO
"""A leader that could not reach Redis for so long lets another one try."""

LOOK_EVERY_S = 2.0 * _TEMPO
"""How often the database is looked into although nobody said that there is news."""
SUM_EVERY_S = 1.0 * _TEMPO
"""How often what open executions waited for is summed up, for pages and for the next leader."""
AUDIT_EVERY_S = 30.0 * _TEMPO
"""How often the leader holds the attempts it knows against those of the database."""
RESEND_AFTER_S = 2.0 * _TEMPO
RESEND_LIMIT_S = 30.0 * _TEMPO
BYPASS_EVERY_S = 1.0 * _TEMPO
"""How often a worker that does not hear Redis asks the database instead."""
REPEAT_AFTER_S = 5.0 * _TEMPO
"""How long a worker waits for the confirmation of an end before it tells it again."""

DRAIN_S = 10.0
"""How long a worker that shuts down lets its attempts go on."""
STOP_S = 8.0
"""How long stopped attempts may take to end: a command's grace, and some more."""
