"""Workbooks and Parquet: what a person sees in the cell is what is read, and no file can harm the program that reads it."""

import datetime as dt
import subprocess
import sys
import zipfile

import openpyxl
import pyarrow as pa
import pytest
import xlsxwriter
import xlwt
from pyarrow import parquet

from triage import sandbox
from triage.errors import InputError
from triage.tables import Row, read_table

pytestmark = pytest.mark.usefixtures("traced")  # what reads such files is a process with limits

HEADER = ["编号", "内容", "类别"]
OOXML = "http://schemas.openxmlformats.org"


DAY = dt.datetime(2026, 3, 5)  # noqa: DTZ001 (Excel knows no time zones)


@pytest.fixture
def xlsx(tmp_path):
    """Write a workbook with a function that is handed its first sheet, and read it."""

    def write_and_read(fill, **options):
        with xlsxwriter.Workbook(tmp_path / "letters.xlsx") as book:
            fill(book, book.add_worksheet("来信"))
        table = read_table(tmp_path / "letters.xlsx", **options)
        return table, list(table.rows)

    return write_and_read


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        list(read_table(path, **options).rows)
    assert caught.value.exit_status == 4
    return f"{caught.value.kind}: {caught.value}"


def bare_workbook(path, cells):
    """A workbook of the least parts, with the rows as they are given in XML."""
    kind, part = f"{OOXML}/officeDocument/2006/relationships", "application/vnd.openxmlformats-officedocument.spreadsheetml"
    links = f'<Relationships xmlns="{OOXML}/package/2006/relationships"><Relationship Id="r1" Type="{kind}/%s" Target="%s"/></Relationships>'
    types = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{part}.{which}+xml"/>'
        for name, which in [("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet")]
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{OOXML}/package/2006/content-types"><Default Extension="rels" ContentType="application/xml"/>{types}</Types>',
        "_rels/.rels": links % ("officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": links % ("worksheet", "worksheets/sheet1.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{OOXML}/spreadsheetml/2006/main" xmlns:r="{kind}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{OOXML}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as box:
        for name, text in parts.items():
            box.writestr(name, text)


def far_cell(place, row):
    return f'<row r="{row}"><c r="{place}{row}" t="inlineStr"><is><t>x</t></is></c></row>'


def test_cells_are_read_as_a_person_sees_them(xlsx):
    def fill(book, sheet):
        day, minute = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "hh:mm"})
        sheet.write_row(0, 0, ["整数", "小数", "文字编号", "日期", "时刻", "时间", "勾选", "公式", "换行"])
        sheet.write_row(1, 0, [12, 0.5, "00123"])
        sheet.write_datetime(1, 3, DAY, day)
        sheet.write_datetime(1, 4, DAY.replace(hour=14, minute=20), day)
        sheet.write_datetime(1, 5, dt.time(14, 20), minute)
        sheet.write_boolean(1, 6, boolean=True)
        sheet.write_formula(1, 7, "=A2&B2", None, "12.5")
        sheet.write_string(1, 8, "第一行\r\n第二行")

    _, rows = xlsx(fill)
    assert rows == [Row(2, ("12", "0.5", "00123", "2026-03-05", "2026-03-05T14:20:00", "14:20:00", "TRUE", "12.5", "第一行\r\n第二行"))]


def test_a_number_that_excel_rounded_is_said_and_never_shown_as_a_power(xlsx):
    def fill(_, sheet):
        sheet.write_row(0, 0, HEADER)
        for number in range(1, 31):
            sheet.write_row(number, 0, [110101199003071234, "路灯不亮", "城乡建设"])

    table, rows = xlsx(fill)
    assert rows[0].cells[0] == "110101199003071200"
    assert table.notes == (
        f"precision lost: numbers of more than 15 digits, which Excel rounds, in row {', '.join(map(str, range(2, 22)))} and 10 more; keep such ids as text",
    )


