"""Archives: whole tables in, decisions out; killed, filled, changed or begun twice, nothing is lost, doubled or reordered."""

import csv
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
from offices import keep, small_model

from models import store
from triage.archive import job
from triage.archive.deciding import decide_rows
from triage.archive.flat import FIELDS
from triage.archive.plan import Order
from triage.desk import model_folder
from triage.errors import BusyError, InputError, ModelError, StorageError, UsageError
from triage.exports import write_xlsx
from triage.letter import Letter

SENTENCES = [
    "青石桥工地的包工头欠我们六个人四个月工资不给",
    "柳荫巷的自来水发黄三天了,请问什么时候能修好",
    "松月小区东边的工地半夜打桩,吵得老人睡不着",
    "建议早上给梨花湾小学门口加一趟公交车",
    "村里征地补偿款到现在还没有发到我们手里",
    "幼儿园收费太高,老师还体罚孩子",
]
COLUMNS = ["编号", "标题", "内容", "备注"]
ADDED = list(FIELDS.values())


def letters(count):
    return [[f"{number:05}", "来信" if number % 3 else "", f"{SENTENCES[number % 6]},这是第{number}次反映", f"注{number}"] for number in range(count)]


def write(path, rows, columns=COLUMNS):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def go(home, tmp_path):
    """Run a job in this process; the summary comes back."""

    def go(*inputs, output="out.csv", told=lambda *_: None, stdin=b"", office=home, decide=decide_rows, **options):
        order = Order(tuple(map(str, inputs)), tmp_path / output, **options)
        return job.archive(office, order, told, stdin=io.BytesIO(stdin), decide=decide)

    return go


@pytest.fixture
def command(home):
    """Start ``triage archive`` as a process."""

    def command(*words, **options):
        line = [sys.executable, "-c", "from api.cli import main; main()", "archive", *map(str, words)]
        environment = {**os.environ, "TRIAGE_HOME": str(home)}
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options)

    return command


def ended(process, stdin=None):
    out, err = process.communicate(stdin, timeout=300)
    return process.returncode, out, err.decode()


def interrupted(*_):
    raise KeyboardInterrupt


def test_every_column_is_carried_through_and_the_decision_stands_behind_them(go, desk, tmp_path):
    rows = [["00123", "", SENTENCES[0], "110101199003071234"], ["00123", "停水", SENTENCES[1], "1.1E+17"], ["x", "", SENTENCES[2], "NA"]]
    summary = go(write(tmp_path / "in.csv", rows))
    found = read(tmp_path / "out.csv")
    assert [[row[column] for column in COLUMNS] for row in found] == rows
    assert list(found[0]) == COLUMNS + ADDED
    decisions = desk.decide([Letter(row[2], title=row[1], id=row[0]) for row in rows])
    assert [(row["类别代码"], row["主办"], row["把握"]) for row in found] == [
        (decision.category.code, decision.lead.name, str(decision.category.probability)) for decision in decisions
    ]
    assert {row["模型"] for row in found} == {desk.version}
    assert (summary["letters"], summary["refused"], summary["duplicate_ids"]) == (3, 0, 1)
    assert not (tmp_path / "out.refused.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl", "parquet"])
def test_whatever_is_read_is_decided_the_same_and_can_be_written_in_every_format(go, tmp_path, form):
    rows = letters(12)
    go(write(tmp_path / "in.csv", rows), output="csv.csv")
    go(tmp_path / "in.csv", output=f"first.{form}")
    go(tmp_path / f"first.{form}", output="again.csv")
    once, again = read(tmp_path / "csv.csv"), read(tmp_path / "again.csv")
    assert [[row[name] for name in COLUMNS] for row in again] == rows
    for name in ("类别", "候选类别", "主办", "理由"):
        assert [row[f"{name}(分办)"] for row in again] == [row[name] for row in once]


def test_json_lines_keep_numbers_as_numbers_and_formulas_as_they_are(go, tmp_path):
    go(write(tmp_path / "in.csv", [["=1+1", "", SENTENCES[0], ""], ["2", "", "", ""]]), output="out.jsonl", headers="en")
    first, second = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert list(first) == COLUMNS + list(FIELDS)
    assert first["编号"] == "=1+1"
    assert 0 < first["probability"] <= 1
    assert (second["probability"], second["needs_review"], second["category"]) == (None, True, "")


