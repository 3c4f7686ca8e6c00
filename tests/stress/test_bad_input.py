"""Property tests: whatever is done to a file of a known format, cslog keeps its promises (tests/stress/targets.py).

A few examples in every run; ``HYPOTHESIS_PROFILE=explore`` looks for new ones.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stress import seeds
from tests.stress.targets import TARGETS

EXAMPLES = max(40, settings().max_examples // 2) if settings().max_examples > 100 else 40
quickly = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


@st.composite
def damaged(draw, name: str) -> bytes:
    """A seed of the target with some of its pieces cut, moved, doubled, or replaced by words of the formats."""
    content = bytearray(draw(st.sampled_from(seeds.seeds(name))))
    words = st.sampled_from(seeds.words(name)) | st.binary(max_size=8)
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["cut", "put", "replace", "repeat", "end"])):
            case "cut":
                del content[start:end]
            case "put":
                content[start:start] = draw(words)
            case "replace":
                content[start:end] = draw(words)
            case "repeat":
                content[start:start] = content[start:end] * draw(st.integers(1, 20))
            case "end":
                del content[end:]
    return bytes(content)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(name, counted):
    tried = 0

    @given(data=damaged(name))
    @quickly
    def run(data):
        nonlocal tried
        tried += 1
        TARGETS[name].run(data)

    run()
    counted(f"{tried} damaged inputs of {name}")


# Characters that formats and readers care about, and some that nobody expects.
_TEXT = st.text(
    st.sampled_from("=-+@,;\t\"'()（）:：[]\r\x00\x03\u2028\u200b\ufeff￥٣²😊é在0129")
    | st.characters(codec="utf-8"),
    max_size=30,
)


@given(
    lines=st.lists(_TEXT, max_size=12),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-16-be", "utf-8-sig"]),
    name=st.sampled_from(
        [name for name in TARGETS if name not in ("config", "mapping", "zip", "pattern", "qn-txt-plain")]
    ),
)
@settings(quickly, max_examples=4 * EXAMPLES)
def test_any_lines_below_a_right_beginning(lines, encoding, name):
    opening = seeds.seeds(name)[0].decode(
        "gb18030" if name in ("qn-txt", "ww-txt-old", "tb-orders-csv") else "utf-8"
    )
    cut = opening[: opening.find("\n", len(opening) // 2) + 1]
    TARGETS[name].run((cut + "\n".join(lines)).encode(encoding))
