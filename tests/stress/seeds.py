"""Where fuzzing starts from: cuts of the sample logs, forms of the format notes, and what readers look for."""

from __future__ import annotations

from pathlib import Path

from tests.stress import exports
from tests.stress.targets import MARKER, SHOP

_ROOT = Path(__file__).parents[2]
_SAMPLES = _ROOT / "sample_logs"
CORPUS = Path(__file__).parent / "corpus"

_RULE, _DASHES = "=" * 64, "-" * 28
_TXT = f"""{SHOP}:小美

{_RULE}
{" " * 31}单聊{" " * 29}
{_RULE}


{_DASHES}晴天(小)屋{_DASHES}
晴天(小)屋(2024-11-06 10:12:00):  在吗 {MARKER}
第二行
{SHOP}:小美(2024-11-06 10:12:52):  [自动回复]亲，在的
cntaobao{SHOP}:小美(2024-11-06 10:12:53): [卡片]
{SHOP}:小美(2024-02-30 10:12:53):  不存在
2024-11-06 10:12:54
路人(2024-11-06 10:13:00):  引用
{_DASHES}-t-{_DASHES}
-t-（2024-11-06 10:12:00）：全角
由 服务助手 转交给 客服A，原因：【离线留言自动分配】

{_RULE}
{" " * 31}群聊{" " * 29}
{_RULE}
群(2024-11-06 10:12:00):  群里的话
"""
_OLD = f"""某

即时消息
2017-04-05
2017-04-05 09:01:02 buyer_a: 鞋子偏大吗 {MARKER}
2017-04-05 09:01:20 {SHOP}:客服A: 亲，正常尺码哦
建议按平时尺码购买
2017-04-05 09:01:31 buyer_a:{" "}
2017-02-30 09:01:31 buyer_a: 系统提示：x
2017-04-05 09:01:31
"""
_COPY = f"""晴天 2024-11-6 10:12:00
在吗 {MARKER}
已读
晴天 --> {SHOP}:小美 2024-11-6 10:12:30
b
{SHOP}:小美2024-11-06 10:12:40
亲
某店:小美 撤回了一条消息
由 服务助手 转交给 小美
原因：【离线】
当前用户来自 商品详情页
2024年11月7日 星期四
晴天
2024-1-15 14:30:25
[晴天] 10:30
(自动回复)
晴天 (2024-11-06 10:12:13): 一行
"""
_MESSAGES = f"""会话ID,日期,时间,对象,发话者,消息,消息状态,商品ID,商品,客户,客服,店铺
S1,2024-11-08,14:00:00,客户,海盐,"几行
{MARKER}",已读,61,被,海盐,{SHOP}:小美,{SHOP}
S1,2024-11-08,14:00:12,客服,{SHOP}:小美,亲,已读,61,被,海盐,{SHOP}:小美,{SHOP}
="S2",45604.5,20241108140012,系统,,x,图片,,,'海盐,,
"""
_ORDERS = f"""订单编号,买家会员名,买家应付邮费,买家实际支付金额,订单状态,订单创建时间,订单付款时间 ,联系手机,店铺名称,订单备注,宝贝总数量,退款金额
="35153133291510001","tb61","0.00","201.12","买家已付款，等待卖家发货","2024-11-08 00:42:32","2024/11/8 0:42","'{MARKER}","{SHOP}","","1",无退款申请
="35153133291510002",tb62,0,¥1299.00,交易关闭,1731000000000,,,{SHOP},="x",１,"1,2.00"
"""
_ROSTER = """2024年11月排班,,,,
姓名,1,2,3日,2024-11-04
小美,早班,休,早班/晚班 09:00-12:00,12:00-20:00
阿强,,早班,次日 20:00-次日 02:00,早
合计,1,2,,
"""
_LONG_ROSTER = "日期,姓名,班次\n2024-11-01,小美,早班\n11/2,阿强,08:00-16:00\n"


def _cut(data: bytes, size: int = 1500) -> bytes:
    return data[: data.rfind(b"\n", 0, size) + 1]


def _sheet(text: str) -> bytes:
    return b"L" + text.replace(",", "\t").encode()


_CELLS = (
    b'R<dimension ref="A1:C2"/><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>%s</t></is></c>'
    b'<c r="B1" t="str"><v>x</v></c></row><row r="2"><c r="A2"><v>45604.5</v></c><c r="B2" t="b"><v>1</v></c>'
    b'<c r="C2" t="e"><v>#N/A</v></c><c r="D2" t="d"><v>2024-11-08T10:00:00</v></c><c r="E2" t="s"><v>0</v></c>'
    b'<c r="F2"><f>SUM(A1:A2)</f><v>3</v></c></row></sheetData>'
)


