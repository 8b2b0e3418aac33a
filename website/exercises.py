"""Exercises of the course: each answer is printed by the code that its solution shows."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from website.examples import run

IMPORTS = {"np": "import numpy as np", "slopes": "import slopes"}  #: by the name that code has


class Exercise(NamedTuple):
    """A question in English and Chinese, and code whose last line of output is the answer.

    The answer is a number, or one of `choices`.
    """

    english: str
    chinese: str
    code: str
    choices: tuple[str, ...] = ()

    @property
    def program(self) -> str:
        """Return the code with its imports."""
        imports = [line for name, line in IMPORTS.items() if re.search(rf"\b{name}\b", self.code)]
        return "\n".join([*imports, "", self.code] if imports else [self.code])


@cache
def solve(exercise: Exercise) -> str:
    """Return the text that an exercise's code prints; the last line is the answer."""
    return run(exercise.program)


EXERCISES: dict[str, tuple[Exercise, ...]] = {
    "functions": (
        Exercise(
            "By how much does the sigmoid rise from 0 to 0.1, judged by its slope at 0?",
            "只看 0 处的斜率，sigmoid 从 0 到 0.1 大约上升多少？",
            "print(0.1 * slopes.sigmoid.slope(0.0))",
        ),
        Exercise(
            "Three logits are all 2. Which probability does softmax give to each?",
            "三个 logit 都是 2，softmax 给每一个的概率是多少？",
            "print(slopes.softmax([2.0, 2.0, 2.0])[0])",
        ),
        Exercise(
            "The predictions are 1 and 4, and both targets are 3. How large is the mean squared error?",
            "预测是 1 和 4，两个目标都是 3，均方误差是多少？",
            "print(slopes.mse([1.0, 4.0], [3.0, 3.0]))",
        ),
    ),
    "digits": (
        Exercise(
            "Which whole number is the first whose exponential overflows in float32?",
            "在 float32 里，从哪个整数开始，指数会溢出？",
            "x = np.arange(200, dtype=np.float32)\n"
            'with np.errstate(over="ignore"):\n'
            "    print(int(x[np.isinf(np.exp(x))][0]))",
        ),
        Exercise(
            "At which logits does the textbook's softmax give NaN?",
            "课本写法的 softmax 在哪一组 logit 上得到 NaN？",
            "for logits in ([1, 2, 3], [-5, 5], [1000, 0]):\n"
            '    with np.errstate(all="ignore"):\n'
            "        p = np.exp(logits) / np.sum(np.exp(logits))\n"
            "    if np.isnan(p).any():\n"
            "        print(logits)",
            ("[1, 2, 3]", "[-5, 5]", "[1000, 0]"),
        ),
        Exercise(
            "In float64, $1 - \\sigma(40)$ is 0. Which number is it really? Write it as in 1.2e-3.",
            "在 float64 里 $1 - \\sigma(40)$ 等于 0。它其实是多少？请写成 1.2e-3 的样子。",
            "print(slopes.sigmoid(-40.0))",
        ),
    ),
    "sigmoid": (
        Exercise(
            "A gradient of 1 goes back through six sigmoids, each at 0, with weights of 1. How much of it arrives?",
            "大小为 1 的梯度向回穿过六个 sigmoid，输入都是 0，权重都是 1。最后还剩多少？",
            "print(slopes.sigmoid.slope(0.0) ** 6)",
        ),
        Exercise(
            "From which positive number on is the sigmoid's slope below 0.001? Zoom out: the flat part is grey. "
            "One decimal is enough.",
            "从哪个正数开始，sigmoid 的斜率低于 0.001？把图缩小，平坦的部分是灰色的。答到一位小数即可。",
            "x = np.arange(0, 20, 0.001)\nprint(round(x[slopes.sigmoid.slope(x) < 0.001][0], 3))",
        ),
        Exercise(
            "A layer has 64 inputs. Which standard deviation has He's start for its weights?",
            "某一层有 64 个输入，He 初始化的权重标准差是多少？",
            "print(np.sqrt(2 / 64))",
        ),
    ),
    "tanh": (
        Exercise(
            "How many times as steep as the sigmoid is tanh at 0?",
            "在 0 处，tanh 是 sigmoid 的几倍陡？",
            "print(slopes.tanh.slope(0.0) / slopes.sigmoid.slope(0.0))",
        ),
        Exercise(
            "Which of the two is steeper at 2?",
            "在 2 处，两者之中谁更陡？",
            'print(max(["sigmoid", "tanh"], key=lambda name: getattr(slopes, name).slope(2.0)))',
            ("sigmoid", "tanh"),
        ),
        Exercise(
            "What does the formula without its last bracket give at 1?",
            "删去最后一个括号的公式，在 1 处得到多少？",
            "x = 1.0\nprint((np.exp(x) - np.exp(-x)) / (np.exp(x)) + np.exp(-x))",
        ),
    ),
    "relu": (
        Exercise(
            "A unit's inputs are −3, −1 and −0.5, one for each sample. "
            "For how many samples does relu pass a gradient on?",
            "一个单元对三个样本的输入是 −3、−1 和 −0.5。relu 能为其中几个样本传回梯度？",
            "x = np.array([-3.0, -1.0, -0.5])\nprint(np.count_nonzero(slopes.relu.slope(x)))",
        ),
        Exercise(
            "Which slope has a leaky relu with `negative_slope=0.1` at −3?",
            "`negative_slope=0.1` 的 leaky relu 在 −3 处的斜率是多少？",
            "print(slopes.leaky_relu.slope(-3.0, negative_slope=0.1))",
        ),
        Exercise(
            "Which of these passes on most of a gradient at −20?",
            "在 −20 处，下面哪一个传回的梯度最大？",
            'print(max(["elu", "gelu", "leaky_relu"], key=lambda name: abs(getattr(slopes, name).slope(-20.0))))',
            ("elu", "gelu", "leaky_relu"),
        ),
    ),
    "linear": (
        Exercise(
            "A bottleneck leads from 100 numbers to 10 and back to 100. How many weights has it, without biases?",
            "瓶颈把 100 个数变成 10 个，再变回 100 个。不算偏置，它有多少个权重？",
            "print(100 * 10 + 10 * 100)",
        ),
        Exercise(
            "Softmax of the logits 0 and 1 gives 0.269 and 0.731. Which probability has the second of 100 and 101?",
            "logit 为 0 和 1 时，softmax 给出 0.269 和 0.731。logit 为 100 和 101 时，第二个概率是多少？",
            "print(slopes.softmax([100.0, 101.0])[1])",
        ),
        Exercise(
            "Softmax of the logits 0 and z: which function of z is the second probability?",
            "logit 为 0 和 z 的 softmax，第二个概率是 z 的哪个函数？",
            "z = np.linspace(-5, 5, 11)\n"
            "p = slopes.softmax(np.stack([0 * z, z], axis=-1))[:, 1]\n"
            'for name in ("sigmoid", "tanh", "softplus"):\n'
            "    if np.allclose(getattr(slopes, name)(z), p):\n"
            "        print(name)",
            ("sigmoid", "tanh", "softplus"),
        ),
    ),
    "losses": (
        Exercise(
            "The targets are 1, 2 and 9. Which constant prediction has the least squared error?",
            "目标是 1、2 和 9。哪个常数预测的平方误差最小？",
            "constants = np.linspace(0, 10, 1001)\n"
            "losses = [slopes.mse(np.full(3, c), [1.0, 2.0, 9.0]) for c in constants]\n"
            "print(constants[np.argmin(losses)])",
        ),
        Exercise(
            "And which has the least absolute error?",
            "哪个常数的绝对误差最小？",
            "constants = np.linspace(0, 10, 1001)\n"
            "losses = [slopes.mae(np.full(3, c), [1.0, 2.0, 9.0]) for c in constants]\n"
            "print(constants[np.argmin(losses)])",
        ),
        Exercise(
            "The right class got the probability 1/8. How large is the cross-entropy, in bits?",
            "正确类别的概率是 1/8，交叉熵是多少比特？",
            "print(slopes.categorical_cross_entropy([[0.125, 0.875]], [[1.0, 0.0]], base=2))",
        ),
    ),
    "own_loss": (
        Exercise(
            "A prediction has the shape (4, 1) and its target (4,). "
            "How many differences does broadcasting make of them?",
            "预测的形状是 (4, 1)，目标的形状是 (4,)。广播之后有多少个差值？",
            "print((np.zeros((4, 1)) - np.zeros(4)).size)",
        ),
        Exercise(
            "The prediction is 5 and the target 3. Which gradient has the squared difference by the prediction?",
            "预测是 5，目标是 3。差的平方对预测的梯度是多少？",
            '@slopes.loss("regression")\n'
            "def squared(prediction, target):\n"
            '    """Squared difference."""\n'
            "    return (prediction - target) ** 2\n\n\n"
            "print(squared.slope([5.0], [3.0])[0])",
        ),
        Exercise(
            "The predictions are 1, 2 and 10, the targets 1, 1 and 0, and a mask leaves out the last. "
            "How large is the mean squared error?",
            "预测是 1、2 和 10，目标是 1、1 和 0，掩码去掉最后一个。均方误差是多少？",
            "print(slopes.mse([1.0, 2.0, 10.0], [1.0, 1.0, 0.0], mask=[True, True, False]))",
        ),
    ),
    "training": (
        Exercise(
            "The loss is $(w - 3)^2$, and $w$ is 5. Where is $w$ after a step of gradient descent at the rate 0.1?",
            "损失是 $(w - 3)^2$ ，现在 $w$ 是 5。学习率为 0.1 时，梯度下降一步之后 $w$ 是多少？",
            "w = 5.0\nprint(w - 0.1 * slopes.mse.slope([w], [3.0])[0])",
        ),
        Exercise(
            "At which rate does that step leave $w$ as far from 3 as before?",
            "学习率是多少时，这一步之后 $w$ 离 3 和原来一样远？",
            "w = 5.0\nprint(2 * (w - 3.0) / slopes.mse.slope([w], [3.0])[0])",
        ),
        Exercise(
            "Which rule gives the right sums of the four samples of the lesson, "
            "and could be learned in place of a + b?",
            "对课文里的四个样本，下面哪条规则也给出正确的和，因而可能被当成 a + b 学会？",
            "a, b = np.array([1, 3, 5, 7]), np.array([2, 4, 6, 8])\n"
            'rules = {"2a + 1": 2 * a + 1, "2b + 1": 2 * b + 1, "3a - 1": 3 * a - 1}\n'
            "print(*[rule for rule, sums in rules.items() if np.array_equal(sums, a + b)])",
            ("2a + 1", "2b + 1", "3a - 1"),
        ),
    ),
}
