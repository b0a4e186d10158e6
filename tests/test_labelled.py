"""Labelled letters from the tables that staff keep: every row is used, or says why not. All letters are invented."""

import csv
import json
import re
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training import columns
from training.labelled import FIELDS, read_labelled
from triage.errors import InputError, StorageError
from triage.exports import write_xlsx

DOCUMENT = Path(__file__).parent.parent / "docs" / "labelled-letters.md"
HEADER = ["信件编号", "标题", "正文", "类别"]
WAGES = ["00123", "工钱拖了半年", "我们六个人在青石桥工地砌墙,工钱从三月拖到现在。", "拖欠工资"]
WATER = ["00124", "", "柳荫巷的自来水发黄三天了。", "utilities"]
ROADS = ["00125", "", "松月村口的公路塌了半边,夜里没有灯。", "公路建设养护"]
GOOD = [WAGES, WATER, ROADS]


def table(path, rows, header=HEADER, encoding="utf-8-sig", delimiter=","):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def reasons(labelled):
    return [row[1] for path in labelled.refused_files for row in rows_of(path)[1:]]


def records(path, rows, header=HEADER):
    path.write_text("".join(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def workbook(path, rows, header=HEADER):
    write_xlsx(path, header, rows)
    return path


def parquet(path, rows, header=HEADER):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: [row[index] for row in rows] for index, name in enumerate(header)}), path)
    return path


@pytest.mark.parametrize(
    ("name", "write", "place"),
    [
        ("letters.csv", table, "line 3"),
        ("letters.tsv", lambda path, rows: table(path, rows, delimiter="\t"), "line 3"),
        ("office.csv", lambda path, rows: table(path, rows, encoding="gb18030"), "line 3"),
        ("letters.xlsx", workbook, 'sheet "Sheet1" row 3'),
        ("letters.jsonl", records, "line 2"),
        ("letters.parquet", parquet, "row 2"),
    ],
)
def test_the_same_letters_come_from_every_kind_of_table(tmp_path, taxonomy, name, write, place):
    labelled = read_labelled([write(tmp_path / name, GOOD)], taxonomy)
    assert [item.category for item in labelled.letters] == ["wages", "utilities", "roads"]
    assert [(item.letter.id, item.letter.title, item.letter.body) for item in labelled.letters] == [tuple(row[:3]) for row in GOOD]
    assert labelled.letters[1].where == f"{name} {place}"
    assert (labelled.refused, labelled.refused_files, labelled.own_labels) == (0, (), False)


@pytest.mark.parametrize(
    "header",
    [
        ["留言编号", "留言主题", "留言详情", "一级标签"],
        ["编号", "主题", "信件内容", "分类"],
        [" ID", "Title", " Content ", "LABEL"],
        ["id", "subject", "ｂｏｄｙ", "Class"],
        ["信件编号", "标 题", "诉求\u3000内容", "类别名称"],
    ],
)
def test_columns_are_found_by_their_names(tmp_path, taxonomy, header):
    labelled = read_labelled([table(tmp_path / "letters.csv", GOOD, header)], taxonomy)
    assert [item.letter.id for item in labelled.letters] == ["00123", "00124", "00125"]
    assert list(labelled.sources[0].columns) == ["text", "label", "title", "id"]
    assert labelled.letters[0].letter.title == WAGES[1]


