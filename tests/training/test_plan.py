import pytest

from cxr_core.errors import WrongArguments
from cxr_core.training.plan import Plan, Stage, parse_stages, stages_text


def test_stages_as_they_are_written():
    stages = parse_stages("head:64x1, 64x8,128x0.5")
    assert stages == (Stage(64, 1, head=True), Stage(64, 8), Stage(128, 0.5))
    assert stages_text(stages) == "head:64x1,64x8,128x0.5"
    assert parse_stages(stages_text(stages)) == stages


@pytest.mark.parametrize("text", ["64", "64x", "16x2", "64x0", "tail:64x1", "head64x1", ""])
def test_other_words_are_refused(text):
    with pytest.raises(WrongArguments, match="SIZExEPOCHS"):
        parse_stages(text)


def test_steps_are_whole_batches():
    plan = Plan(parse_stages("64x2,64x0.5"), batch_size=32)
    # 100 images are three batches; four images are left to another epoch's order
    assert [plan.steps(stage, 100) for stage in plan.stages] == [6, 2]
    assert plan.steps(plan.stages[0], 10) == 2


def test_the_rate_warms_up_and_falls_and_the_head_does_not_count_as_a_stage():
    plan = Plan(parse_stages("head:64x1,64x8,128x4,224x1,256x1"), learning_rate=0.9)
    peaks = [max(plan.rate(number, share / 100) for share in range(101)) for number in range(5)]
    assert peaks == pytest.approx([0.9, 0.9, 0.3, 0.1, 0.1], rel=0.01)
    assert plan.rate(1, 0) == pytest.approx(0.009)
    assert plan.rate(1, 1) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "wild"}, "Augmentation 'wild': accepted are none, mild"),
        ({"loss": "focal"}, "Loss 'focal'"),
        ({"precision": "float64"}, "Precision 'float64'"),
        ({"average": 1.0}, "Average 1"),
    ],
)
def test_a_plan_that_is_none_is_refused(options, words):
    with pytest.raises(WrongArguments, match=words):
        Plan(parse_stages("64x1"), **options)
