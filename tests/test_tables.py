"""A file of letters comes in: its content says what it is, every row keeps its number, and nothing is guessed in silence."""

import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from triage import delimited, records, tables
from triage.errors import InputError
from triage.tables import Row, find_column, read_table

pytestmark = pytest.mark.usefixtures("traced")  # what reads such files is a process with limits

LETTERS = "编号,内容,类别\n001,路灯坏了三天,城乡建设\n002,楼下烧烤摊油烟很大,环境保护\n"
WORDS = "东湖路的路灯坏了,没有人来修"


def zipped(content, *others):
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as file:
        for name in ("来信.csv", *others):
            file.writestr(name, content)
    return box.getvalue()


def read(tmp_path, content, name="letters.csv", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_table(path, **options)
    return table, list(table.rows)


def refusal(tmp_path, content, name="letters.csv", **options):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, name, **options)
    assert caught.value.exit_status == 4
    assert WORDS not in str(caught.value)
    return f"{caught.value.kind}: {caught.value}"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("gb18030", ("read as GB18030",)),
        ("gbk", ("read as GB18030",)),
        ("utf-16", ("read as UTF-16",)),
        ("utf-32", ("read as UTF-32",)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_read_in_the_encoding_it_was_written_in(tmp_path, encoding, said, packed):
    content = LETTERS.encode(encoding)
    table, rows = read(tmp_path, gzip.compress(content, mtime=0) if packed else content)
    assert table.columns == ("编号", "内容", "类别")
    assert rows == [Row(2, ("001", "路灯坏了三天", "城乡建设")), Row(3, ("002", "楼下烧烤摊油烟很大", "环境保护"))]
    assert table.notes == said


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, zipped, lambda content: zipped(content, "来信/", "__MACOSX/._来信.csv")])
@pytest.mark.parametrize("name", ["letters.csv", "letters.csv.packed"])
def test_a_packed_table_is_read_whatever_packed_it(tmp_path, pack, name):
    table, rows = read(tmp_path, pack(LETTERS.encode("gb18030") * 3000), name)
    assert (table.columns, len(rows), table.notes) == (("编号", "内容", "类别"), 8999, ("read as GB18030",))
    assert rows[-1] == Row(9000, ("002", "楼下烧烤摊油烟很大", "环境保护"))


def test_a_box_of_several_files_is_no_table(tmp_path):
    assert "an archive of 2 files" in refusal(tmp_path, zipped(LETTERS, "二月.csv"), "letters.zip")
    assert "packed workbook" in refusal(tmp_path, zipped(zipped(LETTERS, "二月.csv")), "letters.zip")


@pytest.mark.parametrize("letter", ["𠮷", "㐂", "\ue000", "€", "ǹ"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_rare_characters_come_through_unchanged(tmp_path, letter, encoding):
    _, rows = read(tmp_path, f"编号,内容\n1,姓名为{letter}的村民\n".encode(encoding))
    assert rows[0].cells[1] == f"姓名为{letter}的村民"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LETTERS.encode() * 99 + b"3,\xff" + LETTERS.encode(), f"line 298: byte {99 * len(LETTERS.encode()) + 2:,} of the file is not UTF-8"),
        (LETTERS.encode()[:-2] + b"\n", f"line 3: byte {len(LETTERS.encode()) - 4} of the file is not UTF-8"),
        (LETTERS.encode("gb18030") + b"3,\xff", f"line 4: byte {len(LETTERS.encode('gb18030')) + 2} of the file is not GB18030"),
        (LETTERS.encode("gb18030") + "3,路灯不亮三\n".encode(), "line 4: byte 89 of the file is not GB18030"),
        (LETTERS.encode("utf-16-le"), "looks like UTF-16-LE without a byte order mark"),
        (LETTERS.encode("utf-16-be"), "looks like UTF-16-BE without a byte order mark"),
        ("編號,內容\n1,我們里的路燈是在上個月壞的,一個月了都沒有人來\n".encode("big5"), "looks like Big5"),
        ("id,text\n1,the lamp is broken\n".encode("cp037"), "looks like EBCDIC"),
        (b"\xff\xfe" + LETTERS.encode("utf-16-le")[:-1], "is not UTF-16"),
    ],
)
def test_an_encoding_that_does_not_fit_the_whole_file_is_refused_with_its_place(tmp_path, content, said):
    message = refusal(tmp_path, content)
    assert message.startswith("unknown-encoding: letters.csv")
    assert said in message
    assert "name the encoding" in message