@pytest.mark.parametrize(
    ("header", "given", "kind", "says"),
    [
        (["编号", "标题", "写了什么", "类别"], {}, "missing-column", r'no column is known to hold the text.*"写了什么".*Type --text'),
        (["编号", "标题", "正文", "归口"], {}, "missing-column", r'no column is known to hold the label.*"归口".*Type --label'),
        (["编号", "内容", "正文", "类别"], {}, "ambiguous-column", r'2 columns may hold the text: "正文", "内容".*--text "正文"'),
        (["标签", "标题", "正文", "类别"], {}, "ambiguous-column", r'2 columns may hold the label: "类别", "标签".*--label "类别"'),
        (["类别", "标题", "正文", "类别"], {}, "ambiguous-column", r'"类别 \(column 1\)", "类别 \(column 4\)"'),
        (HEADER, {"label": "类型"}, "unknown-column", r'no column "类型".*"类别"'),
        (HEADER, {"text": "正文内容"}, "unknown-column", r'no column "正文内容".*nearest "正文"'),
        (HEADER, {"text": "正文", "label": "正文"}, "ambiguous-column", r"cannot be both"),
        (["编号", "标题", "字" * 60, "类别"], {}, "missing-column", r"column 3 \(60 characters\)"),
    ],
)
def test_a_column_that_is_missing_or_ambiguous_says_what_to_type(tmp_path, taxonomy, header, given, kind, says):
    path = table(tmp_path / "letters.csv", GOOD, header)
    with pytest.raises(InputError, match=f"^letters.csv: .*{says}") as caught:
        read_labelled([path], taxonomy, **given)
    assert (caught.value.kind, caught.value.exit_status) == (kind, 4)
    assert "字字" not in str(caught.value)


def test_columns_can_be_named(tmp_path, taxonomy):
    path = table(tmp_path / "letters.csv", GOOD, ["类别", "正文", "写了什么", "归口"])
    labelled = read_labelled([path], taxonomy, text="写了什么", label="归口")
    assert [item.letter.body for item in labelled.letters] == [row[2] for row in GOOD]
    assert labelled.sources[0].columns == {"text": "写了什么", "label": "归口"}


@pytest.mark.parametrize(
    ("header", "label", "category"),
    [
        (["二级标签", "正文", "一级标签"], "", "wages"),
        (["二级标签", "正文", "一级标签"], "二级标签", "utilities"),
        (["二级标签", "正文", "处室"], "", "utilities"),
    ],
)
def test_the_first_level_of_labels_is_taken_unless_another_is_named(tmp_path, taxonomy, header, label, category):
    path = table(tmp_path / "letters.csv", [["供水供电供气供热", "一" * 5, "拖欠工资"], ["其他", "二" * 5, "其他"]], header)
    labelled = read_labelled([path], taxonomy, label=label)
    assert labelled.letters[0].category == category
    assert any('--label "二级标签"' in note for note in labelled.notes) == (category == "wages")


def test_a_file_in_the_starters_own_fields_is_read(tmp_path, taxonomy):
    rows = [
        ["讨薪", "青石桥工地的工钱没有发,食堂也断了水。", "wages", "utilities", "appeal", "w1"],
        ["", "请问柳荫巷何时通气?", "utilities", "", "inquiry", "w2"],
    ]
    labelled = read_labelled([records(tmp_path / "own.jsonl", rows, FIELDS)], taxonomy)
    assert [(item.letter.title, item.letter.body, item.category, item.second, item.purpose, item.writer) for item in labelled.letters] == [
        tuple(row) for row in rows
    ]
    assert [item.letter.id for item in labelled.letters] == ["own-001", "own-002"]


@pytest.mark.parametrize("says", ["否", "未", " no ", "FALSE", "0", "０", "", "未复核"])
@pytest.mark.parametrize("name", ["已复核", "是否复核", "reviewed"])
def test_only_reviewed_labels_are_learned(tmp_path, taxonomy, name, says):
    rows = [[*row, "是"] for row in GOOD] + [["00126", "", "这一行还没有人看过。", "不是类别", says]]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows, [*HEADER, name])], taxonomy)
    assert [item.letter.id for item in labelled.letters] == ["00123", "00124", "00125"]
    assert (labelled.refused, labelled.sources[0].unreviewed) == (0, 1)
    assert "letters.csv: rows left out, not reviewed: 1" in labelled.notes


