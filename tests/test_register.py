"""The letter register: what goes in comes out, once, with all that was said about it; the same on SQLite and on PostgreSQL."""

import json
from datetime import date

import pytest
from registers import KEY, OTHER_KEY, TEXT, count, decision, entry, put

from triage import workdays
from triage.errors import InputError, RegisterError, TaxonomyError
from triage.register import entries, labels, listing, verdicts
from triage.register.listing import Filters
from triage.register.verdicts import Correction, Objection


def test_a_registered_letter_comes_back_with_its_decision_whole(register):
    sent = entry(TEXT, "2026-001873", title="讨薪", sender="P-7")
    entered = entries.enter(register, [sent], "intake")[0]
    found = listing.find(register, entered.id)
    assert (entered.new, entered.repeats) == (True, None)
    assert (found.letter, found.source, found.characters) == (sent.letter, "web", len(sent.letter.text))
    assert found.decisions[0]["decision"] == json.loads(json.dumps(sent.decision.as_dict()))
    assert (found.category, found.purpose, found.department, found.review) == ("wages", "appeal", "human_resources", "none")


def test_a_letter_that_could_not_be_classified_is_registered_for_a_person(register):
    found = listing.find(register, put(register, "", code="", department="", review=True))
    assert (found.category, found.department, found.review) == ("", "", "open")
    assert found.decisions[0]["decision"]["category"] is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("甲\0乙", "甲\ufffd乙"),
        ("半个\ud800字", "半个\ufffd字"),
        ("𠮷野家欠薪𪚥", "𠮷野家欠薪𪚥"),
        ("私\ue000用", "私\ue000用"),
        ("\x01\x1f\x7f", "\x01\x1f\x7f"),
        ("'; DROP TABLE letters; --", "'; DROP TABLE letters; --"),
        ("", ""),
        ("长" * 100_000, "长" * 100_000),
    ],
)
@pytest.mark.parametrize("keys", ["", KEY])
def test_every_text_is_kept_as_it_was_but_for_what_no_database_can_hold(opened, sent, kept, keys):
    register = opened(keys)
    found = listing.find(register, put(register, sent, title=sent, own_id=sent[:9], source=sent[:9], sender=sent[:9]))
    assert (found.letter.body, found.letter.title) == (kept, kept)
    assert (found.letter.id, found.source, found.letter.sender) == (kept[:9],) * 3


def test_a_source_that_sends_a_letter_again_gets_the_same_one(register):
    first = put(register, TEXT, "17")
    again = entries.enter(register, [entry(TEXT, "17"), entry(TEXT, "17", source="phone"), entry(TEXT)], "intake")
    assert (again[0].id, again[0].new) == (first, False)
    assert [item.new for item in again[1:]] == [True, True]
    assert count(register, "letters") == count(register, "decisions") == 3


def test_a_source_cannot_give_one_id_to_two_letters(register):
    put(register, TEXT, "17")
    with pytest.raises(InputError) as refused:
        entries.enter(register, [entry("另一封信", "18"), entry("村里的路烂了五年", "17")], "intake")
    assert (refused.value.status, refused.value.kind) == (409, "other-letter-same-id")
    assert "路" not in str(refused.value)
    assert count(register, "letters") == 1  # all of a call, or nothing


@pytest.mark.parametrize(
    ("again", "sender", "is_repeat"),
    [
        (TEXT, "P-7", True),
        ("包工头 欠我们八个人四个月工资,到现在一分没给!!", "P-7", True),
        (f"{TEXT},都快过年了", "P-7", True),
        ("小区停水三天了,没有人来修", "P-7", False),
        (TEXT, "P-8", False),
        (TEXT, "", False),
    ],
)
@pytest.mark.parametrize("keys", ["", KEY])
def test_a_repeat_is_the_same_matter_from_the_same_sender(opened, again, sender, is_repeat, keys):
    register = opened(keys)
    first = put(register, sender="P-7")
    entered = entries.enter(register, [entry(again, sender=sender)], "intake")[0]
    assert (entered.new, entered.repeats) == (True, first if is_repeat else None)


def test_repeats_are_linked_to_the_first_letter_and_none_is_dropped(register):
    first = put(register, sender="P-7")
    later = [entries.enter(register, [entry(f"{TEXT}{'。' * n}", sender="P-7")], "intake")[0] for n in range(3)]
    assert {item.repeats for item in later} == {first}
    assert count(register, "letters") == 4


def test_letters_without_words_repeat_nothing(register):
    put(register, "", sender="P-7")
    assert entries.enter(register, [entry(" ,。", sender="P-7")], "intake")[0].repeats is None


