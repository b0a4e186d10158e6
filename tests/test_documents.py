"""Letters that are files of their own: one row a letter, in a fixed order, and no file can harm the program or hide another."""

import io
import os
import stat
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import pytest
from docx.oxml import parse_xml

from triage.archive import documents, papers
from triage.archive.documents import read_documents
from triage.errors import InputError
from triage.tables import Row

pytestmark = pytest.mark.usefixtures("traced")  # what reads such files is a process with limits

ROOT = Path(__file__).parent.parent
LETTER = "东湖路的路灯坏了三天,没有人来修。"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(path, **options):
    return list(read_documents([path], **options).rows)


def only(path):
    (row,) = read(path)
    assert row.number == 1
    assert "路灯" not in row.problem
    return row


def letter_in(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def word(fill=lambda document: document.add_paragraph(LETTER)):
    document, box = docx.Document(), io.BytesIO()
    fill(document)
    document.save(box)
    return box.getvalue()


def pdf(*pages, encrypted=False):
    """A PDF of the least parts. Each page shows its text in a font without outlines, whose map says which character a code is."""
    count = len(pages)
    signs = sorted(set("".join(pages)))
    code = {sign: f"{number:04x}" for number, sign in enumerate(signs, 1)}
    to_unicode = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /M def 1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        + "".join(f"1 beginbfchar <{code[sign]}> <{sign.encode('utf-16-be').hex()}> endbfchar\n" for sign in signs)
        + "endcmap end end"
    )
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {count}/Kids[{' '.join(f'{6 + 2 * index} 0 R' for index in range(count))}]>>",
        "<</Type/Font/Subtype/Type0/BaseFont/F/Encoding/Identity-H/ToUnicode 5 0 R/DescendantFonts[4 0 R]>>",
        "<</Type/Font/Subtype/CIDFontType2/BaseFont/F/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 1000>>",
        f"<</Length {len(to_unicode)}>>stream\n{to_unicode}\nendstream",
    ]
    for index, page in enumerate(pages):
        shown = " ".join(f"<{''.join(code[sign] for sign in line)}> Tj 0 -20 Td" for line in page.split("\n") if line)
        drawn = f"BT /F 12 Tf 50 700 Td {shown} ET" if page else ""
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {7 + 2 * index} 0 R/Resources<</Font<</F 3 0 R>>>>>>",
            f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream",
        ]
    return _pdf_file(objects, encrypted)


def _pdf_file(objects, encrypted):
    lock = f"/Encrypt<</Filter/Standard/V 1/R 2/O<{'41' * 32}>/U<{'42' * 32}>/P -4>>/ID[<{'43' * 16}><{'43' * 16}>]" if encrypted else ""
    content, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        content
        + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(objects) + 1}/Root 1 0 R{lock}>>\nstartxref\n{len(content)}\n%%EOF".encode()
    )


def mail(subject="路灯不亮", **parts):
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "wang@example.org"
    if "text" in parts:
        message.set_content(parts["text"], charset=parts.get("charset", "utf-8"))
    if "page" in parts:
        (message.add_alternative if "text" in parts else message.set_content)(parts["page"], subtype="html", charset=parts.get("charset", "utf-8"))
    for name in parts.get("files", ()):
        message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename=name)
    return message.as_bytes()


def boxed(*entries, **options):
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            file.writestr(name, content)
    return box.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "title", "text"),
    [
        ("来信.txt", LETTER, "", LETTER),
        ("来信.TXT", LETTER.encode("gb18030"), "", LETTER),
        ("来信.md", "\ufeff" + LETTER + "\r\n第二行\r\n", "", LETTER + "\n第二行"),
        ("来信", LETTER.encode("utf-16"), "", LETTER),
        ("来信.docx", word(), "", LETTER),
        ("来信.pdf", pdf(LETTER), "", LETTER),
        ("来信.html", f"<title>来信 </title><p>{LETTER}", "来信", LETTER),
        ("来信.htm", f"<html><head><meta charset=gbk></head><body>{LETTER}".encode("gbk"), "", LETTER),
        ("来信.eml", mail(text=LETTER), "路灯不亮", LETTER),
        ("网页另存.doc", f"<html><body><p>{LETTER}</p></body></html>", "", LETTER),
        ("邮件.txt", mail(text=LETTER), "路灯不亮", LETTER),
        ("没有扩展名", pdf(LETTER), "", LETTER),
        ("改了名.txt", word(), "", LETTER),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() and len(value) < 20 else "content",
)
def test_a_letter_is_read_whatever_kind_of_file_it_is(tmp_path, name, content, title, text):
    assert only(letter_in(tmp_path, name, content)) == Row(1, (name, title, text, ""))


