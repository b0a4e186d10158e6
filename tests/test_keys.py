"""Keys of the HTTP service: shown once, kept as digests, ended at once."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registers import change
from typer.testing import CliRunner

from api.cli import app
from triage.errors import InputError
from triage.register import audit, keys

LATER = "2999-01-01"


def held(register, text, now=None):
    return keys.holder({key.id: key for key in keys.known(register)}, text, now or audit.now())


def test_a_key_is_known_by_its_digest_alone(register):
    key, text = keys.create(register, "热线系统", "intake", "王科员")
    assert held(register, text) == key
    with register.reading() as connection:
        everything = "".join(str(row) for table in ("api_keys", "audit") for row in connection.exec_driver_sql(f"SELECT * FROM {table}"))
    assert key.id in everything
    assert text not in everything
    assert text.split("_")[2][:12] not in everything


def test_two_keys_are_never_the_same(register):
    assert len({keys.create(register, "热线系统", "intake", "王")[1] for _ in range(5)}) == 5


def test_an_ended_key_opens_nothing(register):
    key, text = keys.create(register, "热线系统", "intake", "王科员")
    assert keys.revoke(register, key.id[:6], "李科员").revoked_by == "李科员"
    assert held(register, text) is None
    assert keys.revoke(register, text, "赵科员").revoked_by == "李科员"  # ended before


def test_a_key_ends_on_its_day(register):
    key, text = keys.create(register, "热线系统", "intake", "王科员", days=30)
    assert held(register, text) == key
    assert held(register, text, LATER) is None
    assert (key.state(audit.now()), key.state(LATER)) == ("live", "expired")


def test_an_unknown_key_opens_nothing(register, tmp_path):
    text = keys.create(register, "热线系统", "intake", "王科员")[1]
    change(register, "DELETE FROM api_keys")
    for wrong in (text, "", "ltk_", "Bearer", text.swapcase()):
        assert held(register, wrong) is None


@given(st.integers(0, 49), st.sampled_from(keys.SIGNS), st.integers(0, 48))
def test_a_mistyped_key_is_told_without_a_look_up(place, sign, swapped):
    text = keys._checked("ltk_0a1b2c3d_Zk93hV0aQpLr7TnXb2Mc8YdWe5Uf1SgJ")
    assert len(text) == 51
    assert not keys.is_mistyped(text)
    typed = text[:place] + sign + text[place + 1 :]
    assert keys.is_mistyped(typed) is (typed != text and typed.startswith("ltk_"))
    turned = text[:swapped] + text[swapped + 1] + text[swapped] + text[swapped + 2 :]
    assert keys.is_mistyped(turned) is (turned != text and turned.startswith("ltk_"))
    assert keys.is_mistyped(text[:-1])


def test_who_made_and_who_ended_a_key_stands_in_the_trail(register):
    key = keys.create(register, "热线系统", "intake", "王科员")[0]
    keys.revoke(register, key.id, "李科员")
    keys.revoke(register, key.id, "李科员")
    with register.reading() as connection:
        trail = connection.exec_driver_sql("SELECT who, action, subject FROM audit ORDER BY seq").all()
        assert audit.verify(connection).first_bad is None
    assert [tuple(row) for row in trail] == [("王科员", "key-create", key.id), ("李科员", "key-revoke", key.id)]


@pytest.mark.parametrize(
    ("name", "role", "days"),
    [("", "intake", None), ("  ", "intake", None), ("甲\n乙", "intake", None), ("甲" * 65, "intake", None), ("甲", "root", None), ("甲", "staff", 0)],
)
def test_a_key_of_no_name_role_or_period_is_not_made(register, name, role, days):
    with pytest.raises(InputError):
        keys.create(register, name, role, "王科员", days=days)
    assert keys.known(register) == []


def test_a_key_is_ended_by_an_unmistakable_name_only(register):
    for _ in range(2):
        keys.create(register, "热线系统", "intake", "王科员")
    change(register, "UPDATE api_keys SET id = 'aa' || number")
    for beginning in ("a", "", "zz"):
        with pytest.raises(InputError, match="triage keys list"):
            keys.revoke(register, beginning, "王")
    assert keys.revoke(register, "aa1", "王").state(audit.now()) == "revoked"


def test_keys_on_the_command_line(tmp_path):
    def run(*words):
        done = CliRunner().invoke(app, ["keys", *words], env={"TRIAGE_HOME": str(tmp_path), "TRIAGE_DATABASE": ""})
        assert done.exit_code == 0, done.output
        return done

    made = run("create", "热线系统", "--role", "intake", "--days", "365", "--by", "王科员")
    key = json.loads(made.stdout)
    assert not keys.is_mistyped(key["key"])
    assert "nobody can show it again" in made.stderr
    listed = json.loads(run("list").stdout)["keys"]
    assert [(entry["id"], entry["state"], entry["made_by"]) for entry in listed] == [(key["id"], "live", "王科员")]
    assert key["key"] not in str(listed)
    assert json.loads(run("revoke", key["id"], "--by", "李科员").stdout)["state"] == "revoked"
