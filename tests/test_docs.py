"""Documents that cannot lie: they are compared with the program."""

import json
import re
from pathlib import Path

import pytest

from api.cli import app
from api.register import register_app
from api.settings import Settings
from training import labelled

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.zh-CN.md"]


def text(name):
    return (ROOT / name).read_text("utf-8")


def block(name, mark):
    return re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", text(name), re.DOTALL)[1]


@pytest.mark.parametrize("name", READMES)
def test_every_setting_stands_in_the_readme_with_its_default(name):
    for setting, field in Settings.model_fields.items():
        assert f"`TRIAGE_{setting.upper()}`" in text(name)
        assert f"`{field.default}`" in text(name)


@pytest.mark.parametrize("name", READMES)
def test_every_command_stands_in_the_readme(name):
    for command in app.registered_commands:
        assert f"triage {command.callback.__name__}" in text(name)


def test_every_command_of_the_register_is_documented():
    for command in register_app.registered_commands:
        assert f"triage register {command.callback.__name__}" in text("README.md") + text("docs/register.md")


@pytest.mark.parametrize("name", READMES)
def test_the_readme_shows_the_fields_of_a_real_decision(name, decide):
    shown = json.loads(block(name, "output"))
    decision = json.loads(json.dumps(decide("我们八个人在石桥镇安置房工地干了四个月,包工头只发过一次生活费,剩下的工钱拖到现在一分没给。").as_dict()))
    assert list(shown) == list(decision)
    for field in ("category", "lead", "purpose"):
        assert shown[field]["code"] == decision[field]["code"]
    assert (shown["co_handlers"], shown["disposition"]) == (decision["co_handlers"], decision["disposition"])


def test_both_readmes_give_the_same_commands():
    assert block(READMES[0], "run") == block(READMES[1], "run")
    assert block(READMES[0], "test") == block(READMES[1], "test")


def test_the_ci_runs_the_readmes_test_command():
    assert "README.md" in text(".ci/run")


def test_every_exit_status_is_documented():
    from triage import errors

    statuses = {kind.exit_status for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    for status in statuses - {1}:
        assert f"| {status} |" in text("README.md")


def test_the_readme_counts_the_starter_letters(starter):
    count = int(re.search(r"([\d,]+) starter letters", text("README.md"))[1].replace(",", ""))
    assert count == len(starter)


def test_links_between_documents_lead_somewhere():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), labelled.STARTER.parent / "README.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
