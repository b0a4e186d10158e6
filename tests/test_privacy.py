"""Numbers that point at a person are masked; numbers that say what happened are not."""

import pytest

from triage.privacy import mask

MASKED = [
    "110101190001010000",
    "11010119000101001X",
    "11010119000101001x",
    "110101 19000101 0000",
    "110101-19000101-0000",
    "110101000101001",
    "13800000000",
    "138 0000 0000",
    "138-0000-0000",
    "+8613800000000",
    "0100-0000000",
    "(0100)00000000",
    "6200000000000000",
    "6200 0000 0000 0000 000",
    "someone@example.com",
]
STAYS = ["20190117", "2019-01-17 08:30", "123456.78元", "(2020)12号", "12345", "12306", "3000000元", "第1234567号", "1.5亿", "1990-2020", "A1栋2004"]


@pytest.mark.parametrize("number", MASKED)
def test_a_personal_number_is_masked_within_its_sentence(number):
    assert mask(f"我是{number},请回复") == "我是*,请回复"


@pytest.mark.parametrize("text", STAYS)
def test_dates_amounts_and_document_numbers_stay(text):
    assert mask(text) == text


def test_masking_twice_is_masking_once():
    text = "电话13800000000和138-0000-0000,证110101190001010000"
    assert mask(mask(text)) == mask(text)
