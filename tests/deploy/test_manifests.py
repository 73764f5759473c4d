"""What lies in ``deploy/`` is what the example policy and the verbs give, so that nobody applies yesterday's rights."""

from pathlib import Path

import pytest

from bot.cluster.rights.access import grants_of
from bot.cluster.rights.manifests import manifest_files, yaml_of
from models.policy.file import load_policy

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ENVIRONMENT = "prod-eu-1"


def _generated():
    policy = load_policy((ROOT / "policy.example.yml").read_bytes())
    files = manifest_files(grants_of(policy, policy.environments[ENVIRONMENT].cluster), policy.installation)
    return {name: yaml_of(documents) for name, documents in files.items()}


@pytest.mark.golden
def test_the_manifests_are_up_to_date(request):
    """Policy or verbs have changed: ``make golden`` writes the files anew, and a reviewer sees which rights moved."""
    generated = _generated()
    if request.config.getoption("--rewrite-golden"):
        for old in DEPLOY.rglob("*.yaml"):
            old.unlink()
        for name, text in generated.items():
            (DEPLOY / name).parent.mkdir(parents=True, exist_ok=True)
            (DEPLOY / name).write_text(text)

    stored = {str(path.relative_to(DEPLOY)): path.read_text() for path in DEPLOY.rglob("*.yaml")}
    assert stored == generated, "differs from deploy/; if that is meant: make golden"
