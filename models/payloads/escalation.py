"""An agent's escalation as it comes over the wire: ``POST /v1/escalations``.

The shape of each verb's parameters is made from the registry, so OpenAPI shows exactly what the court will take and a
new verb needs nothing here. Whether the agent may ask for it, and whether a limit it names exists, is not judged here.
"""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Union

from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema

from approvals.change.action import ENVIRONMENT_NAME, NAMESPACE_NAME, OBJECT_NAME, Argument, ProposedAction, Target
from approvals.identity.names import SLACK_ACCOUNT, account_of
from approvals.verbs.parameter import Choice, Parameter, Switch, WholeNumber, Word
from approvals.verbs.registry import REGISTRY
from approvals.verbs.verb import Verb
from approvals.workflow.escalation import Attachment, Breach, Escalation, Justification
from models.payloads.shapes import NOT_BLANK, Measured, Number, PayloadShape

LARGEST_BODY: Final = 256 * 1024
"""In bytes: every field at its longest, with every letter written as a six-byte escape, still fits."""

LONGEST_RATIONALE: Final = 4000
"""In characters: more than anybody reads on a phone, and it fits in one Slack message's text."""

MOST_EVIDENCE: Final = 10
"""Pieces; who needs more should link to them."""

LONGEST_TITLE: Final = 150
"""In characters: one line of a card, Slack's own limit for a heading."""

LONGEST_EVIDENCE: Final = 3000
"""In characters: Slack's limit for one text block."""

MOST_BREACHES: Final = 10
"""Each names a limit of the policy; a handful is usual."""

LONGEST_TIMEOUT: Final = 86_400
"""In seconds, a day: who asks for longer wants a ticket, not an approval."""


class TargetPayload(PayloadShape):
    """One object in one namespace."""

    kind: str
    namespace: Annotated[str, Field(max_length=63, pattern=f"^{NAMESPACE_NAME.pattern}$")]
    name: Annotated[str, Field(max_length=253, pattern=f"^{OBJECT_NAME.pattern}$")]


class ActionPayload(PayloadShape):
    """What every action has; :data:`ACTIONS` holds one narrower shape a verb."""

    verb: str
    target: TargetPayload
    parameters: PayloadShape


def _parameters_of(verb: Verb) -> type[PayloadShape]:
    fields: dict[str, Any] = {parameter.name: (_shape_of(parameter), ...) for parameter in verb.parameters}
    return create_model(f"{_title(verb)}Parameters", __base__=PayloadShape, **fields)


def _shape_of(parameter: Parameter) -> Any:
    """Return what a parameter is on the wire: the same bounds that the rules check, so that OpenAPI shows them."""
    said = parameter.description
    match parameter:
        case WholeNumber():
            return Annotated[int, Field(ge=parameter.least, le=parameter.most, description=said)]
        case Choice():
            options: Any = Literal[parameter.options]
            return Annotated[options, Field(description=said)]
        case Word():
            return Annotated[
                str, Field(max_length=parameter.longest, pattern=f"^(?:{parameter.form})$", description=said)
            ]
        case Switch():
            return Annotated[bool, Field(description=said)]


def _title(verb: Verb) -> str:
    """Return a verb's name as shapes are called, such as ``HpaBounds``."""
    return "".join(part.title() for part in verb.name.split("_"))


def action_of(verb: Verb) -> type[ActionPayload]:
    """Return the shape of *verb*'s actions: its name, the kinds it takes and its own parameters."""
    kinds: Any = Literal[tuple(kind.name for kind in verb.kinds)]
    name: Any = Literal[verb.name]
    target = create_model(f"{_title(verb)}Target", __base__=TargetPayload, kind=(kinds, ...))
    return create_model(
        f"{_title(verb)}Action",
        __base__=ActionPayload,
        verb=(name, ...),
        target=(target, ...),
        parameters=(_parameters_of(verb), ...),
    )


ACTIONS: Final = tuple(action_of(verb) for verb in REGISTRY)


class _OneOfTheVerbs:
    """Tells pydantic, and so OpenAPI, that an action has the shape which its verb names."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(Annotated[Union[ACTIONS], Field(discriminator="verb")])  # noqa: UP007


class BreachPayload(PayloadShape):
    """A claim that a limit was passed."""

    limit: Annotated[str, Field(min_length=1, max_length=63), NOT_BLANK]
    observed: Measured
    ceiling: Measured


class EvidencePayload(PayloadShape):
    """A piece of evidence, in the agent's words."""

    title: Annotated[str, Field(min_length=1, max_length=LONGEST_TITLE), NOT_BLANK]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_EVIDENCE), NOT_BLANK]


class EscalationPayload(PayloadShape):
    """One agent's request to change one thing."""

    environment: Annotated[str, Field(max_length=63, pattern=f"^{ENVIRONMENT_NAME.pattern}$")]
    action: Annotated[ActionPayload, _OneOfTheVerbs()]
    rationale: Annotated[str, Field(min_length=1, max_length=LONGEST_RATIONALE), NOT_BLANK]
    breaches: Annotated[list[BreachPayload], Field(default_factory=list, max_length=MOST_BREACHES)]
    evidence: Annotated[list[EvidencePayload], Field(default_factory=list, max_length=MOST_EVIDENCE)]
    confidence: Annotated[Number | None, Field(ge=0, le=1, description="How sure the agent is, 0 to 1.")] = None
    on_behalf_of: Annotated[
        str | None,
        Field(max_length=43, pattern=f"^{SLACK_ACCOUNT.pattern}$", description="TEAM:USER, whom the agent acts for."),
    ] = None
    timeout_seconds: Annotated[
        int | None, Field(ge=1, le=LONGEST_TIMEOUT, description="May only shorten what the policy's rule says.")
    ] = None


def escalation_of(payload: EscalationPayload, *, agent: str, key: str, body_hash: str) -> Escalation:
    """Return *payload* as the noun.

    Args:
        payload: The body, checked.
        agent: The token's holder, never a name from the body.
        key: The idempotency key.
        body_hash: The hash of the body, by which a reused key is told from a repeat.
    """
    action = payload.action
    arguments: dict[str, Argument] = action.parameters.model_dump()
    target = Target(kind=action.target.kind, namespace=action.target.namespace, name=action.target.name)
    return Escalation(
        agent=agent,
        environment=payload.environment,
        action=ProposedAction(verb=action.verb, target=target, parameters=arguments),
        justification=_justification_of(payload),
        on_behalf_of=None if payload.on_behalf_of is None else account_of(payload.on_behalf_of),
        timeout=None if payload.timeout_seconds is None else timedelta(seconds=payload.timeout_seconds),
        idempotency_key=key,
        body_hash=body_hash,
    )


def _justification_of(payload: EscalationPayload) -> Justification:
    return Justification(
        rationale=payload.rationale,
        breaches=tuple(
            Breach(limit=breach.limit, observed=breach.observed, ceiling=breach.ceiling) for breach in payload.breaches
        ),
        attachments=tuple(Attachment(title=piece.title, text=piece.text) for piece in payload.evidence),
        confidence=payload.confidence,
    )
