"""The story counts what was expected and what came, and its verdict is the exit code."""

import io
from itertools import count

import pytest

from spean.sandbox.story import Story, StoryBrokenError


def told(story: Story) -> str:
    assert isinstance(story.out, io.StringIO)
    return story.out.getvalue()


@pytest.fixture
def story() -> Story:
    ticks = count()
    return Story(out=io.StringIO(), clock=lambda: float(next(ticks)))


def test_a_story_that_went_as_expected_ends_well(story: Story) -> None:
    story.open("Title", "ចំណងជើង")
    with story.step("Ask", "សួរ"):
        assert story.expect("status", came=200, wanted=200)
    assert story.close(("All good", "ល្អ"), ("Not good", "មិនល្អ")) == 0
    assert "1. Ask\n   សួរ\n   ✓ 1.00 s" in told(story)
    assert "All good (3.0 s)\nល្អ" in told(story)


def test_a_difference_is_told_where_it_happens_and_in_the_verdict(story: Story) -> None:
    with story.step("Ask", "សួរ"):
        assert not story.expect("status", came=500, wanted=200)
    assert story.close(("All good", "ល្អ"), ("Not good", "មិនល្អ")) == 1
    assert "   ! status: expected 200, came 500\n   ✗" in told(story)
    assert told(story).endswith("មិនល្អ\n  - status: expected 200, came 500\n")


def test_what_later_steps_need_ends_the_story(story: Story) -> None:
    with pytest.raises(StoryBrokenError), story.step("Ask", "សួរ"):
        story.need("status", came=500, wanted=200)
    assert "✗" in told(story)