def test_the_encoding_that_a_person_names_wins(tmp_path):
    _, rows = read(tmp_path, "編號,內容\n1,路燈壞了\n".encode("big5"), encoding="big5")
    assert rows[0].cells == ("1", "路燈壞了")
    assert "byte 0" in refusal(tmp_path, LETTERS.encode("gb18030"), encoding="utf-8")
    assert 'encoding "klingon" is unknown' in refusal(tmp_path, LETTERS, encoding="klingon")
    assert 'encoding "hex" is unknown' in refusal(tmp_path, LETTERS, encoding="hex")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "，"])
def test_the_delimiter_is_taken_from_the_header(tmp_path, delimiter):
    content = f"编号{delimiter}内容\n1{delimiter}路灯不亮、没人修。\n"
    table, rows = read(tmp_path, content)
    assert table.columns == ("编号", "内容")
    assert rows == [Row(2, ("1", "路灯不亮、没人修。"))]


def test_a_line_that_names_the_delimiter_is_believed(tmp_path):
    table, rows = read(tmp_path, "sep=;\r\n编号,旧;内容\r\n1;路灯不亮\r\n")
    assert table.columns == ("编号,旧", "内容")
    assert rows == [Row(3, ("1", "路灯不亮"))]


def test_signs_in_the_text_do_not_outvote_the_delimiter(tmp_path):
    table, rows = read(tmp_path, "编号\t内容(标题,正文)\n1\t一,二,三\n2\t四;五\n")
    assert table.columns == ("编号", "内容(标题,正文)")
    assert [row.problem for row in rows] == ["", ""]


def test_one_column_is_read_as_one_and_said(tmp_path):
    table, rows = read(tmp_path, "内容\n路灯不亮\n")
    assert table.notes == ("one column only",)
    assert rows == [Row(2, ("路灯不亮",))]


@pytest.mark.parametrize("content", ["编号^内容\n1^路灯不亮\n", "编号\x01内容\n1\x01路灯不亮\n", WORDS.replace(",", "") * 5 + "\n"])
def test_a_file_without_a_known_delimiter_is_not_read_as_one_giant_column(tmp_path, content):
    message = refusal(tmp_path, content)
    assert message.startswith("unknown-delimiter: ")
    assert WORDS[:6] not in message


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ('1,"没有关上\n2,好\n3,好\n', 2),
        ('1,好\n2,"两\n行",好\n3,"没有关上\n4,好\n', 5),
        ('1,好\n2,"第一\n行","没有关上\n4,"好"\n', 4),
        ('1,好\n2,"他说"好"不行"\n', 3),
        ('1,好\r\n2,"没有""关上""\r\n3,好', 3),
    ],
)
def test_a_quote_that_is_not_closed_is_refused_with_the_line_where_it_opens(tmp_path, rest, line):
    content = "编号,内容\n" + rest
    assert refusal(tmp_path, content).startswith(f"unclosed-quote: letters.csv line {line}: the quote that opens here is not closed.")


def test_rows_keep_their_line_whatever_ends_the_lines(tmp_path):
    content = '编号,内容\r\n1,"第一行\n第二行\r第三行"\r2,短\n\n\r\n3,"引号""在内"\n'
    _, rows = read(tmp_path, content)
    assert rows == [Row(2, ("1", "第一行\n第二行\r第三行")), Row(5, ("2", "短")), Row(8, ("3", '引号"在内'))]


def test_a_row_of_another_width_is_a_problem_of_that_row_only(tmp_path):
    _, rows = read(tmp_path, "编号,内容,类别\n1,少\n2,甲,乙,丙\n3,好,丁\n4,好,丁,,\n ,\t,\u3000\n")
    assert [(row.number, row.problem) for row in rows] == [(2, "2 cells under 3 columns"), (3, "4 cells under 3 columns"), (4, ""), (5, "")]
    assert rows[3].cells == ("4", "好", "丁")