def test_a_letter_decided_again_keeps_its_first_decision_and_what_persons_said(register, taxonomy):
    letter = put(register)
    verdicts.correct(register, letter, Correction("王科员", category="utilities"), taxonomy)
    entries.decide(register, letter, decision(code="land_expropriation"), "steward")
    found = listing.find(register, letter)
    assert [said["decision"]["category"]["code"] for said in found.decisions] == ["wages", "land_expropriation"]
    assert found.category == "utilities"


def test_corrections_stand_beside_the_decision_and_the_latest_holds(register, taxonomy):
    letter = put(register)
    for code in ("utilities", "wages", "utilities", "wages"):
        verdicts.correct(register, letter, Correction("王科员", category=code, why="看过原信"), taxonomy)
    found = listing.find(register, letter)
    assert [said["category"] for said in found.corrections] == ["utilities", "wages", "utilities", "wages"]
    assert {(said["who"], said["why"]) for said in found.corrections} == {("王科员", "看过原信")}
    assert (found.category, found.review) == ("wages", "done")
    assert found.decisions[0]["decision"]["category"]["code"] == "wages"


def test_a_correction_changes_only_what_it_names(register, taxonomy):
    letter = put(register)
    verdicts.correct(register, letter, Correction("王科员", department="housing"), taxonomy)
    verdicts.correct(register, letter, Correction("李科员", purpose="suggestion"), taxonomy)
    found = listing.find(register, letter)
    assert (found.category, found.purpose, found.department) == ("wages", "suggestion", "housing")


@pytest.mark.parametrize("fields", [{}, {"category": "no-such"}, {"purpose": "no-such"}, {"department": "no-such"}])
def test_a_correction_of_nothing_or_to_an_unknown_code_is_refused(register, taxonomy, fields):
    letter = put(register)
    with pytest.raises(InputError):
        verdicts.correct(register, letter, Correction("王科员", **fields), taxonomy)
    assert count(register, "corrections") == 0


def test_what_is_not_registered_cannot_be_found_or_corrected(register, taxonomy):
    for action in (
        lambda: listing.find(register, "nobody"),
        lambda: verdicts.correct(register, "nobody", Correction("王科员", category="wages"), taxonomy),
        lambda: entries.decide(register, "nobody", decision(), "steward"),
    ):
        with pytest.raises(InputError) as refused:
            action()
        assert refused.value.status == 404


def objection(forwarded, returned, **said):
    return Objection("张科长", "human_resources", "不属于本单位职责", date(2026, *forwarded), date(2026, *returned), **said)


@pytest.mark.parametrize(
    ("forwarded", "returned", "in_time"),
    [((11, 2), (11, 9), True), ((11, 2), (11, 10), False), ((9, 30), (10, 13), True), ((9, 30), (10, 14), False), ((11, 2), (11, 2), True)],
)
def test_a_department_has_five_working_days_to_object(register, taxonomy, forwarded, returned, in_time):
    letter = put(register)
    assert verdicts.give_back(register, letter, objection(forwarded, returned), taxonomy, workdays.load(None)) is in_time
    found = listing.find(register, letter)
    assert (found.returns[0]["in_time"], found.returns[0]["why"], found.review) == (in_time, "不属于本单位职责", "returned")


def test_an_office_can_have_days_off_of_its_own(tmp_path):
    (tmp_path / "holidays.toml").write_text('free = ["2026-11-03/2026-11-04"]\nwork = ["2026-11-08"]\nobjection_days = 3\n', "utf-8")
    assert workdays.load(tmp_path).objection_due(date(2026, 11, 2)) == date(2026, 11, 8)


@pytest.mark.parametrize(
    "content", ["free = [", "work = []", 'free = ["2026-13-01"]\nwork = []\nobjection_days = 5', "free = [1]\nwork = []\nobjection_days = 5"]
)
def test_a_calendar_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "holidays.toml").write_text(content, "utf-8")
    with pytest.raises(TaxonomyError, match=r"holidays\.toml"):
        workdays.load(tmp_path)


def test_a_letter_cannot_come_back_before_it_went(register, taxonomy):
    letter = put(register)
    with pytest.raises(InputError, match="returned_on"):
        verdicts.give_back(register, letter, objection((11, 9), (11, 2)), taxonomy, workdays.load(None))


def test_the_list_shows_the_newest_first_in_pages_that_later_letters_do_not_shift(register):
    made = [put(register, f"第{number}封", str(number)) for number in range(7)]
    first = listing.page(register, Filters(), limit=3)
    put(register, "后来的一封")
    second = listing.page(register, Filters(), limit=3, cursor=first.next)
    third = listing.page(register, Filters(), limit=3, cursor=second.next)
    assert [letter.id for page in (first, second, third) for letter in page.letters] == made[::-1]
    assert third.next == ""
    assert first.letters[0].letter.body == ""
    assert listing.page(register, Filters(), limit=1, texts=True).letters[0].letter.body == "后来的一封"


