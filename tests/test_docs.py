"""Documents that cannot lie: they are compared with the program."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from api.cli import app
from api.register import register_app
from api.settings import Settings
from training import labelled

ROOT = Path(__file__).parent.parent
READMES = ["README.md", "README.zh-CN.md"]

CALLERS = [("INTAKE", "热线系统", "intake"), ("STAFF", "来信科", "staff"), ("STEWARD", "局办公室", "steward")]


def text(name):
    return (ROOT / name).read_text("utf-8")


def block(name, mark):
    return re.search(rf"<!-- {mark} -->\n```\w*\n(.*?)```", text(name), re.DOTALL)[1]


def curl(command, known):
    """The request that a curl command makes."""
    words = shlex.split(re.sub(r"\$(\w+)", lambda found: known[found[1]], command.replace("\\\n", " ")))
    options, asked = {"-s", "-si", "-G"} & set(words), {"headers": [], "data": []}
    for option, value in pairwise(words):
        if option in {"-H", "-d", "--data-urlencode"}:
            asked["headers" if option == "-H" else "data"].append(value)
    request = {"url": next(word for word in words if word.startswith("http")), "headers": dict(header.split(": ", 1) for header in asked["headers"])}
    if "-G" in options:
        return request | {"method": "GET", "params": dict(pair.split("=", 1) for pair in asked["data"])}
    return request | ({"method": "POST", "content": asked["data"][0].encode()} if asked["data"] else {"method": "GET"})


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


def test_every_problem_is_listed_with_its_status_and_title():
    from api.kinds import KINDS

    listed = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \| (.+) \|$", text("docs/http.md"), re.MULTILINE)
    assert listed == [(kind, str(known.status), known.title) for kind, known in KINDS.items()]


def test_the_table_of_rights_is_that_of_the_program(desk):
    from api.app import create_app
    from triage.register.keys import ROLES

    rows = re.findall(r"^\| `(GET|POST|DELETE) (/v1\S*)` \| `(\w+)` \| (.*) \|$", text("docs/http.md"), re.MULTILINE)
    told = {(method, path): (right, [bool(cell.strip()) for cell in cells.split("|")]) for method, path, right, cells in rows}
    paths = create_app(desk, Settings()).openapi()["paths"]
    known = {(method.upper(), path): calls[method]["x-right"] for path, calls in paths.items() for method in calls if calls[method].get("x-right")}
    assert told == {call: (right, [right in ROLES[role] for role in ("intake", "staff", "steward")]) for call, right in known.items()}


def test_a_newcomer_gets_from_the_first_call_to_a_correction(desk, tmp_path):
    from doors import Clock, door, key

    steps = re.findall(r"<!-- curl (\d+) -->\n```sh\n(curl .*?)\n```", text("docs/http.md"), re.DOTALL)
    known = {name: key(tmp_path, who, role)["Authorization"].split()[1] for name, who, role in CALLERS}
    with door(desk, tmp_path, clock=Clock()) as client:
        for status, command in steps:
            answer = client.send(client.build_request(**curl(command, known | {"URL": "http://127.0.0.1:8016"})))
            assert str(answer.status_code) == status, (command, answer.text)
            known |= {"LETTER": answer.json()["id"]} if "id" in answer.json() else {}
    assert [re.search(r"\$URL(\S+)", command)[1] for _, command in steps][-3:] == ["/v1/letters/$LETTER/correction", "/v1/letters/$LETTER/return", "/v1/models"]
