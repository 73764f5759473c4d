"""The commands, as typer sees them: parse, call one use case, say what came of it. No rules here.

``build`` makes them over the parts that it is given; commands that need more than a few lines are in modules of their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from approvals.errors import Malformed, Refused, Unavailable
from approvals.presentation.wording import (
    NO_TIME,
    NOTHING,
    Stop,
    aimed,
    asks,
    duration_of,
    is_like_off,
    is_stop,
    stop_of,
    unpaused,
)
from approvals.workflow.pause import Pause, Scope, ScopeKind
from bot.cli import audit_commands, digest_commands, token_commands
from bot.cli.output import answering, moment, say, table
from bot.cli.parts import CommandParts, DemoWishes, Where

Reason = Annotated[str, typer.Option(help="Why, for the record and for the people it concerns.")]

LATELY: Final = timedelta(minutes=1)
"""A service that runs says so every five seconds."""


class Commands(TyperGroup):
    """The commands by their names, and ``pause`` by a slip of its name: whoever stops something at night types fast."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the command that is meant; any other word that stops is told how to."""
        typed = args[0]
        if typed in self.commands or is_like_off(typed):
            return super().resolve_command(ctx, args)
        if is_stop(typed, among=("pause",)):
            return super().resolve_command(ctx, ["pause", *args[1:]])
        if is_stop(typed):
            ctx.fail(f"{NOTHING}: there is no such command. To stop everything: countersign pause all")
        return super().resolve_command(ctx, args)


