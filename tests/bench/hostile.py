"""Archives as nobody wants them, each decided whole: what is refused, how long it takes, how much memory all processes hold.

    python tests/bench/hostile.py [--home FOLDER] [--rows 100000]

Written here from invented letters: GB18030 with one byte in a hundred letters damaged; a sheet of 40 columns under merged group names; one
line of 300 MB in JSON Lines; a quote at row 70,000 that is never closed. After each it is checked that every other letter is there.
"""

import argparse
import csv
import json
import os
import random
import sys
import tempfile
from pathlib import Path

import watch

SENTENCES = ["青石桥工地的包工头欠我们六个人四个月工资不给", "柳荫巷的自来水发黄三天了,请问什么时候能修好", "村里征地补偿款到现在还没有发到我们手里"]
BAD_ROW = 70_000
HUGE = 300_000_000  # bytes of a line


def sentence(number):
    return f"{SENTENCES[number % 3]},这是第{number}次反映。"


def damaged(path, rows):
    """One byte in a hundred letters is one that stands for nothing; returns the refused rows that are expected."""
    chance, bad = random.Random(1), 0
    with path.open("wb") as file:
        file.write("编号,内容\r\n".encode("gb18030"))
        for number in range(rows):
            line = f'{number},"{sentence(number)}"\r\n'.encode("gb18030")
            if chance.random() < 0.01:
                place, bad = len(str(number)) + 2 + 2 * chance.randrange(10), bad + 1
                line = line[:place] + b"\xff" + line[place + 1 :]
            file.write(line)
    return bad


def merged(path, rows):
    """Forty columns under a title and group names over several columns."""
    import xlsxwriter

    names = ["编号", "标题", "内容", *(f"事项{'甲乙丙丁戊己庚辛壬癸'[number % 10]}{'子丑寅卯'[number // 10]}" for number in range(37))]
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 39, "东湖区来信汇总")
        sheet.write(1, 0, "编号")
        sheet.merge_range(1, 1, 1, 2, "来信")
        sheet.merge_range(1, 3, 1, 39, "其他")
        sheet.write_row(2, 0, names)
        for number in range(rows // 5):
            sheet.write_row(3 + number, 0, [f"{number:06}", "", sentence(number), *["注"] * 37])
    return 0


def endless(path, rows):
    """One line of 300 MB among letters."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            file.write(json.dumps({"id": str(number), "text": sentence(number)}, ensure_ascii=False) + "\n")
            if number == rows // 2:
                file.write('{"id": "huge", "text": "')
                for _ in range(HUGE // 3_000_000):
                    file.write("长" * 1_000_000)
                file.write('"}\n')
    return 1


def unclosed(path, rows):
    """A quote at row 70,000 that is never closed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("编号,内容\n")
        for number in range(rows):
            file.write(f'{number},"{sentence(number)}"\n' if number != BAD_ROW else f'{number},"{sentence(number)}\n')
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("TRIAGE_HOME", "office")))
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    for write, name in ((damaged, "damaged.csv"), (merged, "merged.xlsx"), (endless, "endless.jsonl"), (unclosed, "unclosed.csv")):
        with tempfile.TemporaryDirectory() as folder:
            measure(options, write, Path(folder, name))


def measure(options, write, source):
    expected = write(source, options.rows)
    target = source.with_name("out.csv")
    command = [sys.executable, "-c", "from api.cli import main; main()", "archive", str(source), "-o", str(target), "-j", "2", "--json"]
    output, seconds, memory = watch.run(command, TRIAGE_HOME=str(options.home))
    summary = json.loads(output)
    print(
        f"{source.name}, {source.stat().st_size / 1e6:,.0f} MB: {summary['letters']:,} decided, {summary['refused']:,} refused ({expected:,} expected)", end=""
    )
    print(f", {seconds:.1f} s, {memory:.2f} GiB", flush=True)
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    whole = all(sentence(int(row.get("编号") or row.get("id"))) == (row.get("内容") or row.get("text")) for row in rows)
    print(f"  every letter decided is as it was written: {whole}; rows: {summary['notes'] or 'no notes'}")
    refused = target.with_name("out.refused.csv")
    if refused.exists():
        with refused.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.DictReader(file))
        print(f"  first refused: row {first['行号']}, {first['代码']}, {first['原因']}")


if __name__ == "__main__":
    main()
