"""What can go wrong, one class a kind: each knows its HTTP status, its exit status and its problem type (``kind``).

A message reads ``<where>: <what>. <what is allowed>. <what to do next>.`` and never holds a letter's words. A raiser may
narrow the kind and the status.
"""

from __future__ import annotations


class TriageError(Exception):
    """Root of every error that a user can mend; the doors print it, nothing swallows it.

    >>> str(TriageError("letters.csv line 3: empty category. Fill it in."))
    'letters.csv line 3: empty category. Fill it in.'
    """

    status = 500
    exit_status = 1
    kind = "error"

    def __init__(self, message: str, *, kind: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.kind = kind or type(self).kind
        self.status = status or type(self).status


class InputError(TriageError):
    """What was handed in cannot be read: a file, a field, a size."""

    status = 422
    exit_status = 4
    kind = "invalid-input"


class TaxonomyError(TriageError):
    """categories.toml, departments.toml, guards.toml or dictionary.txt contradicts itself."""

    status = 500
    exit_status = 2
    kind = "invalid-taxonomy"


class ModelError(TriageError):
    """A model folder is missing, damaged, foreign, newer than this program, or made for another dictionary."""

    status = 503
    exit_status = 5
    kind = "model-refused"


class StorageError(TriageError):
    """The office's folder cannot be written: full, read-only, or not there."""

    status = 507
    exit_status = 8
    kind = "storage"


class BusyError(TriageError):
    """The same work is being done already by another process of this office."""

    status = 409
    exit_status = 7
    kind = "already-running"


class UsageError(TriageError):
    """The command cannot be done as it was given: an option, an output, a job that began otherwise."""

    status = 409
    exit_status = 2
    kind = "wrong-use"


class RegisterError(TriageError):
    """The letter register cannot be used: locked, full, damaged, out of reach, newer than this program, or sealed with another key."""

    status = 503
    exit_status = 6
    kind = "register"