def build(parts: Callable[[], CommandParts]) -> typer.Typer:
    """Return the command line over the parts that *parts* gives when they are first needed."""
    root = typer.Typer(
        name="countersign",
        cls=Commands,
        help="A person's signature between an AI agent and a production change.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    _add_running(root, parts)
    _add_policy(root, parts)
    _add_stopping(root, parts)
    _add_looking(root, parts)
    root.add_typer(token_commands.build(parts), name="agent")
    root.add_typer(audit_commands.build(parts), name="audit")
    root.command("digest")(digest_commands.build(parts))
    return root


def _add_running(root: typer.Typer, parts: Callable[[], CommandParts]) -> None:
    @root.command()
    @answering
    def serve() -> None:
        """Run the service: the API, Slack, the sweeps and the executions."""
        raise typer.Exit(parts().serve())

    @root.command()
    @answering
    def demo(
        kubeconfig: Annotated[Path | None, typer.Option(help="Use this cluster instead of a local one.")] = None,
        context: Annotated[str | None, typer.Option(help="The context in that kubeconfig.")] = None,
        directory: Annotated[
            Path | None, typer.Option(help="Where to keep the demo's files; a fresh place if left out.")
        ] = None,
        port: Annotated[int, typer.Option(help="The port of the page; a free one if 0.", min=0, max=65535)] = 0,
    ) -> None:
        """Show the whole product on this machine: a Slack stand-in, an agent, a cluster."""
        raise typer.Exit(
            parts().demo(DemoWishes(kubeconfig=kubeconfig, context=context, directory=directory, port=port))
        )

    database = typer.Typer(help="The database.", no_args_is_help=True)
    root.add_typer(database, name="db")

    @database.command()
    @answering
    def upgrade() -> None:
        """Bring the schema up to date. Run it before `serve`, as the owner of the tables."""
        say(parts().upgrade())


def _add_policy(root: typer.Typer, parts: Callable[[], CommandParts]) -> None:
    policy = typer.Typer(help="The policy file.", no_args_is_help=True)
    root.add_typer(policy, name="policy")

    @policy.command()
    @answering
    def check(
        path: Annotated[Path | None, typer.Argument(help="The file; the settings' own if left out.")] = None,
    ) -> None:
        """Check the policy and say what it asks; mistakes are explained with their lines."""
        for line in parts().check_policy(path):
            say(line)

    @root.command()
    @answering
    def manifests(environment: Annotated[str, typer.Argument(help="The environment, as the policy names it.")]) -> None:
        """Print the Kubernetes accounts, roles and admission policies that an environment needs, for `kubectl apply`."""
        typer.echo(parts().manifests(environment), nl=False)


def _add_stopping(root: typer.Typer, parts: Callable[[], CommandParts]) -> None:
    @root.command()
    @answering
    def pause(
        scope: Annotated[
            list[str] | None,
            typer.Argument(
                help="all, agent:NAME or namespace:ENVIRONMENT/NAMESPACE, then why; anything else stops everything."
            ),
        ] = None,
        duration: Annotated[
            str, typer.Option("--for", help="When to ask for the resume, such as 30m; it never ends by itself.")
        ] = "",
        reason: Reason = "",
    ) -> None:
        """Stop everything in a scope, at once."""
        try:
            _pause(parts(), _stop(scope or [], duration=duration, reason=reason))
        except Unavailable as refusal:
            raise Unavailable(unpaused(refusal, to_operator=True), code=refusal.code) from refusal
        except Refused as refusal:
            raise Refused(unpaused(refusal, to_operator=True), code=refusal.code) from refusal

    @root.command()
    @answering
    def resume(
        pause_id: Annotated[str, typer.Argument(help="The pause, as `countersign status` names it.")],
        reason: Reason = "",
    ) -> None:
        """Agree to end a pause; the second person's agreement ends it."""
        at = parts()
        resumed = at.resume()(pause_id, account=at.account, reason=reason)
        if resumed.missing:
            say(f"{pause_id} goes on: one more person must agree.")
        else:
            say(
                f"Resumed {_scope(resumed.pause.scope)}: {pause_id} has ended. Approvals given before the pause do not run."
            )

    @root.command()
    @answering
    def deny(escalation: Annotated[str, typer.Argument(help="The escalation's id.")], reason: Reason) -> None:
        """Deny an escalation that waits, or that is approved and has not started."""
        from approvals.usecases.people.decide import PersonsAnswer  # noqa: PLC0415
        from approvals.workflow.request import Answer, Via  # noqa: PLC0415 - the other commands need no escalation

        at = parts()
        given = PersonsAnswer(
            request=escalation, account=at.account, answer=Answer.DENY, via=Via.CLI, fingerprint=None, reason=reason
        )
        say(at.decide()(given).sentence)

    @root.command()
    @answering
    def abandon(escalation: Annotated[str, typer.Argument(help="The escalation's id.")], reason: Reason) -> None:
        """Close an execution whose outcome nothing can tell, after looking at its target yourself."""
        at = parts()
        at.abandon()(escalation, account=at.account, reason=reason)
        say("Closed. The target is free for other changes.")


def _add_looking(root: typer.Typer, parts: Callable[[], CommandParts]) -> None:
    @root.command()
    @answering
    def status() -> None:
        """Say how things stand: the service and what it stands on, policy, cluster, pauses, and what waits."""
        now = parts().status()
        facts = (
            ("service", now.service.sentence),
            ("policy", now.policy),
            ("database", now.database),
            ("cluster", now.cluster),
            ("paused", _paused(now.pauses)),
            ("epoch", str(now.epoch)),
        )
        table(("", ""), facts)
        if now.service.legs:
            table(("leg", "of", "is", "since", "why"), leg_rows(now.service.legs))
        if now.pauses:
            table(
                ("pause", "stops", "by", "since", "asks for the resume"),
                (
                    (
                        one.id,
                        str(one.scope),
                        one.by,
                        moment(one.engaged_at),
                        "" if one.ask_at is None else moment(one.ask_at),
                    )
                    for one in now.pauses
                ),
            )
        if now.refused_deliveries:
            table(
                ("monitor", "of", "deliveries refused", "why", "last"),
                (
                    (
                        one.monitor,
                        one.environment,
                        str(one.count),
                        ", ".join(f"{code} ({number})" for code, number in one.codes.items()),
                        moment(one.last_at),
                    )
                    for one in now.refused_deliveries
                ),
            )
        table(("waiting", "number"), ((name, str(number)) for name, number in now.counts.items()))


def _paused(pauses: Sequence[Pause]) -> str:
    """Return what is paused, for the first lines: the table of pauses stands where a long one of legs has scrolled them away."""
    if not pauses:
        return "nothing"
    return f"{', '.join(_scope(one.scope) for one in pauses)}: nothing can be approved or started there"


def _scope(scope: Scope) -> str:
    return "everything" if scope.kind is ScopeKind.ALL else str(scope)


def leg_rows(legs: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, ...]]:
    """Return the rows of legs: each that is not good, on top, then those that are good, of each part one.

    Of twenty good ticks nobody reads the names at night, and the one that hangs would stand among them.
    """
    good: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for leg in legs:
        if leg["state"] == "good":
            good[leg["part"]].append(leg)
        else:
            yield _leg_row(leg)
    for part, some in good.items():
        if len(some) == 1:
            yield _leg_row(some[0])
        else:
            rest = "the others" if any(leg["part"] == part and leg["state"] != "good" for leg in legs) else "all"
            since = max(leg["since"] for leg in some)
            yield (part, f"{rest}: {len(some)}", "good", f"{since[:19]}Z", "")