def test_what_a_merged_range_shows_stands_in_each_of_its_rows(xlsx):
    def fill(_, sheet):
        sheet.merge_range("B2:D2", "东湖区来信汇总表")
        sheet.write_row("B3", HEADER)
        sheet.write_column("B4", ["1", "2", "3", "4"])
        sheet.write_column("C4", ["甲", "乙", "丙"])
        sheet.merge_range("D4:D6", "城乡建设")
        sheet.merge_range("C7:D7", "环境保护")

    table, rows = xlsx(fill)
    assert table.columns == tuple(HEADER)
    assert [row.cells for row in rows] == [("1", "甲", "城乡建设"), ("2", "乙", "城乡建设"), ("3", "丙", "城乡建设"), ("4", "环境保护", "环境保护")]
    assert "row 2 is taken for a title, not for the header" in table.notes


def test_formatted_blank_rows_are_passed_over_and_counted(xlsx):
    def fill(book, sheet):
        grey = book.add_format({"bg_color": "#eeeeee"})
        sheet.write_row(0, 0, HEADER)
        for number in [*range(1, 40), *range(41, 5000)]:
            sheet.write_blank(number, 20, None, grey)
        sheet.write_row(40, 0, ["1", "路灯不亮", "城乡建设"])

    table, rows = xlsx(fill)
    assert (table.columns, rows) == (tuple(HEADER), [Row(41, ("1", "路灯不亮", "城乡建设"))])
    assert table.notes == ("blank rows skipped: 39",)


def test_letters_in_hidden_rows_and_columns_are_letters_too(xlsx):
    def fill(_, sheet):
        for number, row in enumerate([HEADER, ["1", "路灯不亮", "城乡建设"], ["2", "油烟很大", "环境保护"]]):
            sheet.write_row(number, 0, row)
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})

    assert [row.cells[1] for row in xlsx(fill)[1]] == ["路灯不亮", "油烟很大"]


def test_a_cell_with_an_error_is_a_problem_of_its_row(xlsx):
    def fill(_, sheet):
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["1", "好", "城乡建设"])
        sheet.write_row(2, 0, ["2", "好"])
        sheet.write_formula(2, 2, "=VLOOKUP(A3,Z1:Z9,1)", None, "#N/A")
        sheet.write_row(3, 0, ["3", "好"])
        sheet.write_string(3, 2, "#REF!")

    _, rows = xlsx(fill)
    assert [row.problem for row in rows] == ["", "cell C3 holds an Excel error (such as #REF! or #DIV/0!)", "column 3 holds an Excel error (#REF!)"]


@pytest.mark.parametrize(("text", "whole"), [("长" * 32_766, True), ("长" * 32_767, False), ("𠮷" * 16_383 + "长", False), ("𠮷" * 16_383, True)])
def test_a_text_that_fills_a_cell_was_probably_cut(xlsx, text, whole):
    _, rows = xlsx(lambda _, sheet: (sheet.write_row(0, 0, HEADER), sheet.write_string(1, 1, text)))
    assert rows[0].cells[1] == text
    assert rows[0].problem == ("" if whole else "column 2 holds 32,767 characters, the most that Excel keeps: its text was probably cut off")


def test_the_first_sheet_that_holds_rows_is_read_and_the_others_are_named(xlsx):
    def fill(book, sheet):
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["1", "隐藏的", "城乡建设"])
        book.add_worksheet("空表").activate()
        book.get_worksheet_by_name("空表").set_first_sheet()
        sheet.hide()
        second = book.add_worksheet("二月")
        second.write_row(0, 0, HEADER)
        second.write_row(1, 0, ["2", "路灯不亮", "城乡建设"])

    table, rows = xlsx(fill)
    assert (table.where, rows) == ('letters.xlsx sheet "二月"', [Row(2, ("2", "路灯不亮", "城乡建设"))])
    assert table.notes == ('sheets not read: "空表", "来信"',)
    table, rows = xlsx(fill, sheet="来信")
    assert rows[0].cells[1] == "隐藏的"
    with pytest.raises(InputError, match=r'letters.xlsx: there is no sheet "三月". Its sheets are "空表", "二月", "来信". Name one of them.'):
        xlsx(fill, sheet="三月")
    with pytest.raises(InputError, match="hold no rows"):
        xlsx(fill, sheet="空表")


