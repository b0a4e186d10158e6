"""What OpenAPI says of the calls: who may, what is answered, and every problem with an example. A test holds it against what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from api import examples, once, queries, schemas
from api import registered_schemas as shapes
from api.kinds import KINDS
from api.problems import URN

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pydantic import BaseModel

GUARDED = ("bad-host", "key-refused", "key-mistyped", "missing-scope", "no-keys", "cross-site", "too-many-calls", "too-many-wrong-keys", "unforeseen")
FRONT = ("late", "headers-too-large", "starting", "draining", "busy")  # what api.front and api.wire answer before a call is looked at
REGISTER_FAULTS = (*(kind for kind in KINDS if kind.startswith("register")), "storage")
_SENT = ("empty-body", "invalid-json", "invalid-unicode", "not-utf8", "json-too-deep", "number-out-of-range", "duplicate-key", "body-too-large")
_READ = ("unsupported-media-type", "unsupported-charset", "object-expected", "unknown-field", "invalid-input", "text-too-long")
BODY = (*_SENT, *_READ)
ONCE = ("bad-idempotency-key", "idempotency-running", "idempotency-key-reused")
VERDICT = (*BODY, *ONCE, "no-such-letter", "unknown-code", "invalid-days")

RATE = {
    "RateLimit": {"schema": {"type": "string"}, "example": '"calls";r=5999;t=1', "description": "本分钟还可调用几次(r),几秒后复原(t);未设密钥时没有"},
    "RateLimit-Policy": {"schema": {"type": "string"}, "example": '"calls";q=6000;w=60', "description": "每个密钥每分钟可调用几次"},
}
RETRY = {"Retry-After": {"schema": {"type": "integer"}, "example": 1, "description": "几秒后再试"}}
CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string"}, "example": 'Bearer realm="letter-triage"', "description": "须出示密钥"}}
LOCATION = {"Location": {"schema": {"type": "string"}, "example": f"/v1/letters/{shapes.ID}", "description": "登记后的地址"}}
REPLAYED = {once.REPLAYED: {"schema": {"type": "string", "enum": ["true"]}, "description": "这是同一 Idempotency-Key 先前的答复"}}
ETAG = {"ETag": {"schema": {"type": "string"}, "example": '"1.0.0"', "description": "来信现状的版本,更正时放入 If-Match"}}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "只在来信自此版本后没有变化时更正",
    "example": '"1.0.0"',
}
MEANINGS = {
    400: "请求无法读取",
    401: "没有有效的密钥",
    403: "没有这项权限",
    404: "没有这封来信,或没有这个档案任务",
    408: "30 秒内没有收到完整请求,连接随即关闭",
    409: "与先前的请求冲突",
    412: "来信在此期间已有变化",
    413: "内容过大",
    415: "不支持的内容类型",
    422: "内容不符合要求",
    429: "调用过于频繁",
    431: "请求头超过 100 个或 32 KiB",
    500: "内部错误",
    503: "正在启动、正在停止、过于繁忙,或登记簿暂时不可用",
    507: "存储已满",
}

Call = dict[str, Any]


def call(described: Call) -> Call:
    """The arguments of a route's decorator for one of the calls below."""
    return {"responses": described["responses"], "openapi_extra": {name: value for name, value in described.items() if name != "responses"}}


def of_right(right: str, answers: dict[int, Any], *kinds: str, parameters: tuple[Any, ...] = (), body: Any = None) -> Call:
    """A call for who has this right: its answers, the kinds of its problems, its parameters and its body."""
    described: Call = {"security": [{"key": []}], "x-right": right, "responses": answers | problems(*kinds, *FRONT, *GUARDED, *REGISTER_FAULTS)}
    if parameters:
        described["parameters"] = list(parameters)
    return described | ({"requestBody": body} if body else {})


