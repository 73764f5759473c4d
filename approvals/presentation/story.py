"""Stories: audit events told in plain sentences, for the thread under a card and for ``countersign audit show``.

One sentence an event, made from what the chain holds. The sentences hold names and ids from our own records and never an
agent's or a stranger's free text; whoever shows them adds that apart, marked as what it is.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from approvals.audit.events import ITSELF, EventKind
from approvals.change.plan import Change, Leaf, Redacted, json_text
from approvals.facts import noun_of
from approvals.verbs.verb import Effect
from approvals.verbs.workload import counted
from approvals.workflow.request import EXPIRED_UNSEEN, TOKEN_REVOKED, UPGRADED

Name = Callable[[str], str]
"""Turns an actor into what the reader calls it: a mention in Slack, the account at the command line."""


def sentence_of(kind: str, actor: str, data: Mapping[str, Any], *, name: Name) -> str:
    """Return one event in one sentence; an event of an unknown kind is told by its kind alone."""
    teller = _TELLERS.get(kind)
    who = "Countersign" if actor == ITSELF else name(actor)
    return f"{who}: {kind}." if teller is None else teller(who, data, name)


def drift_told(data: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what an event tells of a target that is otherwise than approved, where it is the one that tells people so."""
    if not data.get("approvers"):
        return ()
    return tuple(noun_of(Change, one) for one in data["execution"].get("drift", ()))