def test_excels_own_escapes_are_undone(tmp_path):
    bare_workbook(
        tmp_path / "letters.xlsx",
        '<row r="1"><c r="A1" t="inlineStr"><is><t>内容</t></is></c></row>' + far_cell("A", 2).replace(">x<", ">甲_x000D_\n乙_x0000_<"),
    )
    assert [row.cells[0] for row in read_table(tmp_path / "letters.xlsx").rows] == ["甲\r\n乙"]


def test_old_excel_files_are_read(tmp_path):
    book = xlwt.Workbook()
    sheet = book.add_sheet("来信")
    for column, name in enumerate(HEADER):
        sheet.write(0, column, name)
    sheet.write(1, 0, 7)
    sheet.write(1, 1, "路灯不亮")
    sheet.write(2, 1, "油烟很大")
    sheet.write_merge(1, 2, 2, 2, "城乡建设")
    book.save(str(tmp_path / "letters.xls"))
    table = read_table(tmp_path / "letters.xls")
    assert table.where == 'letters.xls sheet "来信"'
    assert list(table.rows) == [Row(2, ("7", "路灯不亮", "城乡建设")), Row(3, ("", "油烟很大", "城乡建设"))]


def test_open_document_sheets_and_macro_workbooks_are_read(tmp_path):
    row = "".join(f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in HEADER)
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text"))
    with zipfile.ZipFile(tmp_path / "letters.ods", "w") as box:
        box.writestr("META-INF/manifest.xml", '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>')
        box.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        body = f'<table:table table:name="来信"><table:table-row>{row}</table:table-row><table:table-row>{row}</table:table-row></table:table>'
        box.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>",
        )
    assert list(read_table(tmp_path / "letters.ods").rows) == [Row(2, tuple(HEADER))]
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.active.append([1, "路灯不亮", "城乡建设"])
    book.save(tmp_path / "letters.xlsm")
    assert list(read_table(tmp_path / "letters.xlsm").rows) == [Row(2, ("1", "路灯不亮", "城乡建设"))]


@pytest.mark.parametrize("cells", [far_cell("A", 1) + far_cell("XFD", 1048576), far_cell("XFD", 1) + "".join(far_cell("A", row) for row in range(2, 20_000))])
def test_a_stray_cell_far_away_is_refused_and_the_program_lives(tmp_path, cells):
    bare_workbook(tmp_path / "letters.xlsx", cells)
    assert refusal(tmp_path / "letters.xlsx").startswith("spreadsheet-too-sparse: letters.xlsx: reading it takes more than 2048 MiB of memory")