@pytest.mark.parametrize("cell", ["NA", "null", "None", "无", "nan", "#N/A", "00123", "110101199003071234", "1.1E+17", "TRUE", "2026/3/5", " 两边有空格 "])
def test_a_cell_stays_the_text_that_it_is(tmp_path, cell):
    _, rows = read(tmp_path, f"编号,内容\n1,{cell}\n")
    assert rows[0].cells[1] == cell


def test_nul_characters_are_taken_out_and_counted(tmp_path):
    table, rows = read(tmp_path, '编号,内容\n1,路\0灯\n2,"不\0亮"\0\n')
    assert [row.cells[1] for row in rows] == ["路灯", "不亮"]
    assert table.notes == ("3 NUL characters removed",)


def test_a_long_cell_is_read_whole_and_a_line_without_end_is_refused(tmp_path):
    _, rows = read(tmp_path, f"编号,内容\n1,{'长' * 200_000}\n")
    assert len(rows[0].cells[1]) == 200_000
    long = "x" * (delimited.MAX_CELL + 1)
    assert "line 3: a cell is longer than 16,777,216 characters" in refusal(tmp_path, f"编号,内容\n1,好\n2,{long}\n")


def test_headers_are_cleaned_and_each_can_be_named(tmp_path):
    table, _ = read(tmp_path, "\ufeff 编号 ,内容,,\u3000内容\n1,甲,乙,丙\n")
    assert table.columns == ("编号", "内容 (column 2)", "(column 3)", "内容 (column 4)")
    assert find_column(table.columns, [], given="内容 (column 4)", where=table.where, meaning="text") == 3


def test_a_title_above_the_header_is_passed_over_and_said(tmp_path):
    table, rows = read(tmp_path, "东湖区来信汇总表,,\n编号,内容,类别\n1,路灯不亮,城乡建设\n")
    assert table.columns == ("编号", "内容", "类别")
    assert [row.number for row in rows] == [3]
    assert table.notes == ("row 1 is taken for a title, not for the header",)


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    table, rows = read(tmp_path, "编号,内容\n")
    assert (table.columns, rows) == (("编号", "内容"), [])


