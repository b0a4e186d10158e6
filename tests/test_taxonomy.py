"""Categories and departments are data, and data is checked."""

import pytest

from triage import taxonomy as taxonomies
from triage.errors import TaxonomyError

FORMER = {
    "国土局": "自然资源和规划局",
    "规划局": "自然资源和规划局",
    "环保局": "生态环境局",
    "工商局": "市场监督管理局",
    "质监局": "市场监督管理局",
    "食药监局": "市场监督管理局",
    "物价局": "市场监督管理局",
    "劳动局": "人力资源和社会保障局",
    "人事局": "人力资源和社会保障局",
    "社保局": "人力资源和社会保障局",
    "卫生局": "卫生健康委员会",
    "计生委": "卫生健康委员会",
    "卫计委": "卫生健康委员会",
    "农业局": "农业农村局",
    "扶贫办": "农业农村局",
    "乡村振兴局": "农业农村局",
    "安监局": "应急管理局",
    "建设局": "住房和城乡建设局",
    "房管局": "住房和城乡建设局",
    "房产局": "住房和城乡建设局",
    "金融办": "地方金融管理局",
    "经信委": "工业和信息化局",
    "银监局": "金融监督管理局",
    "保监局": "金融监督管理局",
    "监察局": "纪委监委",
}


@pytest.mark.parametrize(("former", "today"), FORMER.items())
def test_a_former_name_leads_to_the_department_of_today(taxonomy, former, today):
    assert taxonomy.department_named(former).name == today


def test_the_shipped_taxonomy_has_sixteen_domains_and_forty_nine_categories(taxonomy):
    assert (len(taxonomy.domains), len(taxonomy.categories), len(taxonomy.purposes)) == (16, 49, 4)


def test_an_unknown_department_is_named_with_the_nearest(taxonomy):
    with pytest.raises(TaxonomyError, match="nearest"):
        taxonomy.department_named("国土资源管理局")


def test_an_unknown_category_is_named_with_the_nearest(taxonomy):
    with pytest.raises(TaxonomyError, match='nearest "wages"'):
        taxonomy.check_knows(["wage"], "letters.csv line 3")


def own(tmp_path, name, old, new):
    text = (taxonomies.DATA / name).read_text("utf-8")
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1), "utf-8")
    return tmp_path


def test_an_office_changes_a_name_in_its_own_copy(tmp_path):
    home = own(tmp_path, "categories.toml", 'name = "拖欠工资"', 'name = "欠薪"')
    assert taxonomies.load(home).categories["wages"].name == "欠薪"
    assert taxonomies.load(home).version != taxonomies.shipped().version


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("categories.toml", 'lead = "water"', 'lead = "watre"', 'unknown department "watre"; nearest "water"'),
        ("categories.toml", 'domain = "labour"', 'domain = "labor"', 'unknown domain "labor"; nearest "labour"'),
        ("categories.toml", 'code = "wages"\nname = "拖欠工资"', 'code = "wages"\nname = " "', '"name" is missing or empty'),
        ("categories.toml", 'code = "wages"', 'code = "labour_rights"', 'code "labour_rights" is used twice'),
        ("categories.toml", 'covers = "欠薪', 'cover = "欠薪', 'unknown field "cover"'),
        ("categories.toml", 'lead = "culture_tourism"\n', "", "a field is missing"),
        ("categories.toml", "[[domain]]", "[[domain]", "must be TOML"),
        ("categories.toml", 'co_handlers = ["water"', 'co_handlers = ["court"', 'unknown department "court"'),
        ("departments.toml", 'aliases = ["公积金中心"', 'aliases = ["公积金中心", "城管局"', '"城管局" names both'),
    ],
)
def test_a_contradiction_is_named_with_its_place(tmp_path, name, old, new, says):
    home = own(tmp_path, name, old, new)
    with pytest.raises(TaxonomyError, match=says) as raised:
        taxonomies.load(home)
    assert str(tmp_path / name) in str(raised.value)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "categories.toml").write_bytes('name = "类别"'.encode("gb18030"))
    with pytest.raises(TaxonomyError, match="UTF-8"):
        taxonomies.load(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "categories.toml").write_text("", "utf-8")
    with pytest.raises(TaxonomyError, match="At least one is needed"):
        taxonomies.load(tmp_path)


def test_a_byte_order_mark_is_no_trouble(tmp_path):
    text = (taxonomies.DATA / "categories.toml").read_bytes()
    (tmp_path / "categories.toml").write_bytes(b"\xef\xbb\xbf" + text)
    assert len(taxonomies.load(tmp_path).categories) == 49


def test_the_guards_words_are_known_kinds(taxonomy):
    from triage.guards import KINDS

    assert set(taxonomy.guards) == {*KINDS, "look_alikes"}