@pytest.mark.parametrize(
    ("cell", "category", "second"),
    [
        ("拖欠工资 ", "wages", ""),
        ("\u3000拖欠 工资", "wages", ""),
        ("拖欠工资\u200b", "wages", ""),
        ("ＷＡＧＥＳ", "wages", ""),
        ("Wages", "wages", ""),
        ("供水供电供气供热;拖欠工资", "utilities", "wages"),
        ("供水供电供气供热；拖欠工资", "utilities", "wages"),
        ("wages、utilities", "wages", "utilities"),
        ("拖欠工资 / 供水供电供气供热", "wages", "utilities"),
        ("拖欠工资\n供水供电供气供热", "wages", "utilities"),
        ("拖欠工资;wages;", "wages", ""),
    ],
)
def test_a_label_is_a_code_or_a_name_as_staff_type_it(tmp_path, taxonomy, cell, category, second):
    labelled = read_labelled([table(tmp_path / "letters.csv", [*GOOD, ["1", "", "青石桥的事情。", cell]])], taxonomy)
    assert (labelled.letters[-1].category, labelled.letters[-1].second) == (category, second)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("供暧", ["类别“供暧”不在分类表中", "共 2 行", "最接近的是“供水供电供气供热”"]),
        ("欠薪", ["“欠薪”", "最接近的是“拖欠工资”"]),
        ("wage", ["“wage”", "最接近的是“拖欠工资”"]),
        ("拖欠工资2", ["“拖欠工资2”", "最接近的是“拖欠工资”"]),
        ("无", ["“无”不在分类表中，共 2 行如此。请改为"]),
        ("拖欠工资;供暧", ["“供暧”不在分类表中"]),
        ("拖欠工资;公路建设养护;其他", ["有 3 个类别，最多两个"]),
        ("", ["类别为空"]),
        (" \u200b ", ["类别为空"]),
        ("很长的类别" * 30, ["类别有 150 个字", "是否选错了列"]),
    ],
)
def test_a_label_that_cannot_be_used_is_refused_with_value_count_and_nearest_name(tmp_path, taxonomy, cell, says):
    rows = [*GOOD, ["1", "", "青石桥的事情。", cell], ["2", "", "松月村的事情。", cell]]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy)
    assert (len(labelled.letters), labelled.refused) == (3, 2)
    for reason, line in zip(reasons(labelled), (5, 6), strict=True):
        assert reason.startswith(f"letters.csv 第 {line} 行：")
        assert all(part in reason for part in says)


def test_unknown_labels_are_listed_once_with_their_count(tmp_path, taxonomy):
    rows = [*GOOD, *GOOD, *([str(number), "", f"第{number}件事情。", "供暧"] for number in range(3))]
    assert 'category "供暧" is unknown, rows refused: 3 (nearest "供水供电供气供热")' in read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy).notes


def test_of_many_unknown_labels_the_most_frequent_are_listed(tmp_path, taxonomy):
    rows = [[str(n), "", f"第{n}件事情。", "拖欠工资" if n % 2 else "其他"] for n in range(60)] + [[f"u{n}", "", f"又有{n}件。", f"怪{n}"] for n in range(30)]
    notes = read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy).notes
    assert sum("is unknown" in note for note in notes) == 20
    assert "category: 10 more are unknown; is it the right column?" in notes


def test_a_file_may_bring_categories_of_its_own(tmp_path, taxonomy):
    rows = [
        ["1", "", "青石桥的桥。", "城乡建设 "],
        ["2", "", "松月村的路。", "交通运输"],
        ["3", "", "梨花湾的学校。", "教育文体"],
        ["4", "", "谁欠工钱。", "拖欠工资"],
    ]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy)
    assert labelled.own_labels
    assert [item.category for item in labelled.letters] == ["城乡建设", "交通运输", "教育文体", "拖欠工资"]
    assert labelled.refused == 0
    assert "own categories" in labelled.notes[0]