def seeds(target: str) -> list[bytes]:
    """Inputs of a target to start from, without those of the corpus."""
    samples = sorted(_SAMPLES.rglob("*.*"))
    of = {
        name: [
            _cut(file.read_bytes())
            for file in samples
            if file.parent.name == name and "golden" not in file.name
        ]
        for name in ("qn-txt", "qn-copy", "message-table", "tb-orders")
    }
    mappings = [file.read_bytes() for file in sorted((_ROOT / "docs" / "mappings").glob("*.toml"))]
    irc = (
        b"\x00--- Log opened Tue Sep 01 09:59:58 2026\n10:00 -!- anna joined\n10:00 < anna> hello "
        + MARKER.encode()
    )
    irc += b"\n10:01 <@xiaomei> anna: which number?\nmore\n--- Day changed Wed Sep 02 2026\n09:00 < bob> 1\n"
    texts: dict[str, list[bytes]] = {
        "qn-txt": [_TXT.encode("gb18030"), _TXT.encode(), _TXT.encode("utf-16"), *of["qn-txt"]],
        "qn-txt-plain": [
            b"S" + bytes(range(256)),
            b"S" + bytes(range(255, 0, -1)) * 2,
            b"S" + bytes(3) * 200,
            b"S\x01\x02" + bytes((7, 3, 11, 5)) * 90,
            _TXT.encode("gb18030"),
            _TXT.replace("\n", "\r\n").encode(),
            *of["qn-txt"],
        ],
        "pattern": [
            *(
                f"{pattern}\0{text}".encode()
                for pattern, text in (
                    (r"(?P<time>\d\d:\d\d) <[@+% ]?(?P<sender>[^>]+)> (?P<text>.*)", "10:00 <@a> hi"),
                    (r"(a+)+$", "aaaaaaaaab"),
                    (r"工号(\d+)|[\W_-]{2,5}?(?i:AbC)", "工号12"),
                    (r"(?x) a b # c", "ab"),
                    (r"(?=a)b|\bq\B.", "qa"),
                )
            ),
        ],
        "ww-txt-old": [_OLD.encode("gb18030"), _OLD.encode(), _OLD.replace("\n", "\r\n").encode("utf-16-be")],
        "qn-copy": [_COPY.encode(), _COPY.encode("utf-8-sig"), *of["qn-copy"]],
        "message-table-csv": [
            _MESSAGES.encode(),
            _MESSAGES.replace(",", "\t").encode("gb18030"),
            *of["message-table"],
        ],
        "message-table-xlsx": [_sheet(_MESSAGES), _CELLS % "时间".encode()],
        "tb-orders-csv": [_ORDERS.encode("gb18030"), _ORDERS.encode("utf-8-sig"), *of["tb-orders"]],
        "tb-orders-xlsx": [_sheet(_ORDERS.replace('="', "").replace('"', "")), _CELLS % "订单编号".encode()],
        "mapping": mappings,
        "mapping-log": [
            irc,
            b"\x01ts,thread_ts,user,text\n1767060000.000100,1767060000.000100,anna,hi\n1767060009.1,1767060000.000100,x.support,yo\n",
            b"\x02Timestamp,Chat ID,Visitor Name,Sender,Sender Type,Message\n2026-09-01T01:00:00Z,7,anna,anna,Visitor,hi\n",
        ],
        "zip": [
            b"Z\x00\x01\x00a.txt\n" + _TXT.encode() + b"\x00\n\x00\x00../b/c.csv\n" + _ORDERS.encode(),
            b"Z\x00\x01\x00in.zip\nZ\x00\x00\x00a.txt\n" + _OLD.encode(),
            b"Z\x01\x02\x00a.txt\nx\x00\n\x03\x00a.txt\ny\x00\n\x01\x10d/\n",
        ],
        "config": [_toml_of_docs()],
        "roster": [
            _ROSTER.encode(),
            _ROSTER.replace(",", "\t").encode("gb18030"),
            _LONG_ROSTER.encode("utf-8-sig"),
            _sheet(_ROSTER),
            _CELLS % "姓名".encode(),
        ],
    }
    return texts[target]


def _toml_of_docs() -> bytes:
    """The examples of docs/configuration.md, one below the other."""
    page = (_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    return "\n".join(part.partition("```")[0] for part in page.split("```toml\n")[1:]).encode()


def corpus(target: str) -> list[Path]:
    """Inputs that once broke something, or that nothing may break."""
    return sorted(file for file in (CORPUS / target).glob("*") if file.is_file())


def words(target: str) -> list[bytes]:
    """Pieces of the formats, for a mutator to put anywhere."""
    from cslog.readers import message_table, tb_orders

    plain = [
        _RULE,
        _DASHES,
        "单聊",
        "群聊",
        "(2024-11-06 10:12:00):  ",
        "）：",
        "\r\n",
        "即时消息",
        "[自动回复]",
        SHOP + ":",
    ]
    plain += [
        "2024-11-06 10:12:00",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59",
        "1970-01-01 08:00:00",
        " --> ",
        "已读",
    ]
    plain += [
        '="',
        '"',
        "'",
        "\x00",
        "\ufffd",
        "\u2028",
        "\U0001f60a",
        "٣",
        "²",
        "1e999",
        "9" * 400,
        "-0",
        "NaN",
    ]
    if "table" in target or "orders" in target:
        plain += [word for many in message_table.SYNONYMS.values() for word in many[:4]]
        plain += [word for many in tb_orders.SYNONYMS.values() for word in many[:3]]
        plain += ["交易成功", "等待买家付款", "2024/11/8 0:42", "45604.5", "1731000000000", ",", "\t", ";"]
    if "xlsx" in target or target == "roster":
        plain += [
            '<c r="XFD1048576" t="s"><v>0</v></c>',
            "&#65;",
            "<!DOCTYPE x [<!ENTITY a 'b'>]>",
            't="inlineStr"',
        ]
    if target == "qn-txt-plain":
        return [*dict.fromkeys([*words("qn-txt"), *exports.JUNK])]
    if target in ("config", "mapping", "pattern"):
        plain += [
            "[[",
            "]]",
            "{",
            "}",
            '"""',
            "'''",
            "1979-05-27T07:32:00Z",
            "(a+)+$",
            "(?P<time>",
            "%Y",
            "%-",
            "utf-7",
        ]
        plain += ["~nobody/x", "\\u0000", "epoch_ms", "lines", "table", "0x", "1e400", "inf", "nan"]
    encoded = [word.encode() for word in plain] + [
        word.encode("gb18030") for word in plain if not word.isascii()
    ]
    return list(dict.fromkeys(encoded)) + [b"\xff", b"\x81", b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04"]
