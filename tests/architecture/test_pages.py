"""Pages: every command, setting and example on them is one that the product has."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from approvals.verbs.registry import REGISTRY
from bot import causes
from bot.cli.commands import build
from bot.observe.metrics import Metrics
from bot.settings import read
from models.payloads import EscalationPayload, escalation_of
from models.payloads import read as read_payload
from models.payloads.strict_json import parse

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/operations.md",
    "docs/threat-model.md",
    "docs/audit-format.md",
    "docs/policy.md",
    "docs/life-of-an-escalation.md",
    "deploy/README.md",
    "CONTRIBUTING.md",
    "policy.example.yml",
)
IN_PROSE = re.compile(r"`countersign ([a-z][^`\n]*)`")
IN_A_BLOCK = re.compile(r"^countersign ([a-z][^\n#|>]*)", re.MULTILINE)


def _no_desk():
    raise AssertionError("help needs no desk")


def commands_on_pages() -> list[str]:
    """Return every command that a page shows, as typed after ``countersign``."""
    texts = [(ROOT / page).read_text() for page in PAGES]
    return sorted({one.strip() for text in texts for form in (IN_PROSE, IN_A_BLOCK) for one in form.findall(text)})


@pytest.mark.parametrize("typed", commands_on_pages())
def test_every_command_on_a_page_exists(typed):
    """A command that a page shows is one that the command line has, down to its options."""
    command: Any = typer.main.get_command(build(_no_desk))
    words = shlex.split(typed)

    while words and hasattr(command, "commands"):
        command = command.commands.get(words.pop(0))
    options = [word for word in words if word.startswith("--")]
    known = {name for parameter in command.params for name in parameter.opts} if command is not None else set()

    assert command is not None, f"there is no command {typed!r}"
    assert set(options) <= known


def test_the_verbs_on_the_page_are_those_of_the_registry():
    """The table of verbs names each verb with its kinds and its parameters, and no other."""
    page = (ROOT / "docs/policy.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (`[A-Z][^|]*) \| ([^|]*) \|", page.partition("### Verbs\n")[2], re.MULTILINE)

    told = [
        (name, re.findall(r"`(\w+)`", kinds), re.findall(r"`(\w+)`", parameters)) for name, kinds, parameters in rows
    ]

    assert told == [
        (verb.name, [kind.name for kind in verb.kinds], [one.name for one in verb.parameters]) for verb in REGISTRY
    ]


def test_the_settings_on_the_page_are_those_that_are_read():
    """The table of settings names every setting that is read, and no other."""
    table = set(re.findall(r"`((?:COUNTERSIGN|SLACK)_[A-Z_]+)`", (ROOT / "docs/operations.md").read_text()))
    source = (ROOT / "bot/settings.py").read_text()

    assert table == set(re.findall(r'"((?:COUNTERSIGN|SLACK)_[A-Z_]+)"', source))
    assert read({}).port == 8080


def test_the_metrics_on_the_page_are_those_that_are_given():
    """Every figure of ours that a scrape can yield stands on the page under its own name, and no other does."""
    metrics = Metrics()
    metrics.watch_legs(tuple)
    given = {
        f"{one.name}_total" if one.type == "counter" else one.name
        for one in metrics.registry.collect()
        if one.name.startswith("countersign_")
    }

    assert set(re.findall(r"`(countersign_[a-z_]+)", (ROOT / "docs/operations.md").read_text())) == given


def test_the_causes_on_the_page_are_those_that_are_told():
    """Whoever reads a code in status, log or metrics finds it on the page."""
    page = (ROOT / "docs/operations.md").read_text()
    on_page = {
        leg: set(re.findall(r"`([a-z0-9_]+)`", row))
        for leg, row in re.findall(r"^\| `(cluster|store)` \| (.*) \|$", page, re.MULTILINE)
    }
    kubeconfig = (ROOT / "bot/cluster/client/kubeconfig.py").read_text()
    connections = (ROOT / "bot/cluster/client/connections.py").read_text()
    of_cluster = {
        *re.findall(r'(?:return|return \(\n) *"([a-z0-9_]+)",', kubeconfig),
        *re.findall(r'\bUnusable\([^)]*?code="([a-z_]+)"', connections),
        *(one.code for one in vars(causes).values() if isinstance(one, causes.Cause) and one is not causes.OTHER),
    }
    of_store = set(re.findall(r'code="([a-z_]+)"', (ROOT / "models/engine/reaching.py").read_text()))

    assert of_cluster - on_page["cluster"] == set()
    assert on_page["store"] - {"serve"} == of_store


def test_the_escalation_in_the_readme_is_one():
    """The body that the README sends is taken by the door as it stands."""
    (body,) = re.findall(r"-d '(\{.*?\})'", (ROOT / "README.md").read_text(), re.DOTALL)

    payload = read_payload(EscalationPayload, parse(body.encode()))
    escalation = escalation_of(payload, agent="scaler", key="k", body_hash="h")

    assert (escalation.environment, escalation.action.parameters) == ("prod-eu-1", {"replicas": 6})


def test_every_link_on_a_page_leads_somewhere():
    """A page links only to files that are there."""
    broken = [
        f"{page}: {target}"
        for page in (*PAGES, "CONTRIBUTING.md", "CHANGELOG.md")
        for target in re.findall(r"\]\((?!http)([^)#]+)", (ROOT / page).read_text())
        if not ((ROOT / page).parent / target).exists()
    ]

    assert broken == []


def modules_on_pages() -> list[str]:
    """Return every module that a page names by its full name."""
    texts = [(ROOT / page).read_text() for page in PAGES]
    named = re.compile(r"`((?:approvals|models|bot|sandbox)(?:\.[a-z_]+)+)`")
    return sorted({one for text in texts for one in named.findall(text)})


@pytest.mark.parametrize("name", modules_on_pages())
def test_every_module_on_a_page_exists(name):
    """A newcomer who looks for the module that a page names finds it."""
    file = ROOT.joinpath(*name.split("."))

    assert file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()