def test_two_own_labels_in_a_cell_are_no_label_of_their_own(tmp_path, taxonomy):
    labels = ["甲类", "乙类", "丙类/丁类", "Road works", "road  works", "乙类;甲类", "甲类;乙类;Road works"]
    rows = [[str(number), "", f"第{number}件事情。", label, "没有这类" if number else "乙类"] for number, label in enumerate(labels)]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows, [*HEADER, "第二类别"])], taxonomy)
    assert [(item.category, item.second) for item in labelled.letters] == [
        ("甲类", "乙类"),
        ("乙类", ""),
        ("丙类/丁类", ""),
        ("Road works", ""),
        ("Road works", ""),
        ("乙类", "甲类"),
    ]
    assert "有 3 个类别" in reasons(labelled)[0]


def test_files_are_judged_together(tmp_path, taxonomy):
    odd = table(tmp_path / "odd.csv", [["7", "", "梨花湾的学校。", "教育文体"], ["8", "", "梨花湾的电。", "utilities"], ["9", "", "梨花湾的球场。", "体育"]])
    assert read_labelled([odd], taxonomy).own_labels
    labelled = read_labelled([table(tmp_path / "letters.csv", GOOD), odd], taxonomy)
    assert not labelled.own_labels
    assert [path.name for path in labelled.refused_files] == ["odd.refused.csv"]
    assert [(source.name, source.used, source.refused) for source in labelled.sources] == [("letters.csv", 3, 0), ("odd.csv", 1, 2)]


@pytest.mark.parametrize(
    ("purposes", "read", "refused"),
    [
        (["申诉求决", "inquiry", ""], ["appeal", "inquiry", ""], 0),
        (["申诉求决", "询问", "建议 意见"], ["appeal", "suggestion"], 1),
        (["投诉", "求助", "咨询"], ["", "", ""], 0),
    ],
)
def test_purposes_are_optional_and_judged_as_a_whole(tmp_path, taxonomy, purposes, read, refused):
    rows = [[*row, purpose] for row, purpose in zip(GOOD, purposes, strict=True)]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows, [*HEADER, "诉求目的"])], taxonomy)
    assert [item.purpose for item in labelled.letters] == read
    assert labelled.refused == refused
    assert all("目的“询问”不在分类表中" in reason for reason in reasons(labelled))
    assert any("purposes are not those" in note for note in labelled.notes) == (purposes[0] == "投诉")


@pytest.mark.parametrize(
    ("text", "weight", "says"),
    [
        ("", "", "正文为空"),
        (" \u3000\n", "", "正文为空"),
        ("……!!。", "", "正文只有空白或标点"),
        ("\u200b😀", "", "正文只有空白或标点"),
        ("长" * 100_001, "", "来信有 100,001 个字"),
        ("青石桥的事情。", "很重", "权重“很重”不是大于 0"),
        ("青石桥的事情。", "-1", "权重“-1”"),
        ("青石桥的事情。", "nan", "权重“nan”"),
        ("青石桥的事情。", "1e9", "权重“1e9”"),
    ],
)
def test_a_letter_that_teaches_nothing_is_refused(tmp_path, taxonomy, text, weight, says):
    rows = [[*row, "2"] for row in GOOD] + [["1", "", text, "拖欠工资", weight]]
    labelled = read_labelled([table(tmp_path / "letters.csv", rows, [*HEADER, "权重"])], taxonomy)
    assert says in reasons(labelled)[0]
    assert [item.weight for item in labelled.letters] == [2.0, 2.0, 2.0]


def test_a_row_that_the_table_cannot_read_is_refused_with_its_cells(tmp_path, taxonomy):
    labelled = read_labelled([table(tmp_path / "letters.csv", [*GOOD, ["1", "多出一格", "正文", "其他", "x"], ["2", "少了一格"]])], taxonomy)
    assert [row[2:] for row in rows_of(labelled.refused_files[0])[1:]] == [["1", "多出一格", "正文", "其他", "x"], ["2", "少了一格"]]
    assert all("这一行读不出来" in reason for reason in reasons(labelled))


