"""cslog.toml: where it is looked for, what it says of shops, and errors that name the key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import platformdirs
import pytest

from cslog import config, profile
from cslog.config import Config, Shop
from cslog.errors import UsageError

TEXT = """
store = "data"
language = "zh"

[shops."某旗舰店"]
aliases = ["某某海外店"]
robots = ["小蜜"]
staff = ["店小二"]
internal = ["老板"]

[shops."乙店"]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("CSLOG_CONFIG", "CSLOG_STORE"):
        monkeypatch.delenv(name, raising=False)


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_a_configuration():
    found = config.load(write("my.toml", TEXT))
    assert found == Config(
        store="data",
        language="zh",
        shops={
            "某旗舰店": Shop(
                aliases=("某某海外店",), robots=("小蜜",), staff=("店小二",), internal=("老板",)
            ),
            "乙店": Shop(),
        },
        folder=".",
    )
    assert found.canonical_shop("某某海外店") == found.canonical_shop("某旗舰店") == "某旗舰店"
    assert found.canonical_shop("丙店") == "丙店"
    assert found.robots() == {"某旗舰店": {"小蜜"}, "乙店": set()}
    assert found.staff() == {"某旗舰店": {"店小二"}, "乙店": set()}
    assert found.internal("某旗舰店") == {"老板"}
    assert found.internal("乙店") == found.internal("丙店") == set()
    assert "服务助手" in config.DEFAULT_ROBOTS


def test_where_it_lies_is_no_key():
    with pytest.raises(UsageError, match="unknown field `folder`"):
        config.load(write("my.toml", 'folder = "."'))


def test_where_it_is_looked_for(monkeypatch):
    assert config.load(None) == Config()
    write("cslog.toml", 'store = "here"')
    write("named.toml", 'store = "named"')
    write("environment.toml", 'store = "environment"')
    assert config.load(None).store == "here"
    monkeypatch.setenv("CSLOG_CONFIG", "environment.toml")
    assert config.load(None).store == "environment"
    assert config.load("named.toml").store == "named"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stoer = 'x'", "stoer"),
        ("store = 1", r"\$\.store"),
        ("language = 'fr'", r"\$\.language"),
        ("[shops.'a']\nrobot = ['x']", r"robot.*\$\.shops"),
        ("[shops.'a']\nrobots = 'x'", r"\$\.shops\[\.\.\.\]\.robots"),
        ("store = \nlanguage = 'zh'", "line 1"),
        ("[shops\nstore = 'x'", "line 1"),
    ],
)
def test_errors_name_the_file_and_the_key(text, said):
    with pytest.raises(UsageError, match=rf"my\.toml: .*{said}.*configuration\.md") as caught:
        config.load(write("my.toml", text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8():
    Path("my.toml").write_bytes('store = "数据"'.encode("gbk"))
    with pytest.raises(UsageError, match=r"my\.toml"):
        config.load("my.toml")


def test_a_named_file_must_exist(monkeypatch):
    with pytest.raises(UsageError, match=r"missing\.toml: No such file.*--config"):
        config.load("missing.toml")
    monkeypatch.setenv("CSLOG_CONFIG", "missing.toml")
    with pytest.raises(UsageError, match=r"missing\.toml"):
        config.load(None)


def test_where_the_store_is(monkeypatch):
    assert config.store_folder(None, Config()) == Path(platformdirs.user_data_path("cslog", False)) / "store"
    assert config.store_folder(None, Config(store="configured")) == Path("configured")
    monkeypatch.setenv("CSLOG_STORE", "environment")
    assert config.store_folder(None, Config(store="configured")) == Path("environment")
    assert config.store_folder("option", Config(store="configured")) == Path("option")
    monkeypatch.setenv("HOME", "/somebody")
    assert config.store_folder("~/data", Config()) == Path("/somebody/data")


def test_the_hash_is_of_what_changes_figures():
    chitu = profile.load("chitu")
    plain = Config(shops={"甲店": Shop(), "乙店": Shop()})
    same = [
        Config(shops={"乙店": Shop(), "甲店": Shop()}),
        Config(store="x", language="zh", shops=plain.shops),
    ]
    other = [
        Config(shops={"甲店": Shop(robots=("小蜜",)), "乙店": Shop()}),
        Config(shops={"甲店": Shop(internal=("小蜜",)), "乙店": Shop()}),
        Config(),
    ]
    assert {config_.hash(chitu) for config_ in same} == {plain.hash(chitu)}
    hashes = {plain.hash(chitu), *(config_.hash(chitu) for config_ in other)}
    hashes.add(plain.hash(msgspec.structs.replace(chitu, max_wait_s=300)))
    assert len(hashes) == 5
    assert all(len(text) == 12 and int(text, 16) >= 0 for text in hashes)
