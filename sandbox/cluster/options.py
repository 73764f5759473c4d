"""Options: what the query of a write asks for (dry run, field manager, strictness), checked as the server checks it."""

from dataclasses import dataclass
from typing import Final

from sandbox.cluster import refusals
from sandbox.cluster.refusals import Cause
from sandbox.cluster.routes import Address

_MANAGER_MOST: Final = 128
_VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a write is to be done."""

    dry_run: bool = False
    field_manager: str = "unknown"
    field_validation: str = "Warn"

    @classmethod
    def of(cls, address: Address, user_agent: str, *, kind: str) -> "Options":
        """Return the options in an address; *kind* is ``PatchOptions`` or ``CreateOptions``.

        Raises:
            Refused: 422, one of them is not known.
        """
        causes = [*_dry_run_causes(address), *_manager_causes(address.one("fieldManager"))]
        validation = address.one("fieldValidation")
        if validation not in _VALIDATIONS:
            supported = ", ".join(f'"{one}"' for one in _VALIDATIONS)
            told = f'Unsupported value: "{validation}": supported values: {supported}'
            causes.append(Cause("FieldValueNotSupported", told, "fieldValidation"))
        if causes:
            raise refusals.invalid("meta.k8s.io", kind, "", causes)
        return cls(
            dry_run="dryRun" in address.query,
            # Without a name the server calls a writer by the first word of its user agent.
            field_manager=address.one("fieldManager") or user_agent.partition("/")[0] or "unknown",
            field_validation=validation or "Warn",
        )


def _dry_run_causes(address: Address) -> list[Cause]:
    given = address.query.get("dryRun", ())
    if all(one == "All" for one in given):
        return []
    quoted = ", ".join(f'"{one}"' for one in given)
    return [Cause("FieldValueNotSupported", f'Unsupported value: [{quoted}]: supported values: "All"', "dryRun")]


def _manager_causes(manager: str) -> list[Cause]:
    causes = []
    if len(manager.encode()) > _MANAGER_MOST:
        causes.append(
            Cause("FieldValueTooLong", f"Too long: may not be more than {_MANAGER_MOST} bytes", "fieldManager")
        )
    odd = next((index for index, character in enumerate(manager) if not character.isprintable()), None)
    if odd is not None:
        quoted = manager.encode("unicode_escape").decode()
        told = f'Invalid value: "{quoted}": invalid character U+{ord(manager[odd]):04X} (at position {odd})'
        causes.append(Cause("FieldValueInvalid", told, "fieldManager"))
    return causes
