"""Is the data good? What is said of a labelled file, and the list that a clerk corrects. All letters are invented."""

import csv
from collections import Counter

import numpy as np
import pytest

from models.learning import Question, fit
from models.linear import Settings
from training.answers import reader
from training.checks import findings, leaking, summary, unlearnable
from training.corrections import write_list
from training.doubt import suspected, suspicion
from training.duplicates import groups
from training.labelled import LabelledLetter, read_labelled
from triage.desk import CATEGORY
from triage.errors import StorageError
from triage.exports import MAX_CELL
from triage.letter import Letter
from triage.tables import read_table

LABELS = ("wages", "utilities", "roads")
NAMES = {"wages": "拖欠工资", "utilities": "供水供电供气供热", "roads": "公路建设养护"}
WAGES = "松月村的六个工人在青石桥工地砌墙，工钱从三月拖到现在，老板的电话打不通，请劳动监察大队帮我们把钱要回来。"
WATER = "柳荫巷的自来水发黄三天了，烧开以后壶底有一层沙，水厂的值班电话没有人接。"
ROADS = "松月村口的公路塌了半边，夜里没有灯，前天有人骑车摔进沟里。"


def labelled(body, category, **more):
    return LabelledLetter(Letter(body, title=more.pop("title", ""), id=more.pop("id", "")), category, **more)


def check(letters, probabilities=None, labels=LABELS):
    """Findings when the classifiers say ``probabilities``, or else of every letter that its label is right."""
    truth = np.array([labels.index(letter.category) if letter.category in labels else -1 for letter in letters], np.int64)
    sure = np.full((len(letters), len(labels)), 0.05, np.float32) + 0.85 * np.eye(len(labels) + 1, dtype=np.float32)[truth, : len(labels)]
    chances = sure if probabilities is None else np.array(probabilities, np.float32)
    return findings(letters, labels, truth, chances, groups([letter.letter.text for letter in letters]), names=NAMES)


@pytest.fixture(scope="module")
def learned(starter, segmenter):
    """A function: labels of 480 starter letters of six categories -> what classifiers say that have not seen them."""
    wanted = [code for code, count in Counter(item.category for item in starter).items() if count >= 80 and code != "other"][:6]
    chosen = [item for code in wanted for item in [item for item in starter if item.category == code][:80]]
    letters = [item.letter for item in chosen]
    near = np.arange(len(chosen))

    def held_out(labels):
        return fit(reader(letters, segmenter), [Question(CATEGORY, labels, settings=Settings(bayes=0.3))], near).held_out[CATEGORY]

    return [item.category for item in chosen], held_out


# Over eight seeds 0.57 to 0.71 and 0.80 to 0.83 stood at the top, 0.38 and 0.59 of those marked were right at worst; a real file of
# 8,000 letters is measured by bench/label_noise.py.
@pytest.mark.parametrize(("share", "at_least", "right"), [(0.03, 0.5, 0.3), (0.2, 0.7, 0.5)])
def test_labels_changed_on_purpose_stand_at_the_top(learned, share, at_least, right):
    labels, held_out = learned
    chance, known = np.random.default_rng(3), sorted(set(labels))
    flipped = np.zeros(len(labels), bool)
    flipped[chance.choice(len(labels), round(share * len(labels)), replace=False)] = True
    changed = [
        known[(known.index(label) + chance.integers(1, len(known))) % len(known)] if flip else label for label, flip in zip(labels, flipped, strict=True)
    ]
    found = held_out(changed)
    near = np.arange(len(labels))
    top = np.argsort(-suspicion(found.truth, found.probabilities, near), kind="stable")[: flipped.sum()]
    assert flipped[top].mean() >= at_least
    marked = suspected(found.truth, found.probabilities, near)
    assert marked[flipped].mean() >= at_least
    assert flipped[marked].mean() >= right