def test_letters_stand_in_the_order_of_their_names_folder_by_folder(tmp_path):
    names = ["a.txt", "b/一.txt", "b/二.docx", "b/c/三.eml", "b.txt", "c.txt"]
    for name in reversed(names):
        letter_in(tmp_path, name, {".txt": LETTER, ".docx": word(), ".eml": mail(text=LETTER)}[Path(name).suffix])
    table = read_documents([tmp_path])
    rows = list(table.rows)
    assert table.columns == ("文件", "标题", "正文", "附注")
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.cells[0] for row in rows] == ["a.txt", "b/c/三.eml", "b/一.txt", "b/二.docx", "b.txt", "c.txt"]
    assert [row.cells[0] for row in read_documents([tmp_path / "b", tmp_path / "c.txt"]).rows] == ["b/c/三.eml", "b/一.txt", "b/二.docx", "c.txt"]


def test_hidden_files_and_links_that_lead_out_are_passed_over_and_said(tmp_path):
    outside = letter_in(tmp_path, "秘密.txt", LETTER)
    inside = letter_in(tmp_path, "来信/一.txt", LETTER).parent
    letter_in(inside, ".DS_Store", "x")
    letter_in(inside, ".git/config", "x")
    letter_in(inside, "~$一.docx", "x")
    (inside / "二.txt").symlink_to(inside / "一.txt")
    (inside / "三.txt").symlink_to(outside)
    (inside / "四.txt").symlink_to(tmp_path / "没有")
    (inside / "五").symlink_to(inside, target_is_directory=True)
    table = read_documents([inside])
    assert [row.cells[0] for row in table.rows] == ["一.txt", "二.txt"]
    assert table.notes == ("hidden files not read: 3", "links to folders, to nothing or out of the folder not followed: 三.txt, 五, 四.txt")


def test_a_path_that_is_not_there_and_a_folder_without_letters_are_refused_at_once(tmp_path):
    letter_in(tmp_path, ".hidden", LETTER)
    for path, said in [(tmp_path / "没有", "No such file or directory"), (tmp_path, "no letters in it")]:
        with pytest.raises(InputError, match=said) as caught:
            read_documents([path])
        assert caught.value.exit_status == 4


