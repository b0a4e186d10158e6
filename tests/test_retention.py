"""Words are erased when their time is up, or taken away when a person wishes so; what is counted stays."""

import pytest
from registers import KEY, TEXT, change, count, entry, put

from triage.errors import InputError
from triage.register import audit, entries, figures, idempotency, labels, listing, retention
from triage.register.verdicts import Correction, correct

OLD = "UPDATE letters SET registered_at = '2020-05-01T00:00:00.000000+00:00' WHERE id = '{}'"


def raw(register):
    """Everything that the register holds, as text."""
    from triage.register.schema import TABLES

    with register.reading() as connection:
        return "".join(str(row) for table in TABLES for row in connection.execute(table.select()))


def sound(register):
    with register.reading() as connection:
        return audit.verify(connection).first_bad is None


@pytest.mark.parametrize("keys", ["", KEY])
def test_after_the_period_the_words_are_gone_and_the_figures_stay(opened, taxonomy, keys):
    register = opened(keys)
    old, repeat, new = (put(register, f"{TEXT}{mark}", mark, title="讨薪", sender="P-7", why="工资") for mark in ("甲", "甲。", "乙"))
    correct(register, old, Correction("王科员", category="wages", why="包工头"), taxonomy)
    change(register, OLD.format(old), OLD.format(repeat))
    span = ("2020-01-01", "2021-01-01", taxonomy)
    before = figures.statistics(register, *span)
    retention.keep_for(register, 1095, "王科员")
    assert retention.erase(register, "王科员") == 2
    found = listing.find(register, old)
    assert (found.letter.body, found.letter.title, found.letter.place) == ("", "", "")
    assert found.erased_at
    assert found.letter.sender.startswith("erased:")
    assert found.decisions[0]["decision"]["category"]["code"] == found.category == "wages"
    assert found.corrections[0]["why"] == ""
    assert figures.statistics(register, *span) == before | {"erased": 2, "year_before": before["year_before"]}
    assert listing.find(register, new).letter.body
    assert [label.letter.id for label in labels.said(register)] == []
    assert retention.erase(register, "王科员") == 0
    assert sound(register)


def test_erasing_needs_no_key(opened):
    old = put(opened(KEY), sender="P-7")
    register = opened()
    change(register, OLD.format(old))
    retention.keep_for(register, 30, "王科员")
    assert retention.erase(register, "王科员") == 1


def test_an_erased_letter_that_its_source_sends_again_is_not_doubled(register):
    old = put(register, TEXT, "17")
    change(register, OLD.format(old))
    retention.keep_for(register, 30, "王科员")
    retention.erase(register, "王科员")
    assert entries.enter(register, [entry(TEXT, "17")], "intake")[0].id == old


def test_nothing_is_erased_without_a_period(register):
    put(register)
    with pytest.raises(InputError, match="no period"):
        retention.erase(register, "王科员")
    with pytest.raises(InputError, match="days: 0"):
        retention.keep_for(register, 0, "王科员")


@pytest.mark.parametrize("keys", ["", KEY])
def test_a_persons_letters_are_taken_away_with_all_that_was_said_about_them(opened, taxonomy, keys):
    register = opened(keys)
    claim = idempotency.claim(register, "intake", "k1", "digest")
    theirs = entries.enter(register, [entry(f"{TEXT}绝密", "a", sender="P-7")], "intake", claim=claim, answer=lambda _: "绝密")[0].id
    old = put(register, "旧信绝密", "b", sender="P-7")
    correct(register, theirs, Correction("王科员", category="wages", why="绝密"), taxonomy)
    change(register, OLD.format(old))
    retention.keep_for(register, 30, "王科员")
    retention.erase(register, "王科员")
    other = put(register, "别人的信", sender="P-77")
    assert retention.purge(register, "P-7", "王科员") == [theirs, old]
    assert [letter.id for letter in listing.page(register, listing.Filters()).letters] == [other]
    assert [count(register, table) for table in ("decisions", "corrections", "idempotency")] == [1, 0, 0]
    assert "P-7'" not in raw(register)
    assert "绝密" not in raw(register)
    assert sound(register)


def test_a_purge_leaves_no_words_in_the_files(opened, tmp_path, database):
    register = opened()
    put(register, "绝密" * 3_000, sender="P-7")
    retention.purge(register, "P-7", "王科员")
    if not database:
        for path in tmp_path.glob("register.sqlite3*"):
            assert "绝密".encode() not in path.read_bytes()


def test_a_purge_of_nobody_is_refused(register):
    with pytest.raises(InputError):
        retention.purge(register, "", "王科员")
    assert retention.purge(register, "unknown", "王科员") == []


def test_numbers_of_purged_letters_are_not_given_again(register):
    put(register, sender="P-7")
    number = listing.find(register, put(register, "第二封", sender="P-7")).number
    retention.purge(register, "P-7", "王科员")
    assert listing.find(register, put(register, "第三封")).number > number


def test_letters_are_sealed_again_so_that_an_old_key_can_go(opened, taxonomy):
    from registers import OTHER_KEY

    letter = put(opened(), title="讨薪")
    correct(opened(), letter, Correction("王科员", category="wages", why="理由"), taxonomy)
    assert retention.reseal(opened(KEY), "王科员") == 3  # letter, decision, correction
    assert retention.reseal(opened(f"{OTHER_KEY},{KEY}"), "王科员") == 3
    register = opened(OTHER_KEY)
    assert listing.find(register, letter).letter.body == TEXT
    assert listing.find(register, letter).corrections[0]["why"] == "理由"
    assert "工资" not in raw(register)
    assert sound(register)


def test_statistics_count_letters_persons_repeats_and_what_came_back(register, taxonomy):
    from datetime import date

    from triage import workdays
    from triage.register.verdicts import Objection, give_back

    first = put(register, f"{TEXT}甲", sender="P-7")
    put(register, f"{TEXT}甲", sender="P-7")
    put(register, "小区停水三天了", code="utilities", department="housing", sender="P-8")
    unread = put(register, "", code="", department="", review=True)
    change(register, OLD.format(unread).replace("2020", "2019"))
    give_back(register, first, Objection("张科长", "human_resources", "", date(2026, 11, 2), date(2026, 11, 3)), taxonomy, workdays.load(None))
    found = figures.statistics(register, "2020-01-01", "2030-01-01", taxonomy)
    assert {name: found[name] for name in ("letters", "persons", "first", "repeats", "erased")} == {
        "letters": 3, "persons": 2, "first": 2, "repeats": 1, "erased": 0,
    }  # fmt: skip
    assert found["categories"] == {"wages": 2, "utilities": 1}
    assert found["domains"][taxonomy.domain_of("wages").code] == 2
    assert found["departments"]["human_resources"] == {"letters": 2, "returns": 1, "first_time_right": 0.5}
    assert found["departments"]["housing"] == {"letters": 1, "returns": 0, "first_time_right": 1.0}
    assert figures.statistics(register, "2020-01-01", "2021-01-01", taxonomy)["year_before"]["letters"] == 1
