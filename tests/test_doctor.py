"""`triage doctor`: what is wrong is named, and the exit status says it too."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from offices import flip_a_bit
from typer.testing import CliRunner

from api import doctor
from api.settings import Settings, SettingsError, settings
from models import history, store
from models.disk import locked
from triage.desk import model_folder
from triage.register.book import open_register


def found(home, **set_to):
    return {finding.check: finding for finding in doctor.examine(Settings(home=home, **set_to))}


@pytest.fixture
def own(small_home, tmp_path):
    return shutil.copytree(small_home, tmp_path / "office")


def test_all_is_well_in_a_new_office(own):
    assert {finding.exit_status for finding in found(own).values()} == {0}
    open_register(own).close()
    assert "can be written" in found(own)["register"].says


def test_the_command_prints_findings_as_json_in_a_pipe(own):
    done = CliRunner().invoke(doctor.app, env={"TRIAGE_HOME": str(own)})
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["well"]
    assert [finding["check"] for finding in told["findings"]] == ["settings", "libraries", "sqlite", "clock", "room", "write", "compiled", "model", "register"]


def test_the_exit_status_is_that_of_what_is_wrong(tmp_path):
    (tmp_path / "empty").mkdir()
    assert CliRunner().invoke(doctor.app, env={"TRIAGE_HOME": str(tmp_path / "empty")}).exit_code == 5
    assert CliRunner().invoke(doctor.app, env={"TRIAGE_HOME": str(tmp_path / "none")}).exit_code == 8


def test_a_damaged_model_is_found(own):
    flip_a_bit(model_folder(own) / store.current(model_folder(own)) / "weights.npy")
    assert found(own)["model"].exit_status == 5
    assert "weights.npy" in found(own)["model"].says


def test_a_damaged_register_is_found(own):
    (own / "register.sqlite3").write_bytes(b"not a database" * 100)
    assert found(own)["register"].exit_status == 6


def test_a_clock_that_runs_behind_is_found(own):
    folder = model_folder(own)
    live = store.current(folder)
    soon = (datetime.now(UTC) + timedelta(days=400)).isoformat(timespec="seconds")
    with locked(folder):
        history.append(folder, history.Change(history.PROMOTE, live, live, soon))
    assert found(own)["clock"].state == "wrong"


def test_a_damaged_history_is_no_trouble_for_the_clock(own):
    (model_folder(own) / history.FILE).write_text("{")
    assert (found(own)["clock"].state, found(own)["model"].exit_status) == ("well", 5)


def test_secrets_are_not_shown(own):
    says = found(own, text_key="c2VjcmV0LXNlY3JldA", database="postgresql://clerk:hush@nowhere.invalid/letters")
    assert "TRIAGE_TEXT_KEY=(set)" in says["settings"].says
    assert "hush" not in str(says)
    assert "c2VjcmV0" not in str(says)


def test_people_see_a_table(own, capsys):
    doctor._show(list(found(own).values()))
    assert "✓" in capsys.readouterr().out


def test_a_home_may_begin_with_a_tilde_and_is_shown_absolute(own, monkeypatch):
    monkeypatch.setenv("HOME", str(own.parent))
    assert Settings(home="~/office").home == own
    monkeypatch.chdir(own.parent)
    assert f"TRIAGE_HOME={own}," in found("office")["settings"].says


def test_all_wrong_settings_are_named_at_once_and_mistyped_ones_too(monkeypatch):
    for name, value in {"TRIAGE_WORKERS": "0", "TRIAGE_PORT": "none", "TRIAGE_MAX_BODY": "-1", "TRIAGE_WORKER": "3", "TRIAGE_SOMETHING_ELSE": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"TRIAGE_WORKER: no such setting, nearest TRIAGE_WORKERS.*TRIAGE_PORT.*TRIAGE_WORKERS.*TRIAGE_MAX_BODY") as refused:
        settings()
    assert "SOMETHING_ELSE" not in str(refused.value)