def problems(*kinds: str) -> dict[int | str, Any]:
    """The answers that problems of these kinds make, by status, each with an example a kind."""
    answers: dict[int | str, Any] = {}
    for kind in kinds:
        status, title, says = KINDS[kind].status, KINDS[kind].title, KINDS[kind].says
        content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        answer = answers.setdefault(status, {"description": MEANINGS[status], "content": {"application/problem+json": content}})
        example = {"type": f"{URN}{kind}", "title": title, "status": status, "detail": says}
        answer["content"]["application/problem+json"]["examples"][kind] = {"summary": title, "value": example}
        answer["headers"] = _headers(status)
    return answers


def _headers(status: int) -> Call:
    told: dict[int, Call] = {401: CHALLENGE, 409: RETRY | RATE, 429: RETRY | RATE, 503: RETRY | RATE}
    return told.get(status, RATE)


def ok(model: Any, says: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer that is none of the problems."""
    return {"model": model, "description": says, "headers": RATE | (headers or {})}


def body_of(model: type[BaseModel], name: str) -> dict[str, Any]:
    """A request body of one model, with its example."""
    schema = model.model_json_schema()
    example = schema.pop("examples")[0]
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": {name: {"value": example}}}}}


def install(app: FastAPI) -> None:
    """Have the app's document name the key, the shape of problems, and what guards every call."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            parts = made.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = schemas.Problem.model_json_schema()
            for name, example in examples.ANSWERS.items():
                parts["schemas"][name]["examples"] = [example]
            says = "`triage keys create NAME --role intake|staff|steward` 发放的密钥;从未发放过密钥时,仅本机可不带密钥访问"
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "ltk_", "description": says}}
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


_LETTER = schemas.LetterIn.model_json_schema()
_LETTERS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["letters"],
    "properties": {"letters": {"type": "array", "items": _LETTER, "minItems": 1, "maxItems": schemas.MAX_LETTERS}},
}
_BATCH = {"letters": [schemas.EXAMPLE_LETTER, {"text": "小区电梯坏了半个月没人修,物业说没钱。"}]}
_ONE_OR_MORE = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_LETTER, _LETTERS]},
            "examples": {"一封来信": {"value": schemas.EXAMPLE_LETTER}, "一批来信": {"value": _BATCH}},
        }
    },
}

CLASSIFY = of_right(
    "classify",
    {200: ok(schemas.DecisionOut | schemas.DecisionsOut, "一封来信得一份分办意见;一批来信得同序的一批")},
    *BODY,
    "too-many-items",
    body=_ONE_OR_MORE,
)
REGISTER = of_right(
    "register",
    {
        201: ok(shapes.EnteredOut, "已登记,附分办意见", LOCATION | REPLAYED),
        200: ok(shapes.EnteredOut, "此来源先前已登记过这封来信", LOCATION | REPLAYED),
    },
    *BODY,
    *ONCE,
    "other-letter-same-id",
    parameters=(once.HEADER,),
    body=body_of(schemas.LetterIn, "一封来信"),
)
LIST = of_right(
    "list",
    {200: ok(shapes.PageOut, "一页来信,新的在前")},
    "bad-cursor",
    "unknown-parameter",
    "invalid-parameter",
    "unknown-code",
    parameters=tuple(queries.DESCRIBED),
)
RECORD = of_right("read", {200: ok(shapes.RecordOut, "来信及其分办意见、更正、退回", ETAG)}, "no-such-letter", parameters=(queries.ID,))
CORRECT = of_right(
    "correct",
    {201: ok(shapes.CorrectionOut, "已更正", REPLAYED)},
    *VERDICT,
    "empty-correction",
    "stale-letter",
    parameters=(queries.ID, once.HEADER, IF_MATCH),
    body=body_of(shapes.CorrectionIn, "更正类别和承办单位"),
)
RETURN = of_right(
    "return",
    {201: ok(shapes.ReturnOut, "已退回", REPLAYED)},
    *VERDICT,
    "invalid-taxonomy",
    parameters=(queries.ID, once.HEADER),
    body=body_of(shapes.ReturnIn, "退回"),
)
CATEGORIES = of_right("", {200: ok(list[schemas.CategoryListed], "全部类别")})
DEPARTMENTS = of_right("", {200: ok(list[schemas.DepartmentListed], "全部承办单位")})
MODELS = of_right("models", {200: ok(schemas.ModelsOut, "全部模型版本")}, "model-refused")
