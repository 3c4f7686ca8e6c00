"""What identifies people inside texts: found by patterns and replaced by what it was (脱敏). Best effort, no promise.

Every pattern is tried in the order of ``_RULES`` on what the earlier ones have left. Full-width digits and signs, and
digits written as Chinese characters (一三八…), are read as what they mean; the rest of the text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

_READ_AS = str.maketrans(
    "０１２３４５６７８９＋－—–―‐＠．（）　：〇零一二三四五六七八九幺", "0123456789+-----@.() :001234567891"
)
"""One character for one, so that places stay the same."""

_HAN = "\u4e00-\u9fff"
_GAP = r"[ \-]?"


@dataclass(frozen=True)
class _Rule:
    """``label`` takes the place of whatever ``pattern`` finds and ``holds`` agrees to. ``plain``: look at the text as
    it is written; else at what its digits and signs mean. ``group``: the part that is replaced.
    """

    label: str
    pattern: re.Pattern[str]
    plain: bool = False
    group: int = 0
    holds: Callable[[str], bool] = lambda found: True


def _is_identity(found: str) -> bool:
    """Whether 18 characters are an identity card's number (GB 11643, check digit of ISO 7064)."""
    digits = re.sub(r"[ \-]", "", found).upper()
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(digits[:17], weights, strict=True))
    return "10X98765432"[total % 11] == digits[17]


def _is_card(found: str) -> bool:
    """Whether the digits of a bank card add up (Luhn)."""
    digits = [int(one) for one in re.sub(r"\D", "", found)]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


# Each unit is matched in one way only (?>…): texts that consist of nothing but such characters cost no more than others.
_PROVINCE = rf"(?>[{_HAN}]{{2,7}}?(?:省|自治区|特别行政区))"
_CITY = rf"(?>[{_HAN}]{{2,8}}?(?:市|自治州|地区|盟))"
_DISTRICT = rf"(?>[{_HAN}]{{1,8}}?(?:新区|开发区|街道|区|县|旗|镇|乡))"
_ROAD = (
    rf"(?>[{_HAN}A-Za-z][{_HAN}A-Za-z0-9]{{0,11}}?(?:大街|大道|路|街|道|巷|胡同|弄|村|社区|小区|花园|公寓|大厦|广场|新城|家园|校区|大学|学院"
    r"|工业园|产业园|科技园|苑|庄|府|湾))"
)
_NUMBER = (
    r"(?:[0-9A-Za-z]{1,5}|[一二三四五六七八九十]{1,3})(?:-[0-9A-Za-z]{1,5}){0,3}"
    r"(?:号楼|号院|号|栋|幢|座|单元|室|层|楼|弄|期|组|户)"
)
_BETWEEN = r"[\s,，、]{0,2}"
_ROOM = r"(?:[0-9]{1,3}-)?[0-9]{2,5}(?![0-9元块件个天月年号:.])室?"


def _in_a_row(one: str, least: int, most: int) -> str:
    return rf"(?>(?:{one}{_BETWEEN}){{{least},{most}}})"


