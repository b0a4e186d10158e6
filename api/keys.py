"""``triage keys``: who may call the HTTP service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from api.register import AsJson, By, login, office_register, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.register.keys import Key

keys_app = typer.Typer(no_args_is_help=True, help="HTTP 服务的密钥:发放、查看、吊销 / keys of the HTTP service: create, list, revoke.")

COLUMNS = {"id": "编号", "name": "归谁", "role": "角色", "state": "状态", "made_at": "发放", "expires_at": "到期", "revoked_at": "吊销"}


@keys_app.command()
def create(
    name: Annotated[str, typer.Argument(help="归谁用,如系统或科室名;同名密钥视为同一方 / whose key; keys of one name are one caller", metavar="NAME")],
    role: Annotated[str, typer.Option(help="intake 来信系统、staff 办信人员、steward 管理员 / what it may do", metavar="intake|staff|steward")],
    days: Annotated[int | None, typer.Option(help="多少天后到期,默认不到期 / ends after so many days; never by default", metavar="DAYS")] = None,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """发放一个密钥,只显示这一次 / make a key; it is shown this once."""
    from triage.register import keys

    with office_register() as register:
        made, text = keys.create(register, name, role, by or login(), days=days)
    print("triage: 请立即保存密钥,以后无法再显示 / keep the key now: nobody can show it again", file=sys.stderr)
    tell({"key": text} | made.as_dict(), as_json)


@keys_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """所有密钥:归谁、能做什么、是否有效 / all keys: whose, for what, until when."""
    from triage.register import keys

    with office_register() as register:
        found = keys.known(register)
    if sys.stdout.isatty() and not as_json:
        _show_table(found)
    else:
        tell({"keys": [key.as_dict() for key in found]}, as_json)


@keys_app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="密钥编号或其开头 / the key's id or its beginning", metavar="ID")],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """吊销一个密钥,一秒后各进程均不再接受 / end a key; a second later no process takes it."""
    from triage.register import keys

    with office_register() as register:
        tell(keys.revoke(register, key, by or login()).as_dict(), as_json)


def _show_table(found: Sequence[Key]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS.values(), box=None, padding=(0, 2, 0, 0))
    for key in found:
        facts = key.as_dict()
        table.add_row(*(Text((facts[column] or "—")[:19]) for column in COLUMNS))
    Console().print(table)