@pytest.mark.parametrize("word", ["NA", "null", "None", "无", "nan", "TRUE", "00123", "110101199001010000", "1.1E+17"])
def test_no_word_is_taken_for_nothing_and_no_id_for_a_number(tmp_path, taxonomy, word):
    labelled = read_labelled([table(tmp_path / "letters.csv", [*GOOD, [word, word, word, "其他"]])], taxonomy)
    letter = labelled.letters[-1].letter
    assert (letter.id, letter.title, letter.body) == (word, word, word)


def test_ids_that_excel_has_rounded_are_told(tmp_path, taxonomy):
    book = openpyxl.Workbook()
    for row in [HEADER, *GOOD, [110101199001010000, "", "青石桥的事情。", "其他"]]:
        book.active.append(row)
    book.save(tmp_path / "letters.xlsx")
    labelled = read_labelled([tmp_path / "letters.xlsx"], taxonomy)
    assert any("precision lost" in note and "row 5" in note for note in labelled.notes)
    assert labelled.letters[-1].letter.id.startswith("11010119900101")


def test_a_workbook_as_offices_keep_it_is_read(tmp_path, taxonomy):
    """The letters on the second sheet, blank rows that someone formatted, a merged category, a date, a broken formula."""
    book = openpyxl.Workbook()
    book.active.title = "说明"
    sheet = book.create_sheet("来信")
    for row in [[*HEADER, "收到日期"], *([*row, date(2026, 3, 5)] for row in [WAGES, ["00126", "", "还是青石桥的工钱。", ""], WATER])]:
        sheet.append(row)
    sheet.merge_cells("D2:D3")
    for number in range(5, 400):
        sheet.cell(number, 3).font = openpyxl.styles.Font(bold=True)
    sheet.append(["00127", "", "松月村的事情。", "#REF!"])
    sheet.cell(sheet.max_row, 4).data_type = "e"
    book.save(tmp_path / "letters.xlsx")
    labelled = read_labelled([tmp_path / "letters.xlsx"], taxonomy, sheet="来信")
    assert [item.category for item in labelled.letters] == ["wages", "wages", "utilities"]
    assert labelled.sources[0].rows == 4
    assert any("blank rows skipped" in note for note in labelled.notes)
    assert "第 400 行：这一行读不出来" in reasons(labelled)[0]
    assert read_labelled([tmp_path / "letters.xlsx"], taxonomy).letters == labelled.letters


def test_a_letter_counts_once_under_a_label_and_is_kept_under_each_of_two(tmp_path, taxonomy):
    again = ["00999", WAGES[1], WAGES[2].replace(",", ",") + " ", "wages"]
    other = ["01000", WAGES[1], WAGES[2], "劳动关系与工伤"]
    paths = [table(tmp_path / "first.csv", [*GOOD, again]), table(tmp_path / "second.csv", [WATER, other])]
    labelled = read_labelled(paths, taxonomy)
    assert [item.letter.id for item in labelled.letters] == ["00123", "00124", "00125", "01000"]
    assert [source.repeats for source in labelled.sources] == [1, 1]
    assert labelled.refused == 0
    assert "first.csv: rows left out, repeats of a letter under its label: 1" in labelled.notes


def test_a_source_is_named_without_its_folder_and_by_its_bytes(tmp_path, taxonomy):
    import hashlib

    path = table(tmp_path / "letters.csv", GOOD)
    source = read_labelled([path], taxonomy).sources[0]
    assert (source.name, source.sha256) == ("letters.csv", hashlib.sha256(path.read_bytes()).hexdigest())