def test_a_box_that_unpacks_to_too_much_is_refused_before_it_is_parsed(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as box, box.open("xl/workbook.xml", "w") as part:
        for _ in range(128):
            part.write(b" " * (1 << 20))
    with zipfile.ZipFile(tmp_path / "many.xlsx", "w") as box:
        for number in range(2001):
            box.writestr(f"xl/{number}", "")
    for name in ("bomb", "many"):
        assert refusal(tmp_path / f"{name}.xlsx").startswith(f"archive-too-large: {name}.xlsx: ")


def test_a_workbook_that_lies_about_a_size_is_damaged(tmp_path):
    bare_workbook(tmp_path / "letters.xlsx", far_cell("A", 1) + " " * 3_000_000)
    content = (tmp_path / "letters.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "letters.xlsx") as box:
        size = max(entry.file_size for entry in box.infolist())
    (tmp_path / "letters.xlsx").write_bytes(content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert refusal(tmp_path / "letters.xlsx").startswith("damaged-file: letters.xlsx: ")


def ole(*names):
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504 + b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in names)


def boxed(folder, flag=0, **parts):
    with zipfile.ZipFile(folder / "box", "w") as box:
        for name, text in parts.items():
            box.writestr(name.replace("_", "/"), text)
    content = bytearray((folder / "box").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= flag
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (lambda folder: ole("EncryptionInfo", "EncryptedPackage"), "encrypted-file", "文件已加密"),
        (lambda folder: boxed(folder, 1, xl_workbook="<workbook/>"), "encrypted-file", "文件已加密"),
        (lambda folder: ole("WordDocument"), "not-a-table", "Word document"),
        (lambda folder: ole("Workbook"), "damaged-file", "damaged or was cut off"),
        (lambda folder: ole("Contents"), "damaged-file", "damaged or was cut off"),
        (lambda folder: boxed(folder, **{"word_document.xml": ""}), "not-a-table", "Word document"),
        (lambda folder: boxed(folder, **{"a.csv": "", "b.csv": ""}), "not-a-table", "archive of 2 files"),
        (lambda folder: boxed(folder, **{"xl_workbook.xml": "<workbook"}), "damaged-file", "damaged or was cut off"),
        (lambda folder: boxed(folder, **{"xl_workbook.xml": "<workbook/>"})[:60], "damaged-file", "damaged or was cut off"),
        (lambda folder: b"PAR1" + b"\0" * 300 + b"PAR1", "damaged-file", "no Parquet"),
    ],
)
def test_each_thing_that_is_wrong_with_a_workbook_has_its_own_words(tmp_path, content, kind, said):
    (tmp_path / "letters.xlsx").write_bytes(content(tmp_path))
    message = refusal(tmp_path / "letters.xlsx")
    assert message.startswith(f"{kind}: letters.xlsx: ")
    assert said in message


def test_a_reader_that_takes_too_long_or_too_much_is_ended(tmp_path):
    path = tmp_path / "letters.xlsx"
    bare_workbook(path, far_cell("A", 1))
    with pytest.raises(InputError, match=r"takes longer than 0.0001 seconds"):
        list(sandbox.messages("triage.spreadsheets", "letters.xlsx", str(path), "", seconds=0.0001))
    bare_workbook(path, far_cell("A", 1) + far_cell("XFD", 2000))
    with pytest.raises(InputError, match=r"takes more than 256 MiB"):
        list(sandbox.messages("triage.spreadsheets", "letters.xlsx", str(path), "", memory=256 << 20))
    with pytest.raises(InputError, match=r"the reader stopped \(status 1\)"):
        list(sandbox.messages("triage.no_such_module", "letters.xlsx"))


def test_a_workbook_that_is_left_half_read_ends_its_reader(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "letters.xlsx") as book:
        sheet = book.add_worksheet()
        for number in range(5000):
            sheet.write_row(number, 0, [f"{number}", "路灯不亮" * 20, "城乡建设"])
    table = read_table(tmp_path / "letters.xlsx")
    assert next(table.rows).number == 2
    assert reader_processes(tmp_path)
    del table
    assert not reader_processes(tmp_path)


def reader_processes(folder):
    done = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, check=True, text=True)
    return [line for line in done.stdout.splitlines() if "triage.spreadsheets" in line and str(folder) in line]


def test_parquet_is_read_whatever_kind_its_texts_are(tmp_path):
    table = pa.table(
        {
            "编号": pa.array([110101199003071234, 2, None], pa.int64()),
            "内容": pa.array(["NA", "路灯\0不亮", "油烟"]).dictionary_encode(),
            "旧文本": pa.array(["一".encode(), b"", b"\xff"], pa.binary()),
            "日期": pa.array([dt.date(2026, 3, 5), None, None]),
            "比例": pa.array([1.0, 0.5, None]),
            "标签": pa.array([["a"], [], None]),
        }
    )
    parquet.write_table(table, tmp_path / "letters.parquet", row_group_size=2)
    read = read_table(tmp_path / "letters.parquet")
    assert read.columns == ("编号", "内容", "旧文本", "日期", "比例")
    assert read.notes == ("columns not read: 标签 (list<element: string>)",)
    assert list(read.rows) == [
        Row(1, ("110101199003071234", "NA", "一", "2026-03-05", "1")),
        Row(2, ("2", "路灯不亮", "", "", "0.5")),
        Row(3, ("", "", "", "", ""), "bytes that are not UTF-8"),
    ]


def test_parquet_without_rows_is_a_table_without_rows(tmp_path):
    parquet.write_table(pa.table({"编号": pa.array([], pa.string()), "内容": pa.array([], pa.string())}), tmp_path / "letters.parquet")
    table = read_table(tmp_path / "letters.parquet")
    assert (table.columns, list(table.rows)) == (("编号", "内容"), [])


def test_opening_a_table_does_not_load_what_reads_workbooks():
    code = "import sys, triage.tables, triage.exports; sys.exit(bool({'pyarrow', 'python_calamine', 'xlsxwriter', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