def test_the_list_is_filtered_by_what_holds_today(register, taxonomy):
    wages, water, unread = (
        put(register, "甲"),
        put(register, "乙", code="utilities", department="housing"),
        put(register, "丙", code="", department="", review=True),
    )
    verdicts.correct(register, unread, Correction("王科员", category="wages"), taxonomy)

    def ids(**filters):
        return [letter.id for letter in listing.page(register, Filters(**filters)).letters]

    assert ids(category="wages") == [unread, wages]
    assert ids(department="housing") == [water]
    assert ids(review="done") == [unread]
    assert ids(review="none", category="utilities") == [water]
    assert ids(since="2020-01-01", until="2020-12-31") == []
    assert ids(since="2020") == [unread, water, wages]


@pytest.mark.parametrize("cursor", ["x", "MTIz", "!!!", "MS4", "é", "0" * 3000])
def test_a_cursor_that_this_list_did_not_give_is_refused(register, cursor):
    with pytest.raises(InputError, match="cursor"):
        listing.page(register, Filters(), cursor=cursor)


def test_a_cursor_belongs_to_its_filters(register):
    for number in range(3):
        put(register, f"第{number}封")
    cursor = listing.page(register, Filters(), limit=1).next
    with pytest.raises(InputError, match="cursor"):
        listing.page(register, Filters(category="wages"), cursor=cursor)


@pytest.mark.parametrize("wrong", [{"filters": Filters(review="maybe")}, {"limit": 0}, {"limit": 1_001}])
def test_a_list_that_cannot_be_is_refused(register, wrong):
    with pytest.raises(InputError):
        listing.page(register, **({"filters": Filters()} | wrong))


def test_corrections_and_returns_in_time_are_labels_to_learn_from(register, taxonomy):
    calendar = workdays.load(None)
    corrected, confirmed, given_back, late, routed, _ = (put(register, f"{TEXT}{n}", str(n)) for n in range(6))
    verdicts.correct(register, corrected, Correction("王科员", category="utilities"), taxonomy)
    verdicts.correct(register, corrected, Correction("王科员", category="noise" if "noise" in taxonomy.categories else "wages", purpose="appeal"), taxonomy)
    verdicts.correct(register, confirmed, Correction("王科员", category="wages"), taxonomy)
    verdicts.give_back(register, given_back, objection((11, 2), (11, 3), category="utilities", department="housing"), taxonomy, calendar)
    verdicts.give_back(register, late, objection((11, 2), (11, 30), category="utilities"), taxonomy, calendar)
    verdicts.correct(register, routed, Correction("王科员", department="housing"), taxonomy)
    said = {label.letter.id: (label.category, label.purpose) for label in labels.said(register)}
    assert said == {corrected: (listing.find(register, corrected).category, "appeal"), confirmed: ("wages", ""), given_back: ("utilities", "")}


def test_sealed_letters_open_with_their_key_and_nothing_else(opened, database):
    letter = put(opened(KEY), title="讨薪", why="工资")
    register = opened(f"{OTHER_KEY},{KEY}")
    assert listing.find(register, letter).letter.body == TEXT
    with register.reading() as connection:
        for row in connection.exec_driver_sql("SELECT title, body FROM letters").all() + connection.exec_driver_sql("SELECT why, content FROM decisions").all():
            assert "工资" not in "".join(row)
            assert "讨薪" not in "".join(row)
    put(register, "换了密钥以后的信")
    with pytest.raises(RegisterError, match=r"sealed with key \"\w{8}\"") as refused:
        opened(KEY)
    assert OTHER_KEY not in str(refused.value)


def test_without_the_key_letters_are_counted_but_neither_read_nor_stored_in_plain_text(opened, taxonomy):
    letter = put(opened(KEY))
    register = opened()
    assert listing.page(register, Filters()).letters[0].id == letter
    for action in (lambda: listing.find(register, letter), lambda: put(register, "新来的信"), lambda: listing.page(register, Filters(), texts=True)):
        with pytest.raises(RegisterError, match="TRIAGE_TEXT_KEY is unset"):
            action()
    assert count(register, "letters") == 1


@pytest.mark.parametrize("keys", ["短", "not a key", f"{KEY},x", "A" * 44])
def test_a_key_that_is_none_is_named_by_its_place_only(opened, keys):
    with pytest.raises(RegisterError, match=r"TRIAGE_TEXT_KEY: key number [12]") as refused:
        opened(keys)
    assert keys not in str(refused.value)


def test_a_sealed_text_that_was_altered_is_not_read(opened):
    register = opened(KEY)
    letter = put(register)
    with register.writing() as connection:
        connection.exec_driver_sql("UPDATE letters SET body = replace(body, 'A', 'B')")
    with pytest.raises(RegisterError, match="altered"):
        listing.find(register, letter)