def test_refused_rows_that_a_clerk_corrects_are_learned(tmp_path, taxonomy):
    bad = [["1", "", "=SUM(A1)", "供暧"], ["2", "-讨薪", "+工钱没有发。", "拖欠工钱"], ["3", "", "", "=1+1"]]
    path = table(tmp_path / "letters.csv", [*GOOD, *bad])
    first = read_labelled([path], taxonomy)
    refused = tmp_path / "letters.refused.csv"
    assert first.refused_files == (refused,)
    header, *rows = rows_of(refused)
    assert header == ["行号", "原因", *HEADER]
    assert [row[0] for row in rows] == ["5", "6", "7"]
    assert (rows[0][4], rows[1][3], rows[2][5]) == ("'=SUM(A1)", "'-讨薪", "'=1+1")
    corrected = [[*row[:5], label] for row, label in zip(rows, ["'utilities", "拖欠工资", "'=1+1"], strict=True)]
    corrected[0][5] = "utilities"
    table(refused, corrected, header)

    second = read_labelled([path, refused], taxonomy)
    assert [(item.letter.id, item.letter.title, item.letter.body, item.category) for item in second.letters[3:]] == [
        ("1", "", "=SUM(A1)", "utilities"),
        ("2", "-讨薪", "+工钱没有发。", "wages"),
    ]
    assert rows_of(refused) == [header, *corrected], "the file that the clerk corrected is left alone"
    assert [path.name for path in second.refused_files] == ["letters.refused.2.csv", "letters.refused.refused.csv"]
    still = rows_of(second.refused_files[1])
    assert still[0] == header
    assert [still[1][0], *still[1][2:]] == ["4", "3", "", "", "'=1+1"]


def test_labels_that_look_like_formulas_survive_the_round_trip(tmp_path, taxonomy):
    labels = ["-其他-", "=1+1", "@群众", "＋好评"]
    rows = [[str(number), "", f"第{number}件事情。", label] for number, label in enumerate(labels)]
    plain = read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy)
    guarded = read_labelled([table(tmp_path / "guarded.csv", [[*row[:3], f"'{row[3]}"] for row in rows])], taxonomy)
    assert [item.category for item in plain.letters] == [item.category for item in guarded.letters] == ["-其他-", "=1+1", "@群众", "+好评"]


def test_the_refused_file_is_of_the_last_run(tmp_path, taxonomy):
    refused, old = tmp_path / "letters.refused.csv", tmp_path / "letters.refused.old.csv"
    bad = ["1", "", "青石桥的事情。", "供暧"]
    path = table(tmp_path / "letters.csv", [*GOOD, bad])
    read_labelled([path], taxonomy)
    first = refused.read_bytes()
    read_labelled([path], taxonomy)
    assert refused.read_bytes() == first
    assert not old.exists()

    by_hand = rows_of(refused)
    by_hand[1][5] = "utilities"
    table(refused, by_hand[1:], by_hand[0])
    read_labelled([path], taxonomy)
    assert refused.read_bytes() == first
    assert rows_of(old) == by_hand, "what a person wrote is not lost"

    table(path, GOOD)
    assert read_labelled([path], taxonomy).refused_files == ()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["letters.csv", "letters.refused.old.csv"]


def test_files_of_one_name_have_their_own_refused_files(tmp_path, taxonomy):
    bad = ["1", "", "青石桥的事情。", "供暧"]
    labelled = read_labelled([table(tmp_path / "letters.csv", [*GOOD, bad]), workbook(tmp_path / "letters.xlsx", [*GOOD, bad])], taxonomy)
    assert [path.name for path in labelled.refused_files] == ["letters.refused.csv", "letters.refused.2.csv"]
    assert [reason.split("：")[0] for reason in reasons(labelled)] == ["letters.csv 第 5 行", "letters.xlsx 第 5 行"]


