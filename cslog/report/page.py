"""A sheet as one HTML page without scripts or anything fetched from elsewhere."""

from __future__ import annotations

from html import escape

from cslog.report.sheet import Language, Sheet, shown_rows

_STYLE = """
body{font:14px/1.5 -apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:2em;color:#222}
h1{font-size:1.3em;margin:0 0 .6em}div.rows{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.35em .7em;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th{position:sticky;top:0;background:#f5f6f8;vertical-align:bottom;white-space:normal;min-width:4.5em}
th.name,td.name{text-align:left}td.lines{white-space:pre-line;min-width:24em}tr:hover td{background:#f5f9ff}
ul.warnings{color:#8a4b00;padding-left:1.2em}dl{color:#666;font-size:.85em;display:grid;grid-template-columns:max-content 1fr;gap:0 1em}
dd{margin:0}
"""


def render(sheet: Sheet, language: Language) -> bytes:
    """The page, UTF-8; every text that came from a file is escaped."""
    kinds = ["name" if not column.unit else "figure" for column in sheet.columns]
    head = "".join(
        f'<th class="{kind}">{escape(column.title(language))}</th>'
        for kind, column in zip(kinds, sheet.columns, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind + " lines" if chr(10) in cell else kind}">{escape(cell)}</td>'
            for kind, cell in zip(kinds, cells, strict=True)
        )
        + "</tr>\n"
        for cells in shown_rows(sheet, sheet.columns)
    )
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in sheet.warnings)
    stamp = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in sheet.stamp)
    tongue = "zh-CN" if language == "zh" else "en"
    return (
        f'<!DOCTYPE html>\n<html lang="{tongue}"><head><meta charset="utf-8"><title>{escape(sheet.title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(sheet.title)}</h1>"
        f'<ul class="warnings">{warnings}</ul><div class="rows"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}</tbody></table></div><dl>{stamp}</dl></body></html>\n"
    ).encode()
