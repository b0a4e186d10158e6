"""Rows go out for Excel: whole or not at all, and what a letter says is never run."""

import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from triage import exports
from triage.errors import InputError, StorageError
from triage.tables import read_table

COLUMNS = ["编号", "内容"]
WRITERS = pytest.mark.parametrize(("write", "name"), [(exports.write_csv, "out.csv"), (exports.write_xlsx, "out.xlsx")])


def cells(path):
    return [row.cells for row in read_table(path).rows]


@WRITERS
@pytest.mark.parametrize(
    "text", ["路灯不亮,没人修", '他说"好"', "第一行\n第二行", "00123", "110101199003071234", "NA", "𠮷", "https://example.org", "_x000D_", "a\tb", "  空格  "]
)
def test_what_is_written_is_read_back_unchanged(tmp_path, write, name, text):
    write(tmp_path / name, COLUMNS, [["1", text]])
    table = read_table(tmp_path / name)
    assert table.columns == tuple(COLUMNS)
    assert [row.cells for row in table.rows] == [("1", text)]


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "＝1+1", "＋1", "－1", "＠SUM(A1)"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(tmp_path, text):
    exports.write_csv(tmp_path / "out.csv", [text, "内容"], [["1", text]])
    assert cells(tmp_path / "out.csv") == [("1", f"'{text}")]
    assert read_table(tmp_path / "out.csv").columns[0] == f"'{text}"
    exports.write_xlsx(tmp_path / "out.xlsx", COLUMNS, [["1", text]])
    with zipfile.ZipFile(tmp_path / "out.xlsx") as box:
        sheet = box.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert sheet.count(b't="inlineStr"') == 4


def test_csv_opens_in_excel_with_its_characters_right(tmp_path):
    exports.write_csv(tmp_path / "out.csv", COLUMNS, [["1", "路灯"]])
    assert (tmp_path / "out.csv").read_bytes() == "\ufeff编号,内容\r\n1,路灯\r\n".encode()


def test_the_sheet_is_made_to_be_read(tmp_path):
    exports.write_xlsx(tmp_path / "out.xlsx", COLUMNS, [["1", "路灯不亮" * 50], ["2"]], sheet="待核对")
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx")["待核对"]
    assert sheet.freeze_panes == "A2"
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert sheet["B2"].alignment.wrap_text
    assert 8 <= sheet.column_dimensions["A"].width < 12
    assert 59 < sheet.column_dimensions["B"].width < 62


@pytest.mark.parametrize(("text", "length"), [("长" * 40_000, "40,000"), ("𠮷" * 20_000, "40,000")])
def test_a_text_too_long_for_excel_is_cut_and_said(tmp_path, text, length):
    notes = exports.write_xlsx(tmp_path / "out.xlsx", COLUMNS, [["1", "短"], ["2", text]])
    assert notes == (f'row 3 column "内容": {length} characters, cut to 32,767',)
    written = cells(tmp_path / "out.xlsx")[1][1]
    assert text.startswith(written.removesuffix(exports.CUT))
    assert 32_700 <= len(written.encode("utf-16-le")) // 2 <= 32_767


def test_a_text_that_just_fits_is_not_cut(tmp_path):
    assert exports.write_xlsx(tmp_path / "out.xlsx", COLUMNS, [["1", "长" * 32_767]]) == ()
    assert len(openpyxl.load_workbook(tmp_path / "out.xlsx").active["B2"].value) == 32_767


def test_many_cuts_are_counted_not_listed(tmp_path):
    notes = exports.write_xlsx(tmp_path / "out.xlsx", ["内容"], [["x" * 32_768]] * 25)
    assert (len(notes), notes[-1]) == (21, "and 5 more cells cut")


@WRITERS
def test_what_no_file_can_hold_is_replaced(tmp_path, write, name):
    write(tmp_path / name, COLUMNS, [["1", "路\ud800灯\0不\uffff亮"]])
    assert cells(tmp_path / name) == [("1", "路\ufffd灯\ufffd不\ufffd亮")]


@WRITERS
def test_a_run_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path, write, name):
    def rows():
        yield ["1", "好"]
        raise InputError("letters.csv line 3: broken.")

    (tmp_path / name).write_text("old", "utf-8")
    with pytest.raises(InputError):
        write(tmp_path / name, COLUMNS, rows())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text("utf-8") == "old"


@WRITERS
def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path, write, name):
    (tmp_path / name).mkdir()
    for path in (tmp_path / name, tmp_path / "none" / name):
        with pytest.raises(StorageError) as caught:
            write(path, COLUMNS, [["1", "好"]])
        assert caught.value.exit_status == 8
        assert str(caught.value).startswith(f"{path}: cannot be written (")
    assert [path.name for path in tmp_path.iterdir()] == [name]


FULL = """
import resource, sys
from pathlib import Path
from triage import exports, errors
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
try:
    getattr(exports, sys.argv[1])(Path(sys.argv[2]), ["编号", "内容"], ([str(i), "路灯不亮" * 9 + str(i * 7919)] for i in range(9000)))
except errors.StorageError as error:
    print(error.exit_status, "File too large" in str(error))
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the system sets no limit on the size of a file")
@WRITERS
def test_a_full_disk_is_a_storage_error_and_the_old_file_stays(tmp_path, write, name):
    (tmp_path / name).write_text("old", "utf-8")
    command = [sys.executable, "-c", FULL, write.__name__, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=Path(__file__).parent.parent)
    assert (done.stdout, done.stderr) == ("8 True\n", "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text("utf-8") == "old"


@WRITERS
def test_a_header_alone_is_a_file_with_a_header(tmp_path, write, name):
    write(tmp_path / name, COLUMNS, [])
    assert (read_table(tmp_path / name).columns, cells(tmp_path / name)) == (tuple(COLUMNS), [])
