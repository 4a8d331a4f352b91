"""Every exception of runcast, named by what happens next.

::

    RuncastError
    ├── UsageError              the caller made a mistake: the message names the mend
    │   ├── ConfigError         a setting, a backend's name or an option is wrong
    │   └── RunFinishedError    a call on a run that is over (only with ``strict=True``)
    ├── JournalError            a journal cannot be read
    │   └── FormatError         written by a newer runcast than this one
    ├── ReproductionError       a past run cannot be run again: the message says what is gone
    ├── SourceError             a tracker's run cannot be read; others may
    ├── AwayError               a tracker does not answer or is too busy: nothing of it counts as gone
    ├── RegistryError           a tracker's model registry is down or refuses
    ├── PromotionError          a model version is not promoted or rolled back; the message says why
    └── DeliveryError           raised by a backend, answered by the courier
        ├── Retry               try the same batch again, later
        ├── Reject              this batch will never be accepted: bisect it
        └── Halt                stop this backend until somebody mends it

Training code sees only ``UsageError`` and its children, and those only from ``start`` or under
``strict=True``.
"""

from __future__ import annotations


class RuncastError(Exception):
    """Base of every exception that runcast raises."""


class UsageError(RuncastError):
    """The caller made a mistake; the message says what, where and how to mend it."""


class ConfigError(UsageError):
    """A setting, a backend's name, its options or its package is wrong."""


class RunFinishedError(UsageError):
    """A logging call came after the run was finished."""


class JournalError(RuncastError):
    """A journal or one of its files cannot be read or written."""


class FormatError(JournalError):
    """The file asks for a newer reader than this one; it is left untouched."""


class SourceError(RuncastError):
    """A run of a tracker cannot be read (any more); the message says what, why and the mend."""


class AwayError(RuncastError):
    """A tracker that is read does not answer, or has too much to do: what it holds is not gone."""


class RegistryError(RuncastError):
    """A tracker's model registry is down, refuses, or has what it should not; the message has the mend."""


class PromotionError(RuncastError):
    """A version is not promoted or rolled back: a condition is not met, or somebody else was faster."""


class ReproductionError(RuncastError):
    """A past run cannot be run again; the message says what is gone, why and the mend."""


class DeliveryError(RuncastError):
    """A backend could not take a batch; the class says what the courier does next."""


class Retry(DeliveryError):
    """The tracker is down, slow or busy: deliver the same batch again later.

    Args:
        message: what went wrong, for people.
        after: seconds that the tracker asked to wait (``Retry-After``), or None.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Reject(DeliveryError):
    """The tracker will never accept something in this batch; the rest may still go."""


class Halt(DeliveryError):
    """Credentials or configuration are wrong: pause this backend and keep its cursor."""
