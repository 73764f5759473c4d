"""``countersign agent token``: make, list and revoke what agents and monitors show to be let in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import typer

from approvals.identity.tokens import Token, TokenKind
from bot.cli.output import answering, moment, say, table
from bot.cli.parts import CommandParts


def build(parts: Callable[[], CommandParts]) -> typer.Typer:
    """Return the group ``agent``."""
    agent = typer.Typer(help="Agents and monitors.", no_args_is_help=True)
    token = typer.Typer(help="Their tokens.", no_args_is_help=True)
    agent.add_typer(token, name="token")

    @token.command()
    @answering
    def create(
        holder: Annotated[str, typer.Argument(help="The agent, as the policy names it; for a monitor, any name.")],
        kind: Annotated[TokenKind, typer.Option(help="What it lets its holder do.")] = TokenKind.AGENT,
        environment: Annotated[
            list[str] | None, typer.Option(help="Only there; a monitor's names exactly one.")
        ] = None,
        namespace: Annotated[list[str] | None, typer.Option(help="Only there.")] = None,
        days: Annotated[int, typer.Option(help="How long it is good for.", min=1, max=366)] = 90,
    ) -> None:
        """Make a token and print it once; only its hash is kept."""
        at = parts()
        secret = at.new_secret()
        made = at.admit().create(
            secret,
            kind=kind,
            holder=holder,
            environments=environment or (),
            namespaces=namespace or (),
            good_for=timedelta(days=days),
            by=at.account,
        )
        typer.echo(secret)
        typer.echo(f"{made.id}, good until {moment(made.expires_at)}. It is shown only now.", err=True)

    @token.command()
    @answering
    def revoke(token_id: Annotated[str, typer.Argument(help="The token's id, as `list` shows it.")]) -> None:
        """End a token; it lets nobody in any more, and open questions asked with it are cancelled or flagged."""
        at = parts()
        # Said before the sweep: the token is out, whatever becomes of that, and the service sweeps every second as well.
        say(f"{at.admit().revoke(token_id, by=at.account).id} is revoked.")
        followed = at.follow_revocations().sweep()
        say(f"Open questions: {followed.cancelled} cancelled, {followed.flagged} flagged.")

    @token.command("list")
    @answering
    def list_() -> None:
        """List all tokens; never the tokens themselves."""
        rows = (
            (
                one.id,
                one.kind.value,
                one.holder,
                _where(one),
                moment(one.expires_at),
                "revoked" if one.revoked_at else "",
            )
            for one in parts().tokens()
        )
        table(("token", "kind", "holder", "where", "good until", ""), rows)

    return agent


def _where(token: Token) -> str:
    places = ", ".join(sorted(token.environments)) or "as chartered"
    return f"{places} ({', '.join(sorted(token.namespaces))})" if token.namespaces else places