_RULES: tuple[_Rule, ...] = (
    _Rule(
        "【邮箱】", re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{2,63}){1,4}")
    ),
    _Rule(
        "【证件】",
        re.compile(
            r"(?<![0-9A-Za-z])[1-9]\d{5}[ \-]?(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ \-]?\d{3}[\dXx]"
            r"(?![0-9A-Za-z])"
        ),
        holds=_is_identity,
    ),
    _Rule("【证件】", re.compile(r"(?:身份证|证件|护照)[号码为是: ]{0,6}([A-Za-z0-9]{7,18})"), group=1),
    _Rule(
        "【银行卡】",
        re.compile(
            r"(?<![0-9A-Za-z])(?:62\d{2}|[345]\d{3})(?:[ \-]?\d{4}){2}[ \-]?\d{3,4}(?:[ \-]?\d{3})?(?![0-9A-Za-z])"
        ),
        holds=_is_card,
    ),
    _Rule(
        "【电话】",
        re.compile(
            r"(?<![0-9A-Za-z])(?:(?:\+|00)?86[ \-]?)?"
            rf"(?:1[3-9]\d{_GAP}\d{{4}}{_GAP}\d{{4}}|1[3-9]\d[ \-]\d{{3}}[ \-]\d{{5}}|1[3-9]\d{{2}}[ \-]\d{{3}}[ \-]\d{{4}}|1[3-9]\d[ \-]\d{{4}}[ \-]\d\d[ \-]\d\d"
            r"|1[3-9]\d\.\d{4}\.\d{4}|1[ \-][3-9](?:[ \-]\d){9})(?![0-9])"
        ),
    ),
    _Rule(
        "【电话】",
        re.compile(
            r"(?<![0-9A-Za-z.])(?:(?:\+|00)86[ \-]?)?(?:\(0\d{2,3}\)[ \-]?|0[1-9]\d{1,2}[ \-]?)[2-9]\d{2,3}[ \-]?\d{4}"
            r"(?:[ \-]?(?:转|ext\.?|-)[ \-]?\d{1,5})?(?![0-9])"
        ),
    ),
    _Rule(
        "【电话】", re.compile(r"(?<![0-9A-Za-z])[48]00[ \-]?(?:\d{3}[ \-]?\d{4}|\d{4}[ \-]?\d{3})(?![0-9])")
    ),
    _Rule(
        "【电话】",
        re.compile(r"(?:电话|手机|联系方式|tel)[号码为是: ]{0,4}(\d[\d \-]{5,12}\d)(?![0-9])", re.IGNORECASE),
        group=1,
    ),
    _Rule(
        "【账号】",
        re.compile(
            r"(?:微信|威信|薇信|v信|VX|WX|wechat|支付宝)[号账帐户为是: ]{0,4}([A-Za-z0-9][A-Za-z0-9_\-]{4,19})",
            re.IGNORECASE,
        ),
        group=1,
    ),
    _Rule(
        "【账号】",
        re.compile(r"(?:QQ|扣扣)[号群为是: ]{0,4}([1-9]\d{4,10})(?![0-9])", re.IGNORECASE),
        group=1,
    ),
    _Rule(
        "【单号】",
        re.compile(
            r"(?<![0-9A-Za-z])(?:SF|YT|JT|YD|ZT|ZTO|STO|TT|DPK|EMS|JD|JDV|JDX|LP|KYE)[A-Z]{0,2}\d{9,16}(?![0-9])",
            re.IGNORECASE,
        ),
    ),
    _Rule(
        "【单号】",
        re.compile(
            r"(?:快递|物流|运单|单号|面单|取件码|提货码|验证码|[中圆申]通|韵达|顺丰|极兔|百世|德邦|京东|邮政)[快递单号码为是: ]{0,6}([A-Z]{0,4}\d{9,18}|(?<=码)\d{4,8}|(?<=码[: 是])\d{4,8})(?![0-9])",
            re.IGNORECASE,
        ),
        group=1,
    ),
    _Rule(
        "【单号】",
        re.compile(r"(?:取件码|取货码|提货码)[为是: ]{0,3}(\d{1,3}-\d{1,3}-\d{3,6})(?![0-9])"),
        group=1,
    ),
    # What is as long as that numbers an order, a payment or a parcel, and so leads to one person.
    _Rule("【编号】", re.compile(r"(?<![0-9A-Za-z/=_.])\d{15,30}(?![0-9A-Za-z])")),
    _Rule(
        "【姓名】",
        re.compile(rf"(?:收货人|收件人|联系人|姓名)[为是叫:：\s]{{1,3}}([{_HAN}·]{{2,4}}|[A-Za-z ]{{2,20}})"),
        plain=True,
        group=1,
    ),
    _Rule(
        "【地址】",
        re.compile(
            rf"(?:收货地址|收件地址|详细地址|家庭地址|住址|地址)(?:改成|改为|换成|[为是:：])[\s]{{0,2}}([{_HAN}0-9A-Za-z（）()#\-－\s]{{6,60}})"
        ),
        plain=True,
        group=1,
    ),
    _Rule(
        "【地址】",
        re.compile(
            rf"(?:{_PROVINCE}{_BETWEEN})?(?:{_CITY}{_BETWEEN})?{_in_a_row(_DISTRICT, 0, 3)}{_in_a_row(_ROAD, 1, 3)}"
            rf"{_in_a_row(_NUMBER, 1, 6)}(?:{_ROOM})?"
        ),
        plain=True,
    ),
    _Rule(
        "【地址】",
        re.compile(
            rf"(?:{_PROVINCE}{_BETWEEN}(?:{_CITY}{_BETWEEN})?|{_CITY}{_BETWEEN}){_in_a_row(_DISTRICT, 1, 3)}"
            rf"{_in_a_row(_ROAD, 0, 3)}{_in_a_row(_NUMBER, 0, 6)}(?:{_ROOM})?"
        ),
        plain=True,
    ),
    _Rule(
        "【地址】",
        re.compile(rf"{_NUMBER}{_BETWEEN}(?:{_ROOM}|{_in_a_row(_NUMBER, 1, 6)}(?:{_ROOM})?)"),
        plain=True,
        holds=lambda found: re.search(r"号楼|栋|幢|座|单元", found) is not None,
    ),
)

_WORTH_A_LOOK = (
    r"[0-9０-９〇零一二三四五六七八九幺][^0-9０-９〇零一二三四五六七八九幺]{0,3}[0-9０-９〇零一二三四五六七八九幺]"
    r"|[@＠]|省|市|区|县|镇|路|街|小区|地址|收货人|收件人|联系人|姓名|微信|威信|薇信|v信|支付宝|扣扣|(?i:qq|vx|wx|wechat)"
)


def masked(text: str) -> str:
    """The text with labels for what identifies somebody."""
    for rule in _RULES:
        read = text if rule.plain else text.translate(_READ_AS)
        pieces, end = [], 0
        for found in rule.pattern.finditer(read):
            begin, stop = found.span(rule.group)
            if begin >= end and rule.holds(read[begin:stop]):
                trailing = len(read[begin:stop]) - len(read[begin:stop].rstrip(" ,，、\n\t\u3000"))
                pieces += [text[end:begin], rule.label]
                end = stop - trailing
        if pieces:
            text = "".join([*pieces, text[end:]])
    return text


def masked_texts(texts: pl.Series) -> pl.Series:
    """Every text masked; those in which there cannot be anything are not looked at one by one."""
    looked = texts.str.contains(_WORTH_A_LOOK).fill_null(False)
    rows = looked.arg_true()
    if rows.is_empty():
        return texts
    return texts.scatter(rows, pl.Series([masked(text) for text in texts.gather(rows)], dtype=pl.String))