def test_a_near_duplicate_under_another_label_raises_the_suspicion_and_one_under_the_same_lowers_it():
    chances = np.full((6, 2), 0.5, np.float32)
    alone, differ, agree = suspicion(np.array([0, 0, 1, 0, 0, 0]), chances, np.array([0, 1, 1, 2, 2, 2]))[[0, 1, 3]]
    assert agree < alone < differ


def test_a_hundred_copies_of_one_wrong_label_weigh_no_more_than_two():
    truth, chances = np.zeros(102, np.int64), np.full((102, 2), [0.1, 0.9], np.float32)
    doubt = suspicion(truth, chances, np.array([0, 0] + [1] * 100))
    assert doubt[0] == pytest.approx(doubt[50])
    assert doubt[0] > 0.5


@pytest.mark.parametrize(
    ("truth", "chances"),
    [
        ([], np.empty((0, 3))),
        ([-1, -1], np.zeros((2, 3))),
        ([-1], np.empty((1, 0))),
        ([0, 0], [[1.0], [1.0]]),
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]]),
    ],
    ids=["no letters", "none learned", "no labels", "one label", "all sure"],
)
def test_nothing_is_suspected_where_nothing_speaks_against_a_label(truth, chances):
    truth, chances = np.array(truth, np.int64), np.array(chances, np.float32)
    near = np.arange(len(truth))
    assert suspicion(truth, chances, near).tolist() == [0.0] * len(truth)
    assert not suspected(truth, chances, near).any()


def test_a_letter_that_was_not_learned_is_not_suspected(learned):
    labels, held_out = learned
    found = held_out(labels)
    truth = np.where(np.arange(len(labels)) % 10, found.truth, -1)
    marked = suspected(truth, found.probabilities, np.arange(len(labels)))
    assert not marked[truth < 0].any()


def test_the_same_text_under_two_labels_is_a_conflict_and_never_on_two_sides():
    letters = [labelled(WAGES, "wages"), labelled(WATER, "utilities"), labelled(f"{WAGES} ", "roads"), labelled(WATER, "utilities")]
    found = check(letters)
    assert found.conflicts == ((0, 2),)
    assert found.disputed == ()
    assert found.copies == ((0, 2), (1, 3))
    assert "有 1 篇来信正文相同而类别不同，共 2 行，请统一类别。" in summary(found)


def test_near_duplicates_under_two_labels_are_named_apart_from_the_same_text():
    again = WAGES.replace("三月", "五月")
    letters = [labelled(WAGES, "wages"), labelled(again, "roads"), labelled(ROADS, "roads"), labelled(ROADS, "wages")]
    found = check(letters)
    assert (found.conflicts, found.disputed) == (((2, 3),), ((0, 1),))
    assert "有 1 组近似重复的来信类别不同，请核对。" in summary(found)


def test_the_leak_is_what_random_splits_show():
    near = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5])
    chance = np.random.default_rng(0)
    shares = []
    for _ in range(4000):
        side = chance.integers(0, 5, len(near))
        shares.append(np.mean([any(side[other] != side[at] for other in np.flatnonzero(near == near[at]) if other != at) for at in range(len(near))]))
    assert leaking(near) == pytest.approx(np.mean(shares), abs=0.01)
    assert leaking(np.arange(4)) == leaking(np.array([], np.int64)) == 0.0
    assert any(
        "若随机划分，40.0% 的检验来信" in line
        for line in summary(check([labelled(WAGES, "wages")] * 2 + [labelled(WATER, "utilities"), labelled(ROADS, "roads")]))
    )


@pytest.mark.parametrize(
    ("bodies", "lost"),
    [([WAGES], ("wages",)), ([WAGES, WAGES.replace("三月", "五月")], ("wages",)), ([WAGES, WATER], ()), (["停水", "停电"], ())],
    ids=["one letter", "one letter twice", "two letters", "two short ones"],
)
def test_a_category_without_two_letters_that_differ_cannot_be_learned(bodies, lost):
    assert unlearnable(["wages"] * len(bodies), groups(bodies)) == lost


