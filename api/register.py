"""``triage register``: the letter register's own commands: make, upgrade, verify, back up, restore, move, erase, purge, count."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.register.book import Register

register_app = typer.Typer(no_args_is_help=True, help="登记簿:建立、升级、核验、备份、恢复、迁移、清除、统计 / the letter register.")

AsJson = Annotated[bool, typer.Option("--json", help="按 JSON 输出(管道中默认) / print JSON, as in a pipe")]
By = Annotated[str, typer.Option(help="经办人,默认为登录名 / who asks; the login name by default", metavar="NAME")]
Backup = Annotated[Path, typer.Argument(help="备份文件 / the backup", metavar="BACKUP.zip", exists=True, dir_okay=False)]
DAY = "%Y-%m-%d"


@register_app.command()
def init(as_json: AsJson = False) -> None:
    """建立登记簿;已有则不动 / make the register; one that is there stays as it is."""
    upgrade(as_json)


@register_app.command()
def upgrade(as_json: AsJson = False) -> None:
    """把旧版登记簿升级到本版,先自动备份 / bring an older register up to date, after a backup."""
    from api.settings import settings
    from triage.register import book
    from triage.register.schema import VERSION

    known = settings()
    found = book.upgrade(known.home, known.database.get_secret_value())
    with office_register() as register:
        tell({"register": register.place, "schema": VERSION, "before": found or None}, as_json)


@register_app.command()
def verify(
    anchor: Annotated[str, typer.Option(help="以前记下的 SEQ:HASH / a SEQ:HASH noted down earlier", metavar="SEQ:HASH")] = "",
    as_json: AsJson = False,
) -> None:
    """核验数据库与留痕链,出错指明第一条,退出码 6 / check database and audit trail; names the first bad row and exits with 6."""
    from triage.register import audit, health

    with office_register() as register:
        health.check(register)
        with register.reading() as connection:
            found = audit.verify(connection, anchor)
    tell(found.as_dict() | {"anchor": f"{found.seq}:{found.hash}"}, as_json)
    if found.first_bad is not None:
        raise typer.Exit(6)


@register_app.command()
def backup(
    to: Annotated[Path | None, typer.Argument(help="写到哪里,默认 TRIAGE_HOME/backups / where to", metavar="BACKUP.zip", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """备份,运行中也可以 / back up, also while it is in use."""
    from api.settings import settings
    from triage.register import backup as backups

    path = to or settings().home / "backups" / f"register-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    with office_register() as register:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with register.reading() as connection:
            backups.write(connection, path)
        manifest = backups.check(path, register.cipher)
    tell({"backup": str(path.resolve()), "letters": manifest.rows["letters"], "audit_head": manifest.audit_head, "keys": list(manifest.keys)}, as_json)


@register_app.command()
def restore(
    file: Backup,
    only_verify: Annotated[bool, typer.Option("--verify", help="只演练,不动现有登记簿 / rehearse only, touch nothing")] = False,
    as_json: AsJson = False,
) -> None:
    """恢复到空登记簿;--verify 只演练 / restore into an empty register; --verify proves that it can be done."""
    from api.settings import settings
    from triage.register import restore as restoring

    if only_verify:
        manifest = restoring.rehearse(file, settings().text_key.get_secret_value())
    else:
        with office_register() as register:
            manifest = restoring.restore(file, register)
    tell({"backup": str(file.resolve()), "restored": not only_verify, "sound": True, "rows": dict(manifest.rows)}, as_json)


@register_app.command()
def move(
    to: Annotated[
        str, typer.Argument(help="目标,写法同 TRIAGE_DATABASE;含口令时写 - 从标准输入读 / where to; - reads it from standard input", metavar="TO_URL|-")
    ],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """整体迁到另一个数据库,一条不少;旧库随后拒绝打开 / move everything to another database; the old one then refuses to open."""
    from api.settings import settings
    from triage.register import restore as restoring

    known = settings()
    target = sys.stdin.readline().strip() if to == "-" else to
    with office_register() as register:
        manifest = restoring.move(register, known.home, target, known.text_key.get_secret_value(), by or login())
    tell({"moved": dict(manifest.rows), "next": "TRIAGE_DATABASE"}, as_json)


@register_app.command()
def erase(
    days: Annotated[int, typer.Option(help="登记满多少天(记为以后的期限) / how old in days; becomes the period from now on", min=0, metavar="DAYS")] = 0,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """清除到期来信的文字,统计照旧 / erase the words of letters past their period; statistics stay."""
    from triage.register import retention

    with office_register() as register:
        if days:
            retention.keep_for(register, days, by or login())
        tell({"erased": retention.erase(register, by or login()), "days": retention.period(register)}, as_json)


@register_app.command()
def purge(
    sender: Annotated[str, typer.Argument(help="来信人的编号;写 - 从标准输入读 / the sender's reference; - reads it from standard input", metavar="SENDER|-")],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """应本人要求,删去其全部来信及有关记录 / take away all letters of a person, as they wish."""
    from triage.register import retention

    who = sys.stdin.readline().rstrip("\n") if sender == "-" else sender
    with office_register() as register:
        tell({"purged": retention.purge(register, who, by or login())}, as_json)


@register_app.command()
def reseal(by: By = "", as_json: AsJson = False) -> None:
    """换密钥后,用新密钥重新加密全部文字 / seal everything again with the first key of TRIAGE_TEXT_KEY."""
    from triage.register import retention

    with office_register() as register:
        tell({"resealed": retention.reseal(register, by or login()), "key": register.cipher.id}, as_json)


@register_app.command()
def statistics(
    since: Annotated[datetime, typer.Option(help="从哪天起 / from this day on", formats=[DAY])],
    until: Annotated[datetime, typer.Option(help="到哪天止(含) / up to and including this day", formats=[DAY])],
    as_json: AsJson = False,
) -> None:
    """统计:件次、人次、类别、单位、初信重信、同比 / letters and persons, against the year before."""
    from datetime import timedelta

    from api.settings import settings
    from triage.register import figures
    from triage.taxonomy import load

    first, last = (when.astimezone(UTC).isoformat(timespec="microseconds") for when in (since, until + timedelta(days=1)))
    with office_register() as register:
        tell(figures.statistics(register, first, last, load(settings().home)), as_json)


@contextmanager
def office_register() -> Iterator[Register]:
    """The register that the settings name, with its warnings on standard error."""
    from api.settings import settings
    from triage.register.book import open_register

    known = settings()
    with closing(open_register(known.home, known.database.get_secret_value(), known.text_key.get_secret_value())) as register:
        for warning in register.warnings:
            print(f"triage: {warning}", file=sys.stderr)
        yield register


def login() -> str:
    """Who is logged in, empty for a user without a name."""
    from api.models import _login

    return _login()


def tell(answer: dict[str, Any], as_json: bool) -> None:
    """Print an answer: as JSON in a pipe or when asked to, otherwise as names and values."""
    if sys.stdout.isatty() and not as_json:
        from api import terminal

        terminal.tell(answer)
        return
    import orjson

    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.flush()
