"""Every problem that a call may be answered with: its status, its title, and a detail as an example. docs/http.md lists them too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem. ``says`` is a detail as it may stand in an answer."""

    status: int
    title: str
    says: str


def _register(title: str, what: str, way_out: str, status: int = 503) -> Kind:
    """A fault of the register as callers hear of it: without the place where it is, which is for the office's own log."""
    return Kind(status, title, f"register: {what}. It must answer and be writable. {way_out}; what was not acknowledged is sent again.")


_KEYLESS = "Authorization: no key that is valid here. A key is needed that was neither revoked nor has ended. Send `Authorization: Bearer KEY`."

KINDS = {
    "bad-host": Kind(400, "Host 头不正确", "Host: missing, doubled or no name of a host. RFC 9112 asks for exactly one. Correct it."),
    "empty-body": Kind(400, "请求体为空", "body: empty. A JSON object is needed. Send it as /docs shows."),
    "invalid-json": Kind(400, "请求体不是合法的 JSON", "body: not valid JSON (line 1, column 9). RFC 8259 says what is. Correct it."),
    "invalid-unicode": Kind(400, "请求体含有残缺的字符", "body: half of a surrogate pair. A text holds whole characters. Send them as UTF-8."),
    "not-utf8": Kind(400, "请求体不是 UTF-8", "body: byte 10 is not UTF-8. JSON is sent in UTF-8 (RFC 8259). Convert it."),
    "json-too-deep": Kind(400, "JSON 嵌套过深", "body: more than 32 levels of objects and lists. No call needs as many. Correct it."),
    "number-out-of-range": Kind(400, "数字超出范围", "body: a number that is too large. No call needs as large a one. Correct it."),
    "duplicate-key": Kind(400, "同一字段出现两次", "body: an object names a field twice. A field stands once. Remove one of the two."),
    "bad-cursor": Kind(400, "翻页游标不正确", "cursor: is none of this list. A cursor belongs to the filters it was made for. Begin again without one."),
    "bad-idempotency-key": Kind(
        400, "Idempotency-Key 不正确", "Idempotency-Key: not 1 to 255 printable ASCII characters. It stands once. Send one, a UUID for example."
    ),
    "key-refused": Kind(401, "没有有效的密钥", _KEYLESS),
    "key-mistyped": Kind(
        401, "密钥抄写有误", "Authorization: the key was copied wrongly, its last signs do not fit. A key is 51 signs long. Copy it again, whole."
    ),
    "missing-scope": Kind(403, "密钥没有这项权限", 'key: the role "intake" has not the right "correct". docs/http.md says which role has. Use another key.'),
    "no-keys": Kind(
        403,
        "尚未发放密钥,只接受本机访问",
        "service: has no keys, so it answers this machine alone. Other machines need a key. Run `triage keys create NAME --role intake`.",
    ),
    "cross-site": Kind(403, "不接受其他网站页面发来的请求", "Origin: a page of another site asked for this call. Only pages of this service may. Use a key."),
    "not-found": Kind(404, "没有这个地址", "request: Not Found. The calls are listed under /docs. Correct address or method."),
    "no-such-letter": Kind(
        404, "登记簿中没有这封来信", "letter: no letter of this id is registered. Ids are those that registering gave. Look it up in the list."
    ),
    "no-such-archive": Kind(404, "没有这个档案任务", "archive: no such id. GET /v1/archives lists those that are kept. Correct the id."),
    "nothing-refused": Kind(404, "没有拒收的行", "archive: no row of it was refused. The decisions are under /output. Fetch those."),
    "method-not-allowed": Kind(405, "不支持的方法", "request: Method Not Allowed. The calls are listed under /docs. Correct address or method."),
    "idempotency-running": Kind(409, "同一请求正在处理", "Idempotency-Key: its first call is still running. One at a time is allowed. Try again in a moment."),
    "other-letter-same-id": Kind(
        409,
        "同一编号对应了另一封来信",
        "id: this source gave the same id to another letter before. An id stands for one letter. Send this one with an id of its own.",
    ),
    "archive-not-done": Kind(
        409, "档案任务还没有办完", "archive: running, so there is no output. An archive that is done has one. Ask GET /v1/archives/{id} how far it is."
    ),
    "stale-letter": Kind(
        412, "来信在此期间已有变化", "If-Match: the letter has changed since. What was said meanwhile should be read first. Get it again, then correct it."
    ),
    "late": Kind(408, "请求没有按时传完", "request: not complete after 30 seconds. Send it without pauses."),
    "body-too-large": Kind(413, "请求体过大", "body: more than 8000000 bytes. TRIAGE_MAX_BODY is the limit. Send fewer letters in a call, or raise it."),
    "too-many-items": Kind(413, "一次提交的来信过多", "letters: 1001 letters. Allowed are 1 to 1000 in a call. Split the batch."),
    "unsupported-media-type": Kind(
        415, "不支持的内容类型", "Content-Type: not plain application/json. Allowed is application/json without Content-Encoding. Set the header and send JSON."
    ),
    "unsupported-charset": Kind(415, "不支持的字符集", "Content-Type: another character set. JSON is sent in UTF-8 (RFC 8259). Convert it."),
    "object-expected": Kind(422, "请求体须为对象", 'body: not an object. Allowed is a letter or {"letters": [...]}. See /docs.'),
    "unknown-field": Kind(
        422, "未知字段", 'body: unknown field "txet" (nearest "text"). Allowed: text, title, body, id, channel, received_at, sender, place. Correct the name.'
    ),
    "unknown-parameter": Kind(
        422,
        "未知参数",
        'query: unknown parameter "departement" (nearest "department"). Allowed: department, category, review, since, until, limit, cursor. Correct the name.',
    ),
    "invalid-request": Kind(
        422, "参数缺失或不正确", "request: a parameter is missing or of the wrong kind. The parameters are listed under /docs. Correct the call."
    ),
    "invalid-input": Kind(422, "字段不符合要求", "body: id: Input should be a valid string. The fields are listed under /docs. Correct them."),
    "invalid-parameter": Kind(422, "参数不符合要求", "limit: not a whole number from 1 to 1000. It stands once. Correct it."),
    "text-too-long": Kind(
        422, "来信过长", "body: text: String should have at most 100000 characters. A letter has at most 100000 characters. Correct the field."
    ),
    "unknown-code": Kind(
        422, "代码或名称不存在", "department: no such department. Codes, names and former names are those of GET /v1/departments. Correct it."
    ),
    "empty-correction": Kind(
        422, "更正没有内容", "correction: says nothing. It names a category, a purpose or a department; the same as before confirms it. Fill one in."
    ),
    "invalid-days": Kind(422, "日期不合理", "returned_on: is before forwarded_on. A letter is forwarded first. Correct the days."),
    "idempotency-key-reused": Kind(
        422,
        "同一 Idempotency-Key 用于另一内容",
        "Idempotency-Key: was used for another body. A key stands for one call. Send the same body again, or a new key.",
    ),
    "too-many-calls": Kind(429, "调用过于频繁", "key: more than 6000 calls in a minute. TRIAGE_RATE_LIMIT is the limit. Wait as long as Retry-After says."),
    "too-many-wrong-keys": Kind(
        429, "错误密钥过多", "Authorization: more than 20 wrong keys in a minute from this address. A right one is answered at once. Correct the key."
    ),
    "headers-too-large": Kind(431, "请求头过大", "headers: more than 100, or than 32768 bytes. Send fewer."),
    "unforeseen": Kind(500, "内部错误", "server: KeyError. Nothing was stored. Report it with the time of the call."),
    "invalid-taxonomy": Kind(
        500, "本单位的分类文件有误", "taxonomy: a file of the office contradicts itself. Nothing was stored. Its steward runs `triage register verify`."
    ),
    "starting": Kind(503, "正在启动", "server: is opening the desk. It answers when that is done. Send it again in a second."),
    "draining": Kind(503, "正在停止", "server: is stopping. What it had accepted is answered. Send it again in a second."),
    "busy": Kind(503, "过于繁忙", "server: as many requests in work as it can answer soon (64). Send it again in a second."),
    "model-refused": Kind(503, "模型不可用", "models: a model folder is missing or damaged. Nothing was changed. Its steward runs `triage models verify`."),
    "register": _register("登记簿出错", "failed", "Its steward runs `triage register verify`"),
    "register-absent": _register("登记簿不存在", "does not exist", "Its steward runs `triage register init`"),
    "register-address": _register("登记簿地址不正确", "has no address that is one", "Its steward corrects TRIAGE_DATABASE"),
    "register-append-only": _register("留痕不可更改", "refused to change its audit trail", "The trail is only ever added to"),
    "register-busy": _register("登记簿忙", "is in use by others for too long", "Try again in a moment"),
    "register-damaged": _register("登记簿损坏", "is damaged", "Its steward restores a backup"),
    "register-driver": _register("缺少数据库驱动", "has no driver", "Its steward runs `pip install 'letter-triage[postgres]'`"),
    "register-encoding": _register("数据库编码不是 UTF-8", "is not in UTF-8", "Its steward makes the database anew"),
    "register-foreign": _register("数据库另有他用", "is a database of something else", "Its steward names another one"),
    "register-key": _register("缺少登记簿密钥", "is sealed with another key", "Its steward corrects TRIAGE_TEXT_KEY"),
    "register-moved": _register("登记簿已迁走", "was moved", "Its steward sets TRIAGE_DATABASE to the new one"),
    "register-newer": _register("登记簿版本过新", "is newer than this program", "Its steward installs the newer release"),
    "register-older": _register("登记簿版本过旧", "is older than this program", "Its steward runs `triage register upgrade`"),
    "register-on-network": _register("登记簿在网络盘上", "lies on a network file system", "Its steward moves it"),
    "register-password": _register("登记簿拒绝口令", "refuses the user or the password", "Its steward corrects TRIAGE_DATABASE"),
    "register-read-only": _register("登记簿只读", "cannot be written", "Its steward gives the right to write"),
    "register-unreachable": _register("登记簿无法连接", "cannot be reached", "Try again in a moment"),
    "register-unreadable": _register("登记簿无法读取", "cannot be read", "Its steward gives the right to read"),
    "register-full": _register("登记簿磁盘已满", "has no room on its disk", "Its steward frees space", 507),
    "storage": Kind(507, "存储不可用", "storage: cannot be written. The office's folder must be writable and have room. Its steward sees to it."),
}