UNREADABLE = [
    ("空.txt", b"", "empty-file", "holds no text"),
    ("空白.txt", " \n\0\t", "empty-file", "holds no text"),
    ("乱.txt", LETTER.encode() + b"\xff", "unknown-encoding", "byte 49 of the file is not UTF-8. Save it as UTF-8."),
    ("繁.txt", "編號,內容\n1,我們里的路燈是在上個月壞的,一個月了都沒有人來\n".encode("big5"), "unknown-encoding", "looks like Big5"),
    ("加密.pdf", pdf(LETTER, encrypted=True), "encrypted-file", "文件已加密"),
    ("扫描.pdf", pdf("", "", ""), "ocr-not-installed", "3 pages without text, probably scanned"),
    ("长.pdf", pdf(*["x"] * 2000), "too-large", "2,000 pages; 200 are allowed"),
    ("断.pdf", pdf(LETTER)[:60], "damaged-file", "the PDF is damaged"),
    ("假.pdf", LETTER, "damaged-file", "its name says .pdf, its content does not"),
    ("断.docx", word()[:9000], "damaged-file", "the Word document is damaged"),
    ("坏.docx", boxed(("word/document.xml", "<w:document")), "damaged-file", "the Word document is damaged"),
    ("错.docx", boxed(("word/document.xml", ""), ("_rels/.rels", "<x/>")), "damaged-file", "the Word document is damaged"),
    ("旧.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "unknown-format", "Save it as .docx"),
    ("锁.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted-file", "文件已加密"),
    ("照片.jpg", b"\xff\xd8\xff\xe0", "ocr-not-installed", "a picture"),
    ("照片.txt", b"\x89PNG\r\n", "ocr-not-installed", "a picture"),
    ("文.rtf", r"{\rtf1 x}", "unknown-format", "RTF"),
    ("包.rar", b"Rar!\x1a\x07\0", "unknown-format", "Unpack it"),
    ("表.csv", "编号,内容\n", "unknown-format", "a table"),
    ("表.xlsx", boxed(("xl/workbook.xml", "")), "unknown-format", "a box of another kind"),
    ("声音.dat", b"RIFF1234WAVE", "unknown-format", "its format is not known"),
    ("空.html", "<html><script>x</script><!-- 路灯 -->", "empty-file", "holds no text"),
    ("空.htm", "<!-- 路灯 -->", "empty-file", "holds no text"),
    ("附.eml", mail("", files=["来信.pdf"]), "empty-file", "1 attachments, which are not read"),
    ("信.eml", b"Subject: =?x-klingon?B?/w==?=\n\n" + LETTER.encode(), "unknown-encoding", "not in the encoding that it declares"),
    ("大.txt", b"x" * (papers.MAX_FILE + 1), "too-large", "67,108,865 bytes; 67,108,864 are allowed"),
    ("长.txt", b"x" * (papers.MAX_TEXT + 1), "too-large", "16,777,217 characters"),
    ("断.zip", boxed(("a.txt", LETTER))[:50], "damaged-file", "the .zip is damaged"),
    ("空.zip", b"PK\x05\x06" + b"\0" * 18, "damaged-file", "its name says .zip"),
]


@pytest.fixture(scope="module")
def unreadable(tmp_path_factory):
    """All of them in one folder, each followed by a letter that can be read."""
    folder = tmp_path_factory.mktemp("来信")
    for name, content, _, _ in UNREADABLE:
        letter_in(folder, name, content)
        letter_in(folder, f"{name}·.txt", LETTER)
    return {row.cells[0]: row for row in read(folder)}


@pytest.mark.parametrize(("name", "kind", "said"), [(name, kind, said) for name, _, kind, said in UNREADABLE])
def test_a_letter_that_cannot_be_read_says_why_and_the_next_is_read(unreadable, name, kind, said):
    problem = unreadable[name].problem
    assert problem.startswith(f"{kind}: ")
    assert said in problem
    assert "路灯" not in problem
    assert unreadable[name].cells == (name, "", "", "")
    assert unreadable[f"{name}·.txt"].cells[2] == LETTER


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "管道.txt")
    assert only(tmp_path).problem == "file-not-read: a pipe, a socket or a device. Take it out of the folder."


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may read every file")
def test_what_may_not_be_read_is_a_problem_of_its_own(tmp_path):
    letter_in(tmp_path, "锁.txt", LETTER).chmod(0)
    letter_in(tmp_path, "锁着/一.txt", LETTER).parent.chmod(0)
    rows = read(tmp_path)
    (tmp_path / "锁着").chmod(0o700)
    assert [row.problem.partition(":")[0] for row in rows] == ["file-not-read", "file-not-read"]


def test_a_word_document_is_read_as_it_is_printed(tmp_path):
    def fill(document):
        document.sections[0].header.paragraphs[0].text = "页眉"
        document.add_paragraph("东湖路\t的")
        table = document.add_table(2, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "事项", "路灯"
        table.cell(1, 0).merge(table.cell(1, 1)).text = "不亮"
        line = "<w:p {0}><w:r><w:t>第一行</w:t><w:br/><w:t>第二行</w:t></w:r><w:ins><w:r><w:t>新</w:t></w:r></w:ins><w:del><w:r><w:delText>旧</w:delText></w:r></w:del></w:p>"
        control = "<w:sdt {0}><w:sdtContent><w:p><w:r><w:t>填写的</w:t></w:r></w:p></w:sdtContent></w:sdt>"
        for xml in (line, control):
            document.element.body.insert_element_before(parse_xml(xml.format(W)), "w:sectPr")

    row = only(letter_in(tmp_path, "来信.docx", word(fill)))
    assert row.cells[2] == "东湖路\t的\n事项\n路灯\n不亮\n第一行\n第二行新\n填写的"


def test_a_word_document_of_pictures_says_that_it_was_scanned(tmp_path):
    def fill(document):
        drawing = '<w:p {0}><w:r><w:drawing><a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"/></w:drawing></w:r></w:p>'
        document.element.body.insert_element_before(parse_xml(drawing.format(W)), "w:sectPr")

    assert only(letter_in(tmp_path, "来信.docx", word(fill))).problem.startswith("ocr-not-installed: a Word document of pictures")


def test_a_word_document_fetches_nothing_from_outside(tmp_path):
    """The template, and an entity, are at an address that nobody answers: a reader that asked would wait, or fail."""

    def fill(document):
        document.add_paragraph(LETTER)
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"
        document.part._settings_part.relate_to(f"file://{tmp_path}/模板.dotx", kind, is_external=True)

    os.mkfifo(tmp_path / "模板.dotx")  # who opens it hangs, and is ended as too slow
    path = letter_in(tmp_path, "来信.docx", word(fill))
    ((_, text, _, problem),) = documents.read_papers([str(path)], seconds=10)
    assert (text, problem) == (LETTER, "")


def test_an_entity_in_a_word_document_is_not_expanded(tmp_path):
    secret = letter_in(tmp_path, "秘密.txt", "秘密")
    body = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]><w:document {W}><w:body><w:p><w:r><w:t>路&e;灯</w:t></w:r></w:p></w:body></w:document>'
    with zipfile.ZipFile(io.BytesIO(word())) as box:
        parts = [(name, body if name == "word/document.xml" else box.read(name)) for name in box.namelist()]
    assert "秘密" not in only(letter_in(tmp_path, "来信.docx", boxed(*parts))).cells[2]