@pytest.mark.parametrize("cell", ["=cmd|'/c calc'!A1", "+1", "-1", "@x", "\tx", "＝1+1"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless_in_csv(go, tmp_path, cell):
    go(write(tmp_path / "in.csv", [["1", "", SENTENCES[0], cell]]))
    assert read(tmp_path / "out.csv")[0]["备注"] == f"'{cell}"


def test_rare_characters_come_out_as_they_went_in(go, tmp_path):
    go(write(tmp_path / "in.csv", [["𠮷", "", SENTENCES[0] + "\ue000𠮷", ""]]))
    row = read(tmp_path / "out.csv")[0]
    assert (row["编号"], row["内容"]) == ("𠮷", SENTENCES[0] + "\ue000𠮷")


def test_a_column_of_the_input_is_never_overwritten_and_that_is_said(go, tmp_path):
    path = write(tmp_path / "in.csv", [[SENTENCES[0], "甲", "乙"]], ["内容", "类别", "类别(分办)"])
    summary = go(path)
    row = read(tmp_path / "out.csv")[0]
    assert (row["类别"], row["类别(分办)"], row["类别(分办2)"]) == ("甲", "乙", "拖欠工资")
    assert summary["notes"] == ["输入已有“类别”列,分办意见的这一列叫“类别(分办2)”"]


def test_letters_that_cannot_be_judged_are_decisions_for_review_and_not_refused(go, tmp_path):
    summary = go(write(tmp_path / "in.csv", [["1", "", "", ""], ["2", "", "qwerty asdf zxcv", ""], ["3", "", "��������", ""]]))
    assert (summary["letters"], summary["review"], summary["refused"]) == (3, 3, 0)
    assert [row["需复核"] for row in read(tmp_path / "out.csv")] == ["是"] * 3
    assert summary["domains"] == {"未分类": 3}


def test_rows_that_cannot_be_used_stand_beside_the_output_with_number_code_and_reason(go, tmp_path):
    good = f"1,,{SENTENCES[0]},甲\n".encode()
    bad = b"2,,\xe8\xb7\xff\xff,x\n3,too,few\n" + f"4,,{'长' * 100_001},x\n".encode() + b'5,"not closed,y,z\n'
    (tmp_path / "in.csv").write_bytes(",".join(COLUMNS).encode() + b"\n" + good * 9 + bad + good)
    summary = go(tmp_path / "in.csv")
    assert (summary["letters"], summary["refused"]) == (10, 4)
    found = read(tmp_path / "out.refused.csv")
    assert [(row["行号"], row["代码"]) for row in found] == [("11", "invalid-unicode"), ("12", "bad-row"), ("13", "text-too-long"), ("14", "bad-row")]
    assert [row["原因"] for row in found] == [
        "含有无法辨认的字节",
        "有 3 格,表头有 4 列",
        "正文 100,001 字,上限 100,000 字",
        "引号没有成对,或一格超过 16,777,216 字",
    ]
    assert summary["refused_file"] == str(tmp_path / "out.refused.csv")


def test_one_damaged_byte_in_a_hundred_letters_of_gb18030_costs_that_letter(go, tmp_path):
    lines = [f'{number},,"{SENTENCES[number % 6]}",x\n'.encode("gb18030") for number in range(200)]
    for number in (50, 150):
        lines[number] = lines[number].replace(b"x\n", b"\xff\n")
    (tmp_path / "in.csv").write_bytes(",".join(COLUMNS).encode("gb18030") + b"\n" + b"".join(lines))
    summary = go(tmp_path / "in.csv")
    assert (summary["letters"], summary["refused"]) == (198, 2)
    assert [row["行号"] for row in read(tmp_path / "out.refused.csv")] == ["52", "152"]


def test_the_output_is_the_same_whatever_the_number_of_workers(go, tmp_path):
    path = write(tmp_path / "in.csv", letters(2_500))
    assert go(path, output="one.csv", jobs=1)["letters"] == 2_500
    assert go(path, output="two.csv", jobs=2)["letters"] == 2_500
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    assert [row["编号"] for row in read(tmp_path / "one.csv")] == [row[0] for row in letters(2_500)]


def test_several_inputs_are_one_output_that_says_where_each_row_is_from(go, tmp_path):
    write(tmp_path / "a.csv", [["1", SENTENCES[0]]], ["编号", "内容"])
    write_xlsx(tmp_path / "b.xlsx", ["正文", "区县"], [[SENTENCES[1], "东湖"]])
    (tmp_path / "信").mkdir()
    (tmp_path / "信" / "第一封.txt").write_text(SENTENCES[2], "utf-8")
    summary = go(tmp_path / "[ab].*", tmp_path / "信", stdin=b"")
    found = read(tmp_path / "out.csv")
    assert list(found[0])[:8] == ["编号", "内容", "正文", "区县", "文件", "标题", "附注", "来源文件"]
    assert [row["来源文件"] for row in found] == [str(tmp_path / "a.csv"), str(tmp_path / "b.xlsx"), str(tmp_path / "信")]
    assert [row["内容"] or row["正文"] for row in found] == SENTENCES[:3]
    assert summary["letters"] == 3


def test_a_sheet_of_forty_columns_under_merged_group_names_is_read_by_the_names(go, tmp_path):
    import xlsxwriter

    names = ["编号", "标题", "内容", *(f"事项{'甲乙丙丁戊己庚辛壬癸'[number % 10]}{'子丑寅卯'[number // 10]}" for number in range(37))]
    with xlsxwriter.Workbook(tmp_path / "in.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:AN1", "东湖区来信汇总")
        for first, last, group in [(0, 0, "编号"), (1, 2, "来信"), (3, 39, "其他")]:
            sheet.merge_range(1, first, 1, last, group) if last > first else sheet.write(1, first, group)
        sheet.write_row(2, 0, names)
        for number, sentence in enumerate(SENTENCES):
            sheet.write_row(3 + number, 0, [f"00{number}", "", sentence, *["x"] * 37])
    summary = go(tmp_path / "in.xlsx")
    found = read(tmp_path / "out.csv")
    assert (list(found[0])[:40], summary["letters"], summary["refused"]) == (names, 6, 0)
    assert [row["内容"] for row in found] == SENTENCES


def test_a_header_alone_gives_a_header_alone(go, tmp_path):
    summary = go(write(tmp_path / "in.csv", []))
    assert (tmp_path / "out.csv").read_bytes() == b"\xef\xbb\xbf" + ",".join(COLUMNS + ADDED).encode() + b"\r\n"
    assert (summary["letters"], summary["review"]) == (0, 0)


def test_columns_are_named_when_they_cannot_be_found(go, tmp_path):
    path = write(tmp_path / "in.csv", [["1", SENTENCES[0], SENTENCES[1]]], ["号", "内容", "正文"])
    with pytest.raises(InputError, match="2 columns may hold the text"):
        go(path)
    go(path, text="正文")
    assert read(tmp_path / "out.csv")[0]["类别代码"] != "wages"


def test_a_wrong_order_is_refused_and_leaves_nothing_behind(go, tmp_path):
    path = write(tmp_path / "in.csv", letters(3))
    (tmp_path / "there.csv").touch()
    (tmp_path / "empty.csv").touch()
    for error, kind, inputs, output in [
        (UsageError, "output-exists", [path], "there.csv"),
        (UsageError, "output-is-input", [path], "in.csv"),
        (UsageError, "wrong-use", [path], "out.doc"),
        (InputError, "file-not-read", [tmp_path / "none.csv"], "out.csv"),
        (InputError, "file-not-read", [tmp_path / "none*.csv"], "out.csv"),
        (InputError, "empty-file", [tmp_path / "empty.csv"], "out.csv"),
        (InputError, "file-not-read", ["nowhere://x/y.csv"], "out.csv"),
        (InputError, "file-not-read", ["-", "-"], "out.csv"),
        (StorageError, "storage", [path], "none/out.csv"),
    ]:
        with pytest.raises(error) as caught:
            go(*inputs, output=output)
        assert caught.value.kind == kind
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.csv", "in.csv", "there.csv"]


def test_an_output_is_replaced_when_that_is_asked_for(go, tmp_path):
    path = write(tmp_path / "in.csv", [["1", "few"], ["2", "", SENTENCES[0], ""]])
    assert go(path)["refused"] == 1
    write(path, letters(2))
    assert go(path, overwrite=True)["letters"] == 2
    assert not (tmp_path / "out.refused.csv").exists()


def test_a_job_that_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(go, tmp_path):
    path = write(tmp_path / "in.csv", letters(2_100))
    go(path, output="whole.csv")
    with pytest.raises(KeyboardInterrupt):
        go(path, told=interrupted)
    assert not (tmp_path / "out.csv").exists()
    summary = go(path)
    assert (summary["letters"], summary["resumed"]) == (2_100, 1_000)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / ".out.csv.job").exists()


@pytest.fixture
def begun(go, home, starter, segmenter, tmp_path):
    """A job of an office of its own, of whose three parts one is done."""
    office = tmp_path / "office"
    shutil.copytree(home, office)
    path = write(tmp_path / "in.csv", letters(2_100))
    with pytest.raises(KeyboardInterrupt):
        go(path, told=interrupted, office=office)
    return office, path


def test_a_job_keeps_its_model_after_another_one_went_live(go, begun, starter, segmenter, desk, tmp_path):
    office, path = begun
    keep(office, "v2", small_model(starter, segmenter), segmenter, [starter[0].letter])
    store.make_current(model_folder(office), "v2")
    assert go(path, office=office)["model"] == desk.version
    assert {row["模型"] for row in read(tmp_path / "out.csv")} == {desk.version}


def test_a_job_is_not_gone_on_with_when_something_else_changed_and_says_what(go, begun, desk, tmp_path):
    office, path = begun
    content = path.read_bytes()
    with pytest.raises(UsageError, match=r'--headers \(was "zh"\)'):
        go(path, office=office, headers="en")
    write(tmp_path / "other.csv", letters(5))
    with pytest.raises(UsageError, match="began with other inputs"):
        go(tmp_path / "other.csv", office=office)
    path.write_bytes(content.replace("六个人".encode(), "七个人".encode()))
    with pytest.raises(InputError, match="has changed since the job began") as caught:
        go(path, office=office)
    assert (caught.value.kind, caught.value.exit_status) == ("input-changed", 4)
    path.write_bytes(content)
    shutil.copy(office / "models" / desk.version / store.CARD, tmp_path / "card")
    (office / "models" / desk.version / store.CARD).unlink()
    with pytest.raises(ModelError, match="began with this model"):
        go(path, office=office)
    shutil.copy(tmp_path / "card", office / "models" / desk.version / store.CARD)
    (office / "dictionary.txt").write_text("梨花湾 3\n", "utf-8")
    with pytest.raises(UsageError, match="dictionary"):
        go(path, office=office)
    (office / "dictionary.txt").unlink()
    assert go(path, office=office)["resumed"] == 1_000


def test_another_job_can_be_begun_in_its_place_when_that_is_asked_for(go, begun, tmp_path):
    office, path = begun
    assert go(path, office=office, headers="en", overwrite=True)["resumed"] == 0
    assert "category" in read(tmp_path / "out.csv")[0]


def test_letters_that_change_while_they_are_decided_are_noticed(go, tmp_path):
    path = write(tmp_path / "in.csv", letters(1_200))

    def told(*_):
        with path.open("a", encoding="utf-8") as file:
            file.write("99999,,又来一封,x\n")

    with pytest.raises(InputError, match="has changed while") as caught:
        go(path, told=told)
    assert caught.value.kind == "input-changed"
    assert not (tmp_path / "out.csv").exists()


def test_standard_input_is_kept_for_the_run_that_goes_on(go, tmp_path):
    content = write(tmp_path / "in.csv", letters(1_500)).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        go("-", stdin=content, told=interrupted)
    with pytest.raises(InputError, match="not the letters that this job began with"):
        go("-", stdin=content + b"9,,x,y\n")
    assert go("-", stdin=b"")["letters"] == 1_500
    assert go("-", stdin=content, overwrite=True)["letters"] == 1_500


def test_letters_in_a_store_are_fetched(go, tmp_path):
    path = write(tmp_path / "in.csv", letters(3))
    assert go(f"file://{path}")["letters"] == 3


def test_a_job_that_was_killed_after_the_output_was_in_place_only_clears_up(go, begun, tmp_path):
    office, path = begun
    folder = tmp_path / ".out.csv.job"
    saved = tmp_path / "saved"
    shutil.copytree(folder, saved)
    summary = go(path, office=office)
    shutil.copytree(saved, folder)
    (folder / job.FINISHED).write_text(json.dumps(summary), "utf-8")
    before = (tmp_path / "out.csv").stat().st_mtime_ns
    assert go(path, office=office) == summary
    assert (tmp_path / "out.csv").stat().st_mtime_ns == before
    assert not folder.exists()


def test_a_job_is_done_by_one_process_at_a_time(go, command, tmp_path):
    path = write(tmp_path / "in.csv", letters(3))
    with job.held(tmp_path / ".out.csv.job"):
        with pytest.raises(BusyError):
            go(path)
        status, _, said = ended(command(path, "-o", tmp_path / "out.csv"))
    assert status == 7
    assert "being done by another process" in said
    assert go(path)["letters"] == 3


def test_killed_at_any_moment_the_same_command_goes_on_and_the_output_is_the_same_to_the_byte(go, command, tmp_path):
    path = write(tmp_path / "in.csv", letters(3_000))
    go(path, output="whole.csv")
    chance = random.Random(5)
    kills = 0
    while kills < 2:
        with command(path, "-o", tmp_path / "out.csv", "-j", "2") as process:
            time.sleep(chance.uniform(0.5, 3.0))
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
        if (tmp_path / "out.csv").exists():
            break
    status, _, _ = ended(command(path, "-o", tmp_path / "out.csv", "-j", "2", "--overwrite"))
    assert status == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_full_disk_is_said_and_the_job_goes_on_when_there_is_room(go, command, tmp_path):
    path = write(tmp_path / "in.csv", letters(2_200))
    go(path, output="whole.csv")
    room = (tmp_path / "whole.csv").stat().st_size * 2 // 3

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    status, _, said = ended(command(path, "-o", tmp_path / "out.csv", "-j", "1", preexec_fn=fill))
    assert status == 8
    assert "goes on where it was" in said
    assert not (tmp_path / "out.csv").exists()
    assert go(path)["resumed"] == 2_200
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def deadly(office, layout, rows):
    """Reads letters as a desk does, but a certain one ends the process."""
    if any("毒" in cells[layout.text] for _, cells, _ in rows):
        os._exit(9)
    return decide_rows(office, layout, rows)


def test_a_letter_that_ends_its_reader_is_refused_and_the_others_are_decided(go, tmp_path):
    rows = letters(9)
    rows[6][2] = "毒"
    summary = go(write(tmp_path / "in.csv", rows), jobs=2, decide=deadly)
    assert (summary["letters"], summary["refused"]) == (8, 1)
    assert [row["编号"] for row in read(tmp_path / "out.csv")] == [row[0] for row in rows if row[2] != "毒"]
    assert [(row["行号"], row["代码"]) for row in read(tmp_path / "out.refused.csv")] == [("8", "worker-crash")]


def test_the_summary_is_for_people_on_standard_error_and_json_in_a_pipe_and_3_says_rows_were_refused(command, tmp_path):
    path = write(tmp_path / "in.csv", [*letters(5), ["few"]])
    status, out, said = ended(command(path, "-o", tmp_path / "out.csv", "-j", "1"))
    assert status == 3
    summary = json.loads(out)
    assert sum(summary["domains"].values()) == sum(summary["departments"].values()) == summary["letters"] == 5
    lines = said.splitlines()
    assert lines[0].startswith("来信 5 封")
    assert lines[-2:] == [f"结果:{tmp_path / 'out.csv'}", f"拒收的行:{tmp_path / 'out.refused.csv'}"]
    assert "\x1b" not in said


@pytest.mark.parametrize(("words", "status"), [(["none.csv", "-o", "x.csv"], 4), (["in.csv", "-o", "in.csv"], 2), (["in.csv"], 2), (["-", "-o", "x.csv"], 4)])
def test_every_failure_has_its_exit_status(command, tmp_path, words, status):
    write(tmp_path / "in.csv", letters(1))
    assert ended(command(*words, cwd=tmp_path, stdin=subprocess.DEVNULL))[0] == status
