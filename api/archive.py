"""``triage archive``: what an office has lying around, decided in one run that a kill does not send back to the start."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer()

Output = Annotated[
    str, typer.Option("--output", "-o", help="结果文件或网址:.csv、.xlsx、.jsonl、.parquet / where the decisions go, a file or an address", metavar="OUTPUT")
]
REFUSED = 3  # exit status: done, with refused rows


class Headers(StrEnum):
    """The language of the columns that are added."""

    zh = "zh"
    en = "en"


@app.command()
def archive(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="来信:表格、来信文件、文件夹、通配符、网址,或 - 表示标准输入 / tables, letters, folders, patterns, addresses, or -", metavar="INPUT…"
        ),
    ],
    output: Output,
    text: Annotated[str, typer.Option("--text", help="正文列名(默认自动识别) / the column of the text", metavar="COLUMN")] = "",
    title: Annotated[str, typer.Option("--title", help="标题列名 / the column of the title", metavar="COLUMN")] = "",
    id_column: Annotated[str, typer.Option("--id", help="编号列名 / the column of the id", metavar="COLUMN")] = "",
    sheet: Annotated[str, typer.Option(help="工作表名 / the worksheet", metavar="NAME")] = "",
    encoding: Annotated[str, typer.Option(help="文字编码(默认自动识别) / the encoding of text files", metavar="NAME")] = "",
    headers: Annotated[Headers, typer.Option(help="新增各列用中文还是英文名 / language of the added columns")] = Headers.zh,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="并行进程数,0 为全部核心 / processes, 0 for all cores", min=0, max=256)] = 0,
    cluster: Annotated[str, typer.Option(help="在集群上做:dask:tcp://主机:端口 或 spark / on a cluster: dask:tcp://HOST:PORT or spark", metavar="NAME")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="覆盖已有的结果,放弃别的未完成任务 / replace the output, drop another unfinished job")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="按 JSON 输出汇总(管道中默认) / print the summary as JSON, as in a pipe")] = False,
) -> None:
    """成批来信,中断后可接着做 / letters by the hundred thousand; when it is killed, the same command goes on."""
    from api import cli, terminal
    from triage.archive import places
    from triage.archive.job import archive as decide_archive
    from triage.archive.job import far_order
    from triage.archive.plan import Order

    order = Order(tuple(inputs), Path(output), headers.value, text, title, id_column, sheet, encoding, jobs or _cores(), overwrite, cluster)
    home = cli.ready_home()
    if places.is_remote(output):
        order = far_order(home, order, output)
    with terminal.letters("分办 / deciding") as told:
        summary = decide_archive(home, order, told, stdin=sys.stdin.buffer)
    _show(summary, as_json=as_json or not sys.stdout.isatty())
    if summary["refused"]:
        raise typer.Exit(REFUSED)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _show(summary: dict[str, Any], *, as_json: bool) -> None:
    import orjson

    from triage.archive.summary import in_chinese

    lines: Sequence[str] = in_chinese(summary)
    print("\n".join(lines), file=sys.stderr)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(summary) + b"\n")
        sys.stdout.flush()
