"""Shared bricks: computed once inside the block, freshly outside, never across a change."""

import torch

from assay.ops.shared import remembering, shared

calls = []


@shared
def double(x, *, times=1):
    calls.append(times)
    return x * 2 * times


def test_once_inside_and_always_outside():
    x = torch.ones(3)
    calls.clear()
    double(x)
    double(x)
    assert len(calls) == 2
    with remembering():
        assert double(x) is double(x)
        assert double(x, times=2) is not double(x)
    assert len(calls) == 4
    with remembering():
        double(x)
    assert len(calls) == 5


def test_a_changed_tensor_is_a_new_question():
    x = torch.ones(3)
    with remembering():
        before = double(x)
        x += 1
        assert torch.equal(double(x), before * 2)


def test_gradients_are_never_remembered():
    x = torch.ones(3, requires_grad=True)
    with remembering():
        assert double(x) is not double(x)


def test_views_of_the_same_pixels_are_one_question():
    x = torch.ones(2, 3)
    with remembering():
        assert double(x[None]) is double(x[None])
        assert double(x[:, 1:]) is not double(x[:, :2])


def test_what_was_asked_longest_ago_is_forgotten_first():
    a, b = torch.ones(1000), torch.ones(1000)
    with remembering(budget=13000):  # three tensors of 4000 bytes: not both questions with their answers
        first = double(a)
        assert double(a) is first
        double(b)
        assert double(a) is not first
    with remembering(budget=100):
        assert double(a) is not double(a)