def drift_lines(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the same in lines of plain text."""
    return tuple(
        f"{one.path}: {_leaf(one.before)} was approved, {_leaf(one.after)} is there" for one in drift_told(data)
    )


def _leaf(value: Leaf) -> str:
    if value is None:
        return "nothing"
    return "(a hidden value)" if isinstance(value, Redacted) else json_text(value)


Teller = Callable[[str, Mapping[str, Any], Name], str]


def _opened(who: str, data: Mapping[str, Any], name: Name) -> str:
    request = data["request"]
    asker = f" on behalf of {name(request['on_behalf_of'])}" if request["on_behalf_of"] else ""
    follows = f", following {request['supersedes']}" if request["supersedes"] else ""
    return f"{who} asked{asker}: {_wish(request)}{follows}. {_until_denied(request)}"


def _until_denied(request: Mapping[str, Any]) -> str:
    return f"It is denied automatically at {_at(request['deadline'])} unless approved."


def _refused(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    request = data["request"]
    return f"{who} asked: {_wish(request)}. Refused at once: {request['refusal']['sentence']}"


def _asked_again(who: str, data: Mapping[str, Any], name: Name) -> str:
    del data, name
    return f"{who} asked for the same again under another key; this question answers it."


def _voted(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    vote = data["vote"]
    how = " (Slack could not be asked, so remembered authority was used)" if vote["remembered"] else ""
    did = "approved" if vote["answer"] == "approve" else "denied"
    where = " at the command line" if vote["via"] == "cli" else ""
    return f"{who} {did} it{where}{how}."


def _vote_voided(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who
    return f"The answer of {name(data['vote']['account'])} does not count any more: {_WHY_VOID[data['vote']['voided_why']]}."


def _plain(text: str) -> Teller:
    def tell(who: str, data: Mapping[str, Any], name: Name) -> str:
        del who, data, name
        return text

    return tell


def _consented(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    return f"{who} agreed to resume {data['pause_id']}; it takes two people."


def _pause_refused(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    return f"{who} tried to {data['what']} a pause; refused ({str(data['code']).replace('_', ' ')})."


def _expired(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    if data["request"]["outcome_code"] == EXPIRED_UNSEEN:
        return "Its deadline passed before it was shown to anybody, so nobody could answer."
    return "It was not decided in time: silence denies."


def _cancelled(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    if data["request"]["outcome_code"] == TOKEN_REVOKED:
        return "Cancelled, because the token it was asked with was revoked. Nothing will run."
    if data["request"]["outcome_code"] == UPGRADED:
        return "An upgrade of Countersign ended it. Nothing will run; it can be asked again."
    return "The agent took it back."


def _superseded(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    after = data["request"]["superseded_by"]
    return (
        f"The target has changed, so the approval is void. {f'{after} asks again.' if after else 'Nothing asks again.'}"
    )


def _answer_refused(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    return f"{who} tried to {data['answer']} it; that does not count ({str(data['code']).replace('_', ' ')})."


def _execution(text: str) -> Teller:
    def tell(who: str, data: Mapping[str, Any], name: Name) -> str:
        del who
        execution = data["execution"]
        attempt = data.get("attempt") or {}
        said = text.format(
            message=execution["message"], number=attempt.get("number", ""), effect=_EFFECTS.get(execution["effect"], "")
        ).strip()
        approvers = data.get("approvers") or ()
        return f"{said} Approved by {' and '.join(name(one) for one in approvers)}: please look." if approvers else said

    return tell


def _paused(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    pause = data["pause"]
    return f"{who} paused {_scope(pause['scope'])} ({pause['id']}).{_until(pause)}"


def _paused_again(who: str, data: Mapping[str, Any], name: Name) -> str:
    del name
    pause = data["pause"]
    return f"{who} asked for {pause['id']} again.{_until(pause)}"


def _until(pause: Mapping[str, Any]) -> str:
    if not pause["ask_at"]:
        return ""
    return f" It will ask for the resume at {_at(pause['ask_at'])}; it does not end by itself."


def _ended(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who
    persons = " and ".join(name(person.partition("+")[0]) for person in data["persons"])  # by one of their accounts
    return f"{persons} resumed {_scope(data['pause']['scope'])}. Approvals given before do not run."


def _resume_asked(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    return f"The time asked for is over; {data['pause']['id']} goes on until two people resume it."


def _group_changed(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    group = data["group"]
    return f"{group['firing']} of {counted(group['total'], 'alert')} of the group firing."


def _group_resolved(who: str, data: Mapping[str, Any], name: Name) -> str:
    del who, name
    total = data["group"]["total"]
    return "The alert has resolved." if total == 1 else f"All {total} alerts have resolved."


def _wish(request: Mapping[str, Any]) -> str:
    action = request["action"]
    target = action["target"]
    parameters = "".join(f" {key}={value}" for key, value in action["parameters"].items())
    return f"{action['verb']} {target['kind']} {target['namespace']}/{target['name']}{parameters} in {request['environment']}"


def _scope(scope: Mapping[str, Any]) -> str:
    return "everything" if scope["kind"] == "all" else f"{scope['kind']} {scope['name']}"


def _at(text: object) -> str:
    return str(text)[:16].replace("T", " ") + " UTC"


_WHY_VOID: Final = {
    "paused": "a pause came after it",
    "changed": "it was changed, or the change itself was",
    "ineligible": "this person may not decide it any more",
    "person": "the policy says otherwise by now which person this is",
}

_EFFECTS: Final[Mapping[str | None, str]] = {
    "rolling": "Under way.",  # events never change: this and the next are what the first releases called it
    "failed_rollout": "Failed.",
    Effect.IN_PROGRESS: "Under way.",
    Effect.VERIFIED: "Done.",
    Effect.FAILED: "Failed.",
    Effect.TIMED_OUT: "Not finished in time.",
    Effect.OVERTAKEN: "Overtaken.",
    Effect.DIFFERS: "Otherwise than approved.",
    Effect.UNDONE: "Changed by somebody else since.",
}

_TELLERS: Final[Mapping[str, Teller]] = {
    EventKind.REQUEST_OPENED: _opened,
    EventKind.REQUEST_REFUSED: _refused,
    EventKind.REQUEST_ASKED_AGAIN: _asked_again,
    EventKind.REQUEST_VOTED: _voted,
    EventKind.REQUEST_VOTE_VOIDED: _vote_voided,
    EventKind.REQUEST_APPROVED: _plain("Approved."),
    EventKind.REQUEST_DENIED: _plain("Denied. Nothing will run."),
    EventKind.REQUEST_EXPIRED: _expired,
    EventKind.REQUEST_CANCELLED: _cancelled,
    EventKind.REQUEST_SUPERSEDED: _superseded,
    EventKind.REQUEST_TOKEN_REVOKED: _plain("The token it was asked with has been revoked. The question stays open."),
    EventKind.ANSWER_REFUSED: _answer_refused,
    EventKind.EXECUTION_QUEUED: _execution("Queued to be carried out."),
    EventKind.EXECUTION_CLAIMED: _execution("A worker took it on."),
    EventKind.EXECUTION_ARMED: _execution("Every check passed; start {number} is on record."),
    EventKind.EXECUTION_SENDING: _execution("Sending it to the cluster (start {number})."),
    EventKind.EXECUTION_APPLIED: _execution("{message}"),
    EventKind.EXECUTION_REJECTED: _execution("Countersign changed nothing: {message}"),
    EventKind.EXECUTION_UNKNOWN: _execution("It is not known whether it landed: {message}"),
    EventKind.EXECUTION_STILL_UNKNOWN: _execution("It is still not known whether it landed: {message}"),
    EventKind.EXECUTION_VOIDED: _execution("Not carried out: {message}"),
    EventKind.EXECUTION_RETRIED: _execution("Not carried out yet: {message}"),
    EventKind.EXECUTION_ABANDONED: _execution("Closed by a person who looked at the target."),
    EventKind.EXECUTION_EFFECT: _execution("{effect} {message}"),
    EventKind.PAUSE_ENGAGED: _paused,
    EventKind.PAUSE_REPEATED: _paused_again,
    EventKind.PAUSE_RESUME_ASKED: _resume_asked,
    EventKind.PAUSE_CONSENTED: _consented,
    EventKind.PAUSE_ENDED: _ended,
    EventKind.PAUSE_REFUSED: _pause_refused,
    EventKind.ALERT_FIRING: _plain("An alert is firing."),
    EventKind.ALERT_RESOLVED: _plain("The alert has resolved."),
    EventKind.ALERT_GROUP_CHANGED: _group_changed,
    EventKind.ALERT_GROUP_RESOLVED: _group_resolved,
    EventKind.CHAIN_BEGUN: _plain("An upgrade sealed the trail so far; this one goes on from its head."),
}