def test_a_word_document_that_unpacks_to_too_much_is_refused_before_it_is_parsed(tmp_path):
    with zipfile.ZipFile(tmp_path / "炸弹.docx", "w", zipfile.ZIP_DEFLATED) as box, box.open("word/document.xml", "w") as part:
        for _ in range(257):
            part.write(b" " * (1 << 20))
    assert only(tmp_path / "炸弹.docx").problem.startswith("too-large: 1 parts of 269,484,032 bytes; 2,000 and 268,435,456 are allowed")


def test_a_web_page_is_read_as_it_is_seen(tmp_path):
    page = """<!DOCTYPE html><html><head><title> 市长
      信箱 </title><style>p {color: red}</style></head><body><h1>来信</h1><p>东湖路<b>路灯</b>不亮。<br>请
      修。<!-- 注 --></p><script>let x = "脚本"</script><div style="display: none">藏</div><p hidden>藏</p>尾<table><tr><td>电话</td><td>无</td></tr></table></body></html>"""
    row = only(letter_in(tmp_path, "来信.html", page))
    assert row.cells[1:3] == ("市长 信箱", "来信\n东湖路路灯不亮。\n请 修。\n尾\n电话 无")


def test_a_page_of_a_pdf_without_text_is_said_and_lines_are_joined(tmp_path):
    row = only(letter_in(tmp_path, "来信.pdf", pdf("东湖路的路\n灯坏了。", "", "no one came\nto mend it")))
    assert row.cells[2:] == ("东湖路的路灯坏了。\n\nno one came\nto mend it", "第 2 页没有文字")


@pytest.mark.parametrize("charset", ["utf-8", "gb2312", "gbk", "gb18030"])
@pytest.mark.parametrize("kind", ["text", "page"])
def test_a_mail_is_read_in_its_encoding_from_its_text_or_its_page(tmp_path, charset, kind):
    content = mail("关于东湖路路灯长时间不亮且没有人来修理的来信请尽快处理", charset=charset, **{kind: LETTER if kind == "text" else f"<p>{LETTER}</p>"})
    assert only(letter_in(tmp_path, "来信.eml", content)).cells[1:] == ("关于东湖路路灯长时间不亮且没有人来修理的来信请尽快处理", LETTER, "")


def test_mail_as_old_programs_write_it_is_read(tmp_path):
    rare = "朱镕基路的路灯"  # 镕 is in GBK and not in the GB 2312 that the mail declares
    head = b"From: a@example.org\r\nMIME-Version: 1.0\r\nSubject: " + rare.encode("gbk") + b"\r\n"
    content = head + b"Content-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + rare.encode("gbk") + b"\r\n"
    assert only(letter_in(tmp_path, "来信.eml", content)).cells[1:3] == (rare, rare)
    folded = b"Subject: =?GB2312?B?" + b"wre1xg==" + b"?=\r\n =?GB2312?B?" + b"srvBwQ==" + b"?=\r\n\r\n" + LETTER.encode()
    assert only(letter_in(tmp_path, "又.eml", folded)).cells[1:3] == ("路灯不亮", LETTER)


