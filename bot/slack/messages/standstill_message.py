"""What is said in a channel while nothing starts in its environment."""

from bot.outbox.delivery import Detail
from bot.slack.kit.blocks import markup
from bot.slack.kit.message import Message, checked
from bot.slack.kit.text import escaped


def standstill_message(environment: str, why: str | None, detail: Detail = Detail.FULL) -> Message:
    """Return that nothing starts in *environment* and why, or, with None, that changes start again; a line has no blocks."""
    name = escaped(environment)
    if why is None:
        text = f"▶️ Changes start again in {name}."
    else:
        text = (
            f"🛑 Nothing starts in {name}. {escaped(why)} An operator sees the cause with `countersign status`."
            " Questions can still be answered; an approved change waits until its approval lapses."
        )
    return checked(Message(text=text, blocks=() if detail is Detail.LINE else (markup("standstill", text),)))