def test_small_categories_are_named_with_their_counts():
    letters = [labelled(f"{place}{WAGES}", "wages") for place in "甲乙丙"] + [labelled(WATER, "utilities"), labelled(ROADS, "utilities")]
    said = summary(check(letters))
    assert "无法学习的类别有 1 个（没有两封不同的来信，训练时略去）：“拖欠工资”（3 封）。" in said
    assert "来信太少的类别有 1 个（不到 10 封，成绩不作数）：“供水供电供气供热”（2 封）。" in said


def test_categories_of_very_different_size_are_named(starter):
    letters = [labelled(item.letter.text, "wages") for item in starter[:60]] + [labelled(item.letter.text, "roads") for item in starter[60:62]]
    assert "类别之间相差很大：最多的“拖欠工资”有 60 封，最少的“公路建设养护”只有 2 封。来信少的类别更容易分错。" in summary(check(letters))


def test_a_clean_file_is_said_in_one_sentence(starter):
    letters = [labelled(item.letter.text, LABELS[at % 3]) for at, item in enumerate(starter[:60])]
    assert summary(check(letters)) == ["共 60 封来信，3 个类别。"]


def test_the_summary_holds_no_words_of_a_letter_not_even_where_one_was_taken_for_a_label():
    letters = [labelled(WATER, WAGES), labelled(ROADS, "roads"), labelled(WAGES, "roads")]
    said = "".join(summary(check(letters)))
    assert f"（名称长 {len(WAGES)} 个字的类别）" in said
    assert not any(body[at : at + 8] in said for body in (WAGES, WATER, ROADS) for at in range(len(body) - 8))


def test_the_second_category_of_a_letter_is_as_right_as_its_first():
    said = [[0.1, 0.8, 0.1], [0.02, 0.95, 0.03], [0.05, 0.9, 0.05], [0.9, 0.05, 0.05]]
    found = check([labelled(WAGES, "wages", second="utilities"), labelled(ROADS, "wages"), labelled(WATER, "utilities"), labelled("欠薪八个月", "wages")], said)
    assert found.suspicion[0] == pytest.approx(0.1)
    assert found.suggested == ("", "utilities", "", "")
    assert found.wrong == (1,)


def test_doubtful_labels_are_counted_with_their_share():
    letters = [labelled(WAGES, "wages"), labelled(WATER, "utilities"), labelled(ROADS, "roads"), labelled("欠薪八个月，没人管", "roads")]
    found = check(letters, [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9], [0.95, 0.03, 0.02]])
    assert (found.wrong, found.suggested) == ((3,), ("", "", "", "wages"))
    assert "约有 1 封来信的类别可能有误（占 25.0%），请从清单最上面的几行看起。" in summary(found)


def test_a_file_of_which_nothing_can_be_learned_is_checked_all_the_same():
    found = check([labelled(WAGES, "甲"), labelled(WATER, "乙")], labels=())
    assert (found.suggested, found.wrong, found.unlearnable) == (("", ""), (), ("甲", "乙"))


def test_of_many_small_categories_the_first_ten_are_named():
    said = summary(check([labelled(f"{chr(0x4E00 + at) * 9}", f"第{at}类") for at in range(12)], labels=()))
    assert "“第9类”（1 封）等 12 个。" in said[-1]
    assert "第10类" not in said[-1]


MIXED = [
    labelled(WATER, "utilities", where='来信.xlsx sheet "五月" row 2', id="00123"),
    labelled(ROADS, "utilities", where="letters.csv line 17", title="路塌了", second="wages", purpose="appeal", writer="w1", weight=2.0),
    labelled("=工资(1+1)欠了八个月", "wages", where='来信.xlsx sheet "五月" row 4'),
    labelled(WATER.replace("三天", "五天"), "roads", where='来信.xlsx sheet "五月" row 5'),
]
SAID = [[0.05, 0.9, 0.05], [0.03, 0.02, 0.95], [0.9, 0.05, 0.05], [0.1, 0.6, 0.3]]