def _leg_row(leg: Mapping[str, str]) -> tuple[str, ...]:
    code = "" if leg["state"] == "good" else f" ({leg['code']})"
    return (leg["part"], leg["of"], f"{leg['state']}{code}", f"{leg['since'][:19]}Z", leg["why"])


def _stop(words: list[str], *, duration: str, reason: str) -> Stop:
    """Return what was asked to be stopped: words as they are typed in Slack, with or without the *on* before them.

    Raises:
        Malformed: They say the opposite of a stop, or only ask.
    """
    # One argument may hold several words, as a quoted sentence does.
    parts = [part for word in words for part in word.split()]
    if asks(parts) or is_like_off(parts[0]):
        raise Malformed(
            f"{NOTHING}: that does not stop anything. To stop everything: countersign pause all", code="no_stop"
        )
    stop = stop_of(" ".join(parts)) or aimed(parts)
    asked = duration_of(duration) if duration else stop.duration
    remark = " ".join(filter(None, (stop.remark, NO_TIME if duration and asked is None else "")))
    return replace(stop, duration=asked, reason=reason or stop.reason, remark=remark)


def _pause(at: CommandParts, stop: Stop) -> None:
    from approvals.verbs.workload import counted  # noqa: PLC0415 - the other commands need no workload

    engaged = at.engage_pause()(stop.scope, account=at.account, duration=stop.duration, reason=stop.reason)
    say(
        f"Paused {_scope(engaged.pause.scope)}{' already,' if engaged.already else ''} as {engaged.pause.id}."
        f" Stopped before they started: {counted(engaged.voided, 'approved change')}."
    )
    if stop.remark:
        say(stop.remark)
    say(f"Deadlines go on; denials count. To resume, two eligible people run: countersign resume {engaged.pause.id}")
    try:
        where = at.where()
    except Refused as refusal:  # It is paused all the same.
        where_said = f"Written to the database; whether a service works on it is not known: {refusal.for_operators}"
    else:
        where_said = _told_of(where)
    say(where_said)


def _told_of(where: Where) -> str:
    """Return which database was written to and whether a service works on it: a stop in another one stops nothing."""
    written = f"Written to {where.place}"
    if where.served_at is None:
        return f"{written}. WARNING: no service has ever run on it; the pause counts from its first start."
    if where.now - where.served_at > LATELY:
        return (
            f"{written}. WARNING: no service has run on it since {moment(where.served_at)}."
            " Is it the one that your service uses?"
        )
    return f"{written}; a service ran on it {int((where.now - where.served_at).total_seconds())} s ago."