@pytest.mark.parametrize("content", ["", "\n\r\n", " , \n,\n", "\ufeff", "\0\0\0"])
def test_a_file_that_holds_nothing_is_refused(tmp_path, content):
    assert refusal(tmp_path, content).startswith("empty-file: letters.csv: the file is empty.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\ufeff<html><body><table><tr><td>路灯</td></tr></table>", "网页另存"),
        ('<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', "网页另存"),
        (b"Rar!\x1a\x07\x00", ".rar"),
        (b"7z\xbc\xaf\x27\x1c", ".7z"),
        (b"\x28\xb5\x2f\xfd\x00", ".zst"),
        (b"PK\x05\x06" + b"\0" * 18, "empty .zip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"PARE", "encrypted Parquet"),
        (gzip.compress(LETTERS.encode() * 999)[:99], "damaged or was cut off"),
        (bz2.compress(LETTERS.encode() * 9)[:99], "damaged or was cut off"),
        (bz2.compress(LETTERS.encode() * 9)[:50] + b"damaged" + bz2.compress(LETTERS.encode() * 9)[50:], "damaged or was cut off"),
        (lzma.compress(LETTERS.encode() * 9)[:99], "damaged or was cut off"),
        (lzma.compress(LETTERS.encode(), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]), "damaged or was cut off"),
        (zipped(LETTERS.encode()).replace("路灯".encode(), "路牌".encode()), "damaged or was cut off"),
        (zipped(LETTERS.encode()).replace("路灯".encode(), b"?"), "damaged or was cut off"),
        (gzip.compress(b"PK\x03\x04"), "packed workbook"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_what_is_no_table_is_called_by_its_name(tmp_path, content, said):
    message = refusal(tmp_path, content, "letters.xls")
    assert said in message
    assert message.split(": ")[0] in {"not-a-table", "damaged-file"}


def test_a_csv_under_a_spreadsheets_name_is_read(tmp_path):
    table, rows = read(tmp_path, LETTERS, "letters.xlsx")
    assert (table.where, len(rows)) == ("letters.xlsx", 2)
    assert 'there is no sheet "来信"' in refusal(tmp_path, LETTERS, sheet="来信")


def test_what_is_no_file_is_refused_with_path_and_reason(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, reason in [
        (tmp_path / "none.csv", "No such file or directory"),
        (tmp_path, "a folder, not a file"),
        (tmp_path / "pipe", "a pipe, not a file"),
        (Path("/dev/zero"), "a device, not a file"),
        (tmp_path / "nul\0", "not a file name"),
    ]:
        with pytest.raises(InputError) as caught:
            read_table(path)
        assert str(caught.value).startswith(f"{tables.shown(str(path))}: {reason}")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may read every file")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    path = tmp_path / "locked.csv"
    path.touch(mode=0)
    with pytest.raises(InputError, match="Permission denied"):
        read_table(path)


def test_a_file_name_cannot_forge_a_line_of_an_error(tmp_path):
    table, _ = read(tmp_path, LETTERS, "a\nerror\u202e.csv")
    assert table.where == "a?error?.csv"


def test_json_lines_are_rows_and_a_bad_line_is_a_problem_of_its_own(tmp_path):
    lines = [
        '\ufeff{"id": 110101199003071234567890, "text": "路灯不亮", "ok": true}',
        "",
        '{"text": "第二\\u0000封", "id": 1.10, "ok": null}',
        '{"text": "少一个字段"}',
        '{"text": "尾巴多了逗号",}',
        "[1, 2]",
        '{"text": "\\ud800"}',
        '{"text": NaN}',
        '{"text": "一", "text": "二"}',
        '{"text": ["列表"]}',
        "[" * 100_000,
        "{}",
    ]
    table, rows = read(tmp_path, "\n".join(lines), "letters.jsonl")
    assert table.columns == ("id", "text", "ok")
    assert [row.cells for row in rows[:3]] == [("110101199003071234567890", "路灯不亮", "true"), ("1.10", "第二封", ""), ("", "少一个字段", "")]
    assert [(row.number, row.problem) for row in rows] == [
        (1, ""),
        (3, ""),
        (4, ""),
        (5, rows[3].problem),
        (6, "not a JSON object"),
        (7, "half a character (a lone surrogate)"),
        (8, "not JSON (NaN is no number)"),
        (9, "a key stands twice"),
        (10, '"text" holds a list or an object, not a text'),
        (11, rows[9].problem),
    ]
    assert rows[3].problem.startswith("not JSON")
    assert rows[9].problem.startswith("not JSON")


def test_a_json_line_of_endless_length_is_a_problem_of_its_own(tmp_path):
    _, rows = read(tmp_path, f'{{"text": "好"}}\n{{"text": "{"x" * records.MAX_CELL}"}}\n{{"text": "好"}}\n', "letters.jsonl")
    assert [row.problem for row in rows] == ["", "more than 16,777,216 characters on one line", ""]


def test_a_json_key_that_turns_up_late_is_not_lost_in_silence(tmp_path):
    content = '{"text": "好"}\n' * records.KEYS_FROM + '{"text": "好", "label": "城乡建设"}\n'
    _, rows = read(tmp_path, content, "letters.jsonl")
    assert [row.problem for row in rows if row.problem] == ['key "label" is not among those of the first 1,000 lines']


def test_one_json_array_is_read_too(tmp_path):
    content = json.dumps([{"text": "路灯不亮"}, 5, {"text": "油烟很大"}], ensure_ascii=False, indent=1)
    _, rows = read(tmp_path, content, "letters.json")
    assert rows == [Row(1, ("路灯不亮",)), Row(2, ("",), "not a JSON object"), Row(3, ("油烟很大",))]
    assert refusal(tmp_path, '[{"text": "好"},', "letters.json").startswith("invalid-json: letters.json: not a JSON array (not JSON (column 16))")
    assert refusal(tmp_path, '[{"text": "' + "x" * records.MAX_ARRAY + '"}]', "big.json").startswith(
        "array-too-large: big.json: a JSON array of more than 67,108,864"
    )


def test_json_that_spreads_one_object_over_many_lines_is_refused(tmp_path):
    assert refusal(tmp_path, '{"text":\n"好"\n}', "letters.jsonl").startswith("invalid-json: letters.jsonl line 1: not JSON")


def test_a_table_that_is_left_half_read_closes_its_file(tmp_path):
    (tmp_path / "letters.csv").write_text(LETTERS * 1000, "utf-8")
    table = read_table(tmp_path / "letters.csv")
    assert next(table.rows).number == 2
    del table  # an open file would warn, and a warning is an error


@pytest.mark.parametrize(
    ("columns", "names", "found"),
    [
        (["编号", "内容"], ["正文", "内容"], 1),
        (["正文", "内容"], ["内容", "正文"], 1),
        (["ID", "ＴＥＸＴ"], ["text"], 1),
        (["编号", "信件　内容 "], ["信件内容"], 1),
        (["编号", "内容2"], ["内容"], None),
        ([], ["内容"], None),
    ],
)
def test_a_column_is_found_by_the_first_of_its_names_that_is_there(columns, names, found):
    assert find_column(columns, names, where="letters.csv", meaning="text") == found


@pytest.mark.parametrize(
    ("columns", "given", "kind", "said"),
    [
        (["Text", "TEXT "], "", "ambiguous-column", 'letters.csv: 2 columns may be the letter: "Text", "TEXT ". Name one of them.'),
        (["text (column 1)", "text (column 2)"], "text", "ambiguous-column", '"text (column 1)", "text (column 2)"'),
        (["编号", "内容"], "内客", "unknown-column", 'no column "内客" for the letter (nearest "内容"). Its columns are "编号", "内容". Name one of them.'),
        ([WORDS * 3, "内容"], "标签", "unknown-column", "Its columns are column 1 (42 characters), "),
    ],
)
def test_a_column_in_doubt_is_not_guessed(columns, given, kind, said):
    with pytest.raises(InputError) as caught:
        find_column(columns, ["text"], given=given, where="letters.csv", meaning="letter")
    assert caught.value.kind == kind
    assert said in str(caught.value)
    assert WORDS not in str(caught.value)


def test_the_exact_name_wins_over_one_that_is_only_alike():
    assert find_column(["TEXT", "text"], [], given="text", where="letters.csv", meaning="letter") == 1


@pytest.mark.skipif(not os.environ.get("TRIAGE_REAL_LETTERS"), reason="TRIAGE_REAL_LETTERS names no folder of real letters")
@pytest.mark.parametrize(("name", "count"), [("letters-7class.csv.gz", 8292), ("archive-letters.csv.gz", 4267)])
def test_real_letters_are_read_whole(name, count):
    table = read_table(Path(os.environ["TRIAGE_REAL_LETTERS"], name))
    assert sum(not row.problem for row in table.rows) == count


@pytest.mark.parametrize("rest", ['3,"没有关上\n4,好\n5,"好"\n', '3,"没有关上\n4,好\n5,好\n'])
def test_read_leniently_an_unclosed_quote_costs_its_row_and_no_other(tmp_path, rest):
    path = tmp_path / "letters.csv"
    path.write_text(f'编号,内容\n1,"两\n行"\n{rest}', "utf-8")
    found = list(read_table(path, lenient=True).rows)
    assert [(row.number, row.cells) for row in found] == [(2, ("1", "两\n行")), (4, ()), (5, ("4", "好")), (6, ("5", "好"))]
    assert "quote" in found[1].problem


def test_read_leniently_a_damaged_byte_marks_its_cell_and_the_rest_is_read(tmp_path):
    path = tmp_path / "letters.csv"
    path.write_bytes("编号,内容\n1,路灯三个晚上没有亮\n2,井盖不见".encode("gb18030") + b"\xff\n3," + "桥".encode("gb18030") + b"\n")
    table = read_table(path, lenient=True)
    assert table.notes == ("read as GB18030", "damaged: byte 41 and perhaps others are not GB18030; their rows are refused")
    assert [row.cells[1] for row in table.rows] == ["路灯三个晚上没有亮", "井盖不见\udcff", "桥"]


def test_what_is_damaged_throughout_is_refused_even_when_read_leniently(tmp_path):
    path = tmp_path / "letters.csv"
    path.write_bytes(b"id,text\n" + b"\x80\xff" * 50)
    with pytest.raises(InputError, match="is not"):
        read_table(path, lenient=True)