def cells(path):
    table = read_table(path)
    return [dict(zip(table.columns, row.cells, strict=True)) for row in table.rows]


def test_the_list_shows_every_letter_the_most_doubtful_first_with_what_is_wrong_with_it(tmp_path):
    path = write_list(tmp_path / "清单.xlsx", MIXED, check(MIXED, SAID), purposes={"appeal": "求决"})
    rows = cells(path)
    assert [(row["文件"], row["行号"]) for row in rows] == [
        ("letters.csv", "17"),
        ("来信.xlsx（工作表“五月”）", "5"),
        ("来信.xlsx（工作表“五月”）", "2"),
        ("来信.xlsx（工作表“五月”）", "4"),
    ]
    first, second, third, last = rows
    assert (first["问题"], first["建议类别"], first["把握"]) == ("标签可能有误；类别样本太少（2封）", "公路建设养护", "0.95")
    assert (first["类别"], first["第二类别"], first["目的"], first["权重"], first["来信人"]) == ("供水供电供气供热", "拖欠工资", "求决", "2", "w1")
    assert (second["类别"], second["建议类别"]) == ("公路建设养护", "供水供电供气供热")
    assert "近似重复而类别不同（第1组）" in second["问题"]
    assert third["问题"].startswith("近似重复而类别不同（第1组）")
    assert (third["建议类别"], third["把握"], last["问题"]) == ("", "", "类别样本太少（1封）")


@pytest.mark.parametrize("long", [False, True], ids=["workbook", "csv, for a letter too long for a cell"])
def test_the_list_trains_as_it_stands_and_as_the_clerk_corrects_it(tmp_path, taxonomy, long):
    letters = [*MIXED, labelled("水" * (MAX_CELL + 1), "utilities")] if long else MIXED
    path = write_list(tmp_path / "清单.xlsx", letters, check(letters, [*SAID, [0.1, 0.8, 0.1]][: len(letters)]))
    assert [file.name for file in tmp_path.iterdir()] == [path.name] == ["清单.csv" if long else "清单.xlsx"]
    back = read_labelled([path], taxonomy)
    known = {item.letter.text: (item.category, item.purpose, item.second, item.writer, item.weight) for item in letters}
    assert {item.letter.text: (item.category, item.purpose, item.second, item.writer, item.weight) for item in back.letters} == known
    assert (back.refused, back.own_labels, back.sources[0].columns["label"]) == (0, False, "类别")

    corrected = tmp_path / "改好.csv"
    with corrected.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, cells(path)[0])
        writer.writeheader()
        writer.writerows(row | ({"类别": row["建议类别"]} if row["建议类别"] else {}) for row in cells(path))
    assert {item.letter.text: item.category for item in read_labelled([corrected], taxonomy).letters} == {
        text: {ROADS: "roads", f"路塌了\n{ROADS}": "roads", MIXED[3].letter.text: "utilities"}.get(text, row[0]) for text, row in known.items()
    }


def test_the_list_of_an_office_with_its_own_labels_trains_too(tmp_path, taxonomy):
    letters = [labelled(WAGES, "讨薪/欠薪"), labelled(WATER, "水电；气"), labelled(ROADS, "路")]
    found = check(letters, labels=("讨薪/欠薪", "水电；气", "路"))
    back = read_labelled([write_list(tmp_path / "list.xlsx", letters, found)], taxonomy)
    assert sorted(item.category for item in back.letters) == ["水电;气", "讨薪/欠薪", "路"]


def test_a_list_asked_for_as_csv_is_csv(tmp_path):
    path = write_list(tmp_path / "list.csv", MIXED, check(MIXED))
    assert path.read_text("utf-8-sig").startswith("问题,建议类别,把握,文件,行号,类别")


def test_a_list_that_cannot_be_written_says_where(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        write_list(tmp_path / "nowhere" / "list.xlsx", MIXED, check(MIXED))