@pytest.mark.parametrize("stem", ["letters", "x" * 245])
def test_refused_rows_that_cannot_be_written_stop_the_training(tmp_path, taxonomy, stem):
    (tmp_path / "letters.refused.csv").mkdir()
    (tmp_path / "letters.refused.csv" / "kept.txt").touch()
    (tmp_path / "letters.refused.old.csv").mkdir()
    (tmp_path / "letters.refused.old.csv" / "kept.txt").touch()
    path = table(tmp_path / f"{stem}.csv", [*GOOD, ["1", "", "青石桥的事情。", "供暧"]])
    with pytest.raises(StorageError, match="refused"):
        read_labelled([path], taxonomy)
    assert not list(tmp_path.glob("*.new.csv"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["1", "", "青石桥的事情。", ""]], r"no letter can be used \(1 rows, 1 refused, 0 not reviewed\).*Correct the rows in letters.refused.csv"),
        (
            [["1", "", "青石桥的事情。", "拖欠工资"], ["2", "", "松月村的事情。", "wages"]],
            r'all 2 letters are "wages".*at least two categories.*Add letters of other',
        ),
        ([["1", "", "青石桥的事情。", "甲类"]], r'all 1 letters are "甲类"'),
    ],
)
def test_fewer_than_two_categories_are_refused_in_plain_words(tmp_path, taxonomy, rows, says):
    with pytest.raises(InputError, match=f"^letters.csv: {says}") as caught:
        read_labelled([table(tmp_path / "letters.csv", rows)], taxonomy)
    assert (caught.value.kind, caught.value.status) == ("not-enough-classes", 422)


def test_when_nobody_has_reviewed_the_error_says_so(tmp_path, taxonomy):
    path = table(tmp_path / "letters.csv", [[*row, ""] for row in GOOD], [*HEADER, "已复核"])
    with pytest.raises(InputError, match="3 not reviewed"):
        read_labelled([path], taxonomy)


def test_a_header_without_rows_is_refused_in_plain_words(tmp_path, taxonomy):
    with pytest.raises(InputError, match="no letter can be used") as caught:
        read_labelled([table(tmp_path / "letters.csv", [])], taxonomy)
    assert caught.value.kind == "not-enough-classes"


def test_a_letters_words_stand_in_no_note_and_no_error(tmp_path, taxonomy):
    secret = "梨花湾的秘密一个字也不能说出去所以写得很长很长比任何一个类别都要长得多。"
    path = table(tmp_path / "letters.csv", [*GOOD, *GOOD[:1], ["1", "", secret, secret]])
    assert "秘密" not in " ".join(read_labelled([path], taxonomy).notes)
    with pytest.raises(InputError) as caught:
        read_labelled([table(tmp_path / "one.csv", [["1", "", "青石桥", secret * 2]])], taxonomy)
    assert "秘密" not in str(caught.value)


words = st.text(st.sampled_from("青石桥工钱。;= '\u200b"), max_size=6)
labels = st.sampled_from(["拖欠工资", "utilities", "公路建设养护", "供暧", "", "拖欠工资;其他", "=1"])
reviews = st.sampled_from(["是", "否"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(words, labels, reviews), max_size=12))
def test_every_row_is_used_refused_unreviewed_or_a_repeat(tmp_path, taxonomy, rows):
    certain = [[*row[2:], "是"] for row in GOOD]
    path = table(tmp_path / "letters.csv", [*certain, *rows], ["正文", "类别", "已复核"])
    labelled = read_labelled([path], taxonomy)
    source = labelled.sources[0]
    assert source.rows == len(certain) + len(rows) == source.used + source.refused + source.unreviewed + source.repeats
    assert (source.used, source.refused) == (len(labelled.letters), len(reasons(labelled)))


def test_the_documents_example_is_read_as_it_says(tmp_path, taxonomy):
    lines = DOCUMENT.read_text("utf-8").split("<!-- example -->\n")[1].split("\n\n")[0].splitlines()
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    labelled = read_labelled([table(tmp_path / "letters.csv", rows, header)], taxonomy)
    assert [(item.category, item.second, item.purpose) for item in labelled.letters] == [
        ("wages", "", "appeal"),
        ("utilities", "", "inquiry"),
        ("pollution", "wages", ""),
    ]
    assert (labelled.refused, labelled.sources[0].unreviewed) == (1, 1)


def test_the_document_lists_every_name_of_every_column():
    rows = {line.split()[1]: re.split(r"[\s:;|]+", line) for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| ")}
    for role, names in columns.NAMES.items():
        assert set(names) <= set(rows[role]), role
    assert set(columns.SECOND_LEVEL) <= set(rows["label"])
