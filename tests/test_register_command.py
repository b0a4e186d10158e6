"""``triage register``: what a steward types."""

import json
import os
import subprocess
import sys

import pytest
from offices import here
from registers import KEY, TEXT, change, put

from triage.register import book


@pytest.fixture
def run(tmp_path, opened, database):
    opened()

    def run(*words, stdin="", **env):
        done = here("register", *words, stdin=stdin.encode(), **{"TRIAGE_HOME": str(tmp_path), "TRIAGE_DATABASE": database, **env})
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stewards_day(run, opened, tmp_path):
    letter = put(opened(), TEXT, sender="P-7")
    assert answer(run("init"))["schema"] == "0003"
    sound = answer(run("verify", "--json"))
    assert (sound["sound"], sound["rows"]) == (True, 1)
    assert answer(run("verify", "--anchor", sound["anchor"]))["sound"]
    made = answer(run("backup", str(tmp_path / "备份.zip")))
    assert made["letters"] == 1
    assert answer(run("restore", "--verify", made["backup"]))["restored"] is False
    assert answer(run("restore", made["backup"], TRIAGE_HOME=str(tmp_path / "new"), TRIAGE_DATABASE=""))["rows"]["letters"] == 1
    assert answer(run("statistics", "--since", "2020-01-01", "--until", "2999-12-31"))["letters"] == 1
    assert answer(run("erase", "--days", "365")) == {"erased": 0, "days": 365}
    assert answer(run("purge", "-", stdin="P-7\n")) == {"purged": [letter]}
    assert list((tmp_path / "backups").glob("*")) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_backup_without_a_name_goes_to_the_offices_backups(run, tmp_path):
    assert answer(run("backup"))["backup"].startswith(str(tmp_path / "backups" / "register-"))


def test_a_broken_trail_exits_with_6_and_names_the_row(run, opened):
    register = opened()
    for number in range(3):
        put(register, f"第{number}封信")
    change(register, "UPDATE decisions SET category = 'utilities' WHERE seq = 2")
    done = run("verify")
    assert done.returncode == 6
    assert json.loads(done.stdout)["first_bad"] == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_register_moves_by_one_command(run, tmp_path, opened):
    put(opened())
    assert answer(run("move", f"sqlite:///{tmp_path}/moved.sqlite3"))["moved"]["letters"] == 1
    done = run("verify")
    assert (done.returncode, "was moved" in done.stderr) == (6, True)
    assert answer(run("verify", TRIAGE_DATABASE=f"sqlite:///{tmp_path}/moved.sqlite3"))["sound"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_key_is_taken_up_and_everything_sealed_with_it(run, opened):
    put(opened())
    assert answer(run("reseal", TRIAGE_TEXT_KEY=KEY))["resealed"] == 2
    assert answer(run("statistics", "--since", "2020-01-01", "--until", "2999-12-31"))["letters"] == 1
    done = run("reseal")
    assert (done.returncode, "TRIAGE_TEXT_KEY is unset" in done.stderr) == (6, True)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TRIAGE_DATABASE": "mysql://root:geheim@db/x"}, "TRIAGE_DATABASE"),
        ({"TRIAGE_DATABASE": "postgresql://clerk:geheim@127.0.0.1:1/letters"}, "cannot be reached"),
        ({"TRIAGE_TEXT_KEY": "geheim"}, "TRIAGE_TEXT_KEY"),
    ],
)
def test_a_register_that_cannot_be_opened_exits_with_6_and_shows_no_secret(run, settings, said):
    done = run("verify", **settings)
    assert done.returncode == 6
    assert said in done.stderr
    assert "geheim" not in done.stderr + done.stdout


def test_the_first_command_of_a_new_office_makes_its_register(tmp_path):
    command = [sys.executable, "-c", "from api.cli import main; main()", "register", "init"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "TRIAGE_HOME": str(tmp_path / "office")}, check=False, timeout=120)
    assert json.loads(done.stdout)["register"].endswith("office/register.sqlite3")
    book.open_register(tmp_path / "office").close()