def test_a_damaged_subject_does_not_cost_the_letter(tmp_path):
    assert only(letter_in(tmp_path, "来信.eml", b"Subject: =?utf-8?B?abcde?=\n\n" + LETTER.encode())).cells[1:3] == ("=?utf-8?B?abcde?=", LETTER)


def test_attachments_of_a_mail_are_not_read_and_counted(tmp_path):
    row = only(letter_in(tmp_path, "来信.eml", mail(text=LETTER, page=f"<p>{LETTER}</p>", files=["一.pdf", "二.pdf"])))
    assert row.cells[2:] == (LETTER, "附件 2 个,未读")


def test_the_letters_in_a_box_are_read_like_those_in_a_folder(tmp_path):
    path = letter_in(tmp_path, "一月.zip", boxed(("乙/二.txt", LETTER), ("甲.docx", word()), ("__MACOSX/._甲.docx", "x"), (".DS_Store", "x"), ("乙/", "")))
    letter_in(tmp_path, "二月.txt", LETTER)
    rows = read(tmp_path, spool=tmp_path)
    assert [(row.number, row.cells[0], row.problem) for row in rows] == [(1, "一月.zip/乙/二.txt", ""), (2, "一月.zip/甲.docx", ""), (3, "二月.txt", "")]
    assert {row.cells[2] for row in rows} == {LETTER}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["一月.zip", "二月.txt"]
    del path


def test_a_name_that_windows_wrote_in_a_box_is_read(tmp_path):
    content = boxed(("xxxx.txt", LETTER)).replace(b"xxxx", "来信".encode("gbk"))
    assert only(letter_in(tmp_path, "一月.zip", content)).cells[0] == "一月.zip/来信.txt"


