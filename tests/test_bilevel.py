"""Weights of training losses: the slope found by two more looks is the one that unrolling the step gives."""

from __future__ import annotations

import pytest
import torch

from assay.ops.bilevel import hypergradient


def toy(kind, dtype=torch.float64):
    """Parameters, the losses of three tasks and the outer loss, as functions of a list of tensors."""
    dice = torch.Generator().manual_seed(0)
    a, b = (torch.randn(3, 5, generator=dice, dtype=dtype) for _ in range(2))
    params = [torch.randn(5, generator=dice, dtype=dtype), torch.randn(3, generator=dice, dtype=dtype)]
    target = torch.randn(5, generator=dice, dtype=dtype)

    def losses(p):
        z = (p[0] - a) * b
        return (z.square() if kind == "quadratic" else torch.log(1 + z.exp())).sum(1) + p[1].square()

    def outer(p):
        z = p[0] - target
        return z.square().sum() if kind == "quadratic" else torch.sin(z).sum() + p[1].exp().sum()

    return params, losses, outer


def unrolled(params, losses, outer, weights, rate, decay):
    """The exact slope: the step is written down and differentiated."""
    weights = weights.clone().requires_grad_()
    leaves = [p.clone().requires_grad_() for p in params]
    slopes = torch.autograd.grad((weights * losses(leaves)).sum(), leaves, create_graph=True)
    after = [p - rate * (g + decay * p) for p, g in zip(leaves, slopes, strict=True)]
    return torch.autograd.grad(outer(after), weights)[0]


@pytest.mark.parametrize("kind", ["quadratic", "curved"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_the_slope_of_the_unrolled_step(kind, decay):
    params, losses, outer = toy(kind)
    weights = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    want = unrolled(params, losses, outer, weights, 0.05, decay)
    leaves = [p.clone().requires_grad_() for p in params]
    got = hypergradient(leaves, lambda: losses(leaves), lambda: outer(leaves), weights, rate=0.05, decay=decay)
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-6)


def test_it_is_the_slope_that_differences_of_weights_give():
    params, losses, outer = toy("curved")
    weights, rate, h = torch.ones(3, dtype=torch.float64), 0.05, 1e-5

    def after(w):
        leaves = [p.clone().requires_grad_() for p in params]
        slopes = torch.autograd.grad((w * losses(leaves)).sum(), leaves)
        return outer([p - rate * g for p, g in zip(leaves, slopes, strict=True)])

    want = torch.stack([(after(weights + h * e) - after(weights - h * e)) / (2 * h) for e in torch.eye(3, dtype=torch.float64)])
    leaves = [p.clone().requires_grad_() for p in params]
    got = hypergradient(leaves, lambda: losses(leaves), lambda: outer(leaves), weights, rate=rate)
    torch.testing.assert_close(got, want.detach(), rtol=1e-3, atol=1e-6)


def test_the_parameters_are_left_as_they_were_even_after_an_error():
    params, losses, outer = toy("curved", torch.float32)
    leaves = [p.clone().requires_grad_() for p in params]
    hypergradient(leaves, lambda: losses(leaves), lambda: outer(leaves), torch.ones(3), rate=0.3)
    assert all(torch.equal(a, b) for a, b in zip(leaves, params, strict=True))

    def broken():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        hypergradient(leaves, lambda: losses(leaves), broken, torch.ones(3), rate=0.3)
    assert all(torch.equal(a, b) for a, b in zip(leaves, params, strict=True))


def test_a_flat_outer_loss_moves_nothing():
    params, losses, _ = toy("curved")
    leaves = [p.clone().requires_grad_() for p in params]
    weights = torch.ones(3, dtype=torch.float64)
    assert torch.equal(hypergradient(leaves, lambda: losses(leaves), lambda: 0 * leaves[0].sum(), weights, rate=1.0), torch.zeros(3))


def test_of_a_helpful_and_a_harmful_task_the_helpful_one_wins():
    """One task pulls where the outer loss wants to go, one away from it."""
    x = torch.zeros(2, requires_grad=True)
    goal, weights = torch.tensor([1.0, -1.0]), torch.ones(2, requires_grad=True)
    wheel = torch.optim.Adam([weights], lr=0.1)
    for _ in range(20):
        weights.grad = hypergradient(
            [x],
            lambda: torch.stack([(x - goal).square().sum(), (x + goal).square().sum()]),
            lambda: (x - goal).square().sum(),
            weights,
            rate=0.1,
        )
        wheel.step()
    assert weights[0] > 2 > 0 > weights[1]
