"""Refusals: every way in which Countersign says no, drawn as one tree.

::

    Refused                      somebody asked for something and the answer is no
    ├── Malformed                it cannot be understood as it stands
    ├── Unauthorised             whoever asks is not known
    ├── Forbidden                known, and not allowed
    │   ├── Paused               a pause covers it
    │   ├── OutOfScope           outside the charter or the token's scope
    │   ├── PolicyDenied         a rule, or the absence of one, denies it
    │   └── NotEligible          this person's answer cannot count
    ├── Missing                  there is no such thing, or it is not yours to see
    ├── Clash                    it contradicts what is already decided or stored
    │   ├── KeyReused            same idempotency key, other body
    │   ├── Settled              the question has its outcome already
    │   ├── Late                 the deadline has passed
    │   └── Stale                the fingerprint is not the one that stands
    ├── Unplannable              the change cannot be previewed, so nobody can be asked
    ├── TooMany                  a bound on rate or number is reached
    └── Unavailable              an answer is not known now: never a yes; asking again later is fine
        └── Garbled              one row cannot be read, or be as it should: it waits for an operator, the others do not

Every refusal has a stable ``code`` for programs and a ``sentence`` for people. The sentence never holds
text that came from outside, so it may be shown and logged; what the log keeps beside it is the door's affair.
"""


class Refused(Exception):
    """The answer is no; ``code`` says which no to a program, ``sentence`` to a person."""

    code = "refused"

    def __init__(self, sentence: str, *, code: str | None = None, field: str | None = None) -> None:
        """Keep the sentence; *code* narrows the class's own, *field* is the JSON pointer of the culprit."""
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or type(self).code
        self.field = field
        self.cause_code = self.code
        """A narrower code, where there is one."""
        self.for_operators = sentence
        """The sentence, or what tells more to those who run this."""


class Malformed(Refused):
    """It cannot be understood as it stands."""

    code = "malformed"


class Unauthorised(Refused):
    """Whoever asks is not known."""

    code = "unauthorised"


class Forbidden(Refused):
    """Known, and not allowed."""

    code = "forbidden"


class Paused(Forbidden):
    """A pause covers it."""

    code = "paused"


class OutOfScope(Forbidden):
    """Outside the agent's charter or the token's scope."""

    code = "out_of_scope"


class PolicyDenied(Forbidden):
    """A rule, or the absence of one, denies it."""

    code = "policy_denied"


class NotEligible(Forbidden):
    """This person's answer cannot count; the code says why."""

    code = "not_eligible"


class Missing(Refused):
    """There is no such thing, or it is not the asker's to see: the two are not told apart."""

    code = "not_found"


class Clash(Refused):
    """It contradicts what is already decided or stored."""

    code = "conflict"


class KeyReused(Clash):
    """The idempotency key stands for another body."""

    code = "idempotency_key_reused"


class Settled(Clash):
    """The question has its outcome already."""

    code = "already_decided"


class Late(Clash):
    """The deadline has passed; silence has denied it."""

    code = "late"


class Stale(Clash):
    """The fingerprint is not the one that stands."""

    code = "stale"


class Unplannable(Refused):
    """The change cannot be previewed, so nobody can be asked about it."""

    code = "unplannable"


class TooMany(Refused):
    """A bound on rate or number is reached."""

    code = "too_many"


class Unavailable(Refused):
    """The answer is not known now: never a yes, and asking again later is fine.

    Whoever asked is told the sentence. What an operator needs beside it, which may name a machine or a file and never a secret,
    stays at the command line, in the log and in the legs.
    """

    code = "unavailable"

    def __init__(
        self, sentence: str, *, code: str | None = None, field: str | None = None, cause: str = "", detail: str = ""
    ) -> None:
        """Keep the sentence and code; *cause* is a narrower code and *detail* what, where and what to do, for operators alone."""
        super().__init__(sentence, code=code, field=field)
        if cause:
            self.cause_code = cause
        if detail:
            self.for_operators = detail


class Garbled(Unavailable):
    """One row cannot be read, or be as it should: a word or a shape that this version does not know. An operator has to look."""

    code = "garbled"


def is_outage(error: Exception) -> bool:
    """Tell whether *error* concerns whatever is asked just now, so that asking for another row would meet the same."""
    return isinstance(error, Unavailable) and not isinstance(error, Garbled)