def test_no_name_in_a_box_becomes_a_path(tmp_path):
    link = zipfile.ZipInfo("链接.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names = ["../逃.txt", "/etc/逃.txt", "a/../../逃.txt", "C:\\逃.txt", "..\\逃.txt"]
    folder = letter_in(tmp_path, "来信/一月.zip", boxed(*((name, LETTER) for name in names), (link, "/etc/passwd"), ("好.txt", LETTER))).parent
    rows = read(folder)
    assert [row.problem.partition(":")[0] for row in rows if row.cells[0] != "一月.zip/好.txt"] == ["refused-entry"] * 6
    assert [row.cells[2] for row in rows if not row.problem] == [LETTER]
    assert not list(tmp_path.rglob("*逃*"))


def test_what_is_wrong_with_one_letter_in_a_box_is_a_problem_of_its_own(tmp_path):
    locked = bytearray(boxed(("甲.txt", LETTER), ("乙.txt", LETTER)))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    nested = boxed(("丙.zip", boxed(("丁.txt", LETTER))), ("坏.txt", "x" * 50), ("好.txt", LETTER))
    damaged = nested.replace(zipfile.ZipFile(io.BytesIO(nested)).getinfo("坏.txt").CRC.to_bytes(4, "little"), b"abcd")
    letter_in(tmp_path, "一.zip", bytes(locked))
    letter_in(tmp_path, "二.zip", damaged)
    found = {row.cells[0]: row.problem.partition(":")[0] for row in read(tmp_path)}
    assert found == {
        "一.zip/甲.txt": "encrypted-file",
        "一.zip/乙.txt": "",
        "二.zip/丙.zip": "unknown-format",
        "二.zip/坏.txt": "damaged-file",
        "二.zip/好.txt": "",
    }


def test_a_box_that_lies_about_a_size_costs_that_letter(tmp_path):
    true = boxed(("甲.txt", "灯" * 50_000), ("乙.txt", LETTER))
    letter_in(tmp_path, "一月.zip", true.replace((150_000).to_bytes(4, "little"), (900).to_bytes(4, "little")))
    problems = {row.cells[0]: row.problem.partition(":")[0] for row in read_documents([tmp_path / "一月.zip"]).rows}
    assert problems == {"一月.zip/甲.txt": "damaged-file", "一月.zip/乙.txt": ""}


def test_a_box_that_unpacks_to_too_much_is_one_problem(tmp_path):
    with zipfile.ZipFile(tmp_path / "炸弹.zip", "w", zipfile.ZIP_DEFLATED) as box:
        for number in range(4):
            box.writestr(f"{number}.txt", b" " * (32 << 20))
    assert only(tmp_path / "炸弹.zip").problem.startswith("archive-too-large: 4 files that unpack from")


def test_a_letter_that_kills_its_reader_is_one_problem_and_the_others_are_read(tmp_path):
    heavy = letter_in(tmp_path, "重.txt", b"x" * papers.MAX_FILE)
    light = letter_in(tmp_path, "轻.txt", LETTER)
    found = list(documents.read_papers([str(light), str(heavy), str(light), str(heavy)], memory=128 << 20))
    assert [paper[1] for paper in found] == [LETTER, "", LETTER, ""]
    assert [paper[3] for paper in found] == ["", "too-large: reading it takes more than 128 MiB of memory. Save its text alone."] * 2


def test_a_web_page_that_does_not_fit_into_memory_is_one_problem(tmp_path):
    heavy = letter_in(tmp_path, "重.html", "<p>" + "<b>x</b>" * 1_000_000)
    ((_, _, _, problem),) = documents.read_papers([str(heavy)], memory=200 << 20)
    assert problem == "damaged-file: the web page is damaged, or too large. Save its text alone."


def test_a_letter_that_takes_too_long_is_one_problem_and_the_others_are_read(tmp_path):
    os.mkfifo(tmp_path / "等.txt")  # it never answers
    light = letter_in(tmp_path, "轻.txt", LETTER)
    found = list(documents.read_papers([str(light), str(tmp_path / "等.txt"), str(light)], seconds=1.5))
    assert [paper[1] for paper in found] == [LETTER, "", LETTER]
    assert found[1][3] == "too-slow-to-read: reading it takes longer than 1.5 seconds. Save its text alone."


def test_a_reader_waits_for_who_takes_the_letters(tmp_path):
    paths = [str(letter_in(tmp_path, f"{number}.txt", LETTER * 2000)) for number in range(8)]
    found = documents.read_papers(paths, seconds=1)
    first = next(found)
    subprocess.run(["sleep", "1.5"], check=True)
    assert [paper[3] for paper in (first, *found)] == [""] * 8


def test_many_letters_are_read_by_one_process_after_the_other(tmp_path):
    count = documents.FILES_A_READER + 3
    for number in range(count):
        letter_in(tmp_path, f"{number:04}.txt", f"{LETTER}{number}")
    rows = read(tmp_path)
    assert [(row.number, row.cells[2]) for row in rows] == [(number + 1, f"{LETTER}{number}") for number in range(count)]


def test_letters_that_are_left_half_read_leave_nothing_behind(tmp_path):
    path = letter_in(tmp_path, "一月.zip", boxed(*((f"{number}.txt", LETTER) for number in range(300))))
    table = read_documents([path], spool=tmp_path)
    assert next(table.rows).number == 1
    assert len(list(tmp_path.iterdir())) == 2
    del table
    assert [entry.name for entry in tmp_path.iterdir()] == ["一月.zip"]


def test_a_name_that_cannot_be_printed_cannot_forge_a_line(tmp_path):
    letter_in(tmp_path, os.fsdecode("来信\n".encode() + b"\xff.txt"), LETTER)
    assert only(tmp_path).cells[:3:2] == ("来信??.txt", LETTER)


def without_libraries(code):
    """Run code with the standard library alone."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    return subprocess.run([sys.executable, "-S", "-P", "-c", start + code], capture_output=True, check=False, text=True).stdout


def test_a_missing_library_is_named_before_the_first_letter_is_read(tmp_path):
    for name in ("来信.docx", "来信.pdf", "来信.html"):
        letter_in(tmp_path / Path(name).suffix, name, LETTER)
        folder = tmp_path / Path(name).suffix
        code = f"""
from pathlib import Path
from triage.archive.documents import InputError, read_documents
try:
    read_documents([Path({str(folder)!r})])
except InputError as error:
    print(error.kind, error)"""
        said = without_libraries(code)
        assert said.startswith("not-installed ")
        assert "pip install 'letter-triage[documents]'" in said


def test_plain_letters_need_no_library_and_a_hidden_need_is_a_problem_of_its_letter(tmp_path):
    plain, disguised = letter_in(tmp_path, "一.txt", LETTER), letter_in(tmp_path, "二.txt", pdf(LETTER))
    said = without_libraries(f"from triage.archive.papers import read; print(*read('9', {str(plain)!r}, {str(disguised)!r}), sep='\\n')").splitlines()
    assert LETTER in said[0]
    assert "not-installed: pypdfium2 is needed. Run pip install 'letter-triage[documents]'." in said[1]
