"""The words of the lesson's tables and pictures in Chinese.

``lesson.py`` is written in English; `translate` turns each cell, title and label as it is printed or drawn. Numbers
stand as # in a key, and come back in the same order.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from itertools import chain

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")

#: names and symbols that are the same in Chinese
NAMES = {
    "sigmoid", "tanh", "relu", "leaky_relu", "linear", "softmax", "mse", "mae", "huber",
    "categorical_cross_entropy", "slopes", "logit", "exp", "float32", "float64", "NaN", "inf", "NumPy",
    "SyntaxError", "unmatched", "log2", "nn", "torch", "MSELoss", "my_mean_squared_error", "ms", "p", "s", "x", "y",
}  # fmt: skip

CHINESE_FONTS = ["WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC"]

CHINESE = {
    # 1. the functions
    "\n#. THE FUNCTIONS": "\n#. 函数",
    "function": "函数",
    "at #": "在 # 处",
    "range": "值域",
    "steepest slope": "最陡的斜率",
    "# Activations: value / slope": "# 激活函数：值 / 斜率",
    "# Softmax: its probabilities, and their derivative by each logit": "# softmax：概率，及其对每个 logit 的导数",
    "loss": "损失",
    "prediction": "预测",
    "target": "目标",
    "value": "值",
    "gradient": "梯度",
    "class #": "类别 #",
    "  the same in bits": "  同上，以比特计",
    "# Losses: value and gradient": "# 损失函数：值与梯度",
    # 2. the textbook formula
    "\n#. THE TEXTBOOK FORMULA BESIDE OURS": "\n#. 课本公式与我们的实现",
    "type": "类型",
    "input": "输入",
    "textbook": "课本公式",
    "exact": "精确值",
    "NumPy warned of": "NumPy 的警告",
    "overflow": "溢出",
    "overflow, invalid value": "溢出，无效值",
    "invalid value": "无效值",
    "divide by zero, invalid value": "除以零，无效值",
    "sigmoid's slope": "sigmoid 的斜率",
    "tanh's slope": "tanh 的斜率",
    "cross-entropy": "交叉熵",
    "# Inputs at which the textbook formula fails": "# 课本公式失效的输入",
    "Both give # at #, since float64 ends at #; but the textbook overflows on its way there.": (
        "两者都得到 #（输入 #），因为 float64 最小到 #；但课本公式途中就溢出了。"
    ),
    "np.where(x > #, x, #) turns a NaN into a harmless #, which hides it.": (
        "np.where(x > #, x, #) 把 NaN 变成无害的 #，问题就被掩盖了。"
    ),
    # 3. three slips
    "\n#. THREE SLIPS, PUT RIGHT": "\n#. 三处笔误，逐一改正",
    "as printed": "照原文",
    "last bracket dropped": "删去最后一个括号",
    "# The bracket of tanh": "# tanh 的括号",
    "row #": "第 # 行",
    "all": "全部",
    "# Softmax of a batch of two rows: what its probabilities sum to": "# 两行一批的 softmax：概率之和",
    "bits": "比特",
    "the lesson's formula": "原课的公式",
    "binary cross-entropy, summed over classes": "二元交叉熵，对类别求和",
    "categorical cross-entropy": "分类交叉熵",
    "first two agree to a relative #": "前两者的相对差小于 #",
    "yes": "是",
    "no": "否",
    "# Six rows of four classes, in bits": "# 六行四类，以比特计",
    "right class: the first": "正确类别：第一类",
    "prefers": "偏好",
    "the first": "前者",
    "the second": "后者",
    "# The two formulae do not prefer the same prediction": "# 两个公式偏好的预测不同",
    # 4. for and against
    "\n#. FOR AND AGAINST, MEASURED": "\n#. 优点与缺点，用数据说话",
    "hidden layers:": "隐藏层数：",
    "per layer": "每层",
    "sigmoid, Xavier start": "sigmoid，Xavier 初始化",
    "tanh, Xavier start": "tanh，Xavier 初始化",
    "relu, He start": "relu，He 初始化",
    "relu, PyTorch's start": "relu，PyTorch 初始化",
    "# Norm of the loss gradient at the first layer (width #, mean of # networks)": (
        "# 第一层损失梯度的范数（宽度 #，# 个网络的均值）"
    ),
    "# Two rings, # steps: points on the right side (median of #, best of # learning rates)": (
        "# 两个圆环，# 步：分对的点（# 次的中位数，# 个学习率中最好的）"
    ),
    "off after # steps": "# 步后关闭",
    "off at the end": "结束时关闭",
    "without gradient": "没有梯度",
    "median loss": "损失中位数",
    "relu, good rate throughout": "relu，学习率始终合适",
    "leaky_relu, slope #": "leaky_relu，斜率 #",
    "(the best constant)": "（最优常数）",
    "# Units off for all the data, of # (# steps at #, then # at #)": (
        "# 对全部数据都关闭的单元，共 # 个（先 # 步，学习率 #；再 # 步，学习率 #）"
    ),
    "mean at start": "初始均值",
    "# layer: steps": "# 层：步数",
    "# layers: steps": "# 层：步数",
    "rose": "上升",
    "over #": "超过 #",
    "# Two rings: steps until the loss is below # (median of #, best of # rates)": (
        "# 两个圆环：损失降到 # 以下的步数（# 次的中位数，# 个学习率中最好的）"
    ),
    "'rose' is the share of steps on which the loss went up, at the common rate #.": (
        "“上升”是损失不降反升的步数所占的比例，学习率同为 #。"
    ),
    "XOR: loss": "XOR：损失",
    "rings: loss": "圆环：损失",
    "right": "正确率",
    "# Linear hidden layers against ReLU (median of #; guessing costs log # = #)": (
        "# 线性隐藏层与 ReLU（# 次的中位数；瞎猜的损失是 log # = #）"
    ),
    "The three linear layers and the one that they multiply out to differ by less than #.": (
        "三个线性层与它们乘成的一层相差不到 #。"
    ),
    "The three linear layers and the one that they multiply out to differ by more than #.": (
        "三个线性层与它们乘成的一层相差超过 #。"
    ),
    "measured": "实测",
    "weights of one layer # to #": "一层 # 到 # 的权重数",
    "weights of the bottleneck # to # to #": "瓶颈 # 到 # 到 # 的权重数",
    "a matrix of rank #, rebuilt by the bottleneck": "秩 # 的矩阵，由瓶颈重建",
    "off by less than #": "误差小于 #",
    "off by more than #": "误差大于 #",
    "PCA of # numbers to #: error left": "PCA 把 # 个数降到 #：剩余误差",
    "linear autoencoder # to # to #, trained": "线性自编码器 # 到 # 到 #，训练所得",
    "# What a linear hidden layer is good for": "# 线性隐藏层的用处",
    "best constant for #, #, #, #, #": "#, #, #, #, # 的最优常数",
    "line through # points": "穿过 # 个点的直线",
    "(truth)": "（真值）",
    "mean #, median #": "均值 #，中位数 #",
    "# One outlier": "# 一个离群点",
    "times relu": "relu 的倍数",
    "divide: # / x": "除法：# / x",
    "exponential: exp(x)": "指数：exp(x)",
    "sigmoid's slope: s (# - s)": "sigmoid 的斜率：s (# - s)",
    "linear layer # to #": "线性层 # 到 #",
    "# Time for a million float32 numbers, on one CPU thread": "# 一百万个 float32 数所用的时间，一个 CPU 线程",
    # 5. a loss of one's own
    "\n#. A LOSS OF ONE'S OWN, AND TRAINING": "\n#. 自己写一个损失函数，并用它训练",
    "With a target of shape (#,) mine says:": "目标的形状为 (#,) 时，我的损失说：",
    "The audit of my loss says:": "对我的损失的审查结果：",
    "norm of the gradient": "梯度的范数",
    "relative difference below #": "相对差小于 #",
    "torch.nn.MSELoss, target of shape (#,)": "torch.nn.MSELoss，目标形状 (#,)",
    "(a warning, and the wrong loss)": "（给出警告，损失错误）",
    "# My loss and PyTorch's, on the untrained network": "# 我的损失与 PyTorch 的损失，未训练的网络",
    "epoch:": "轮次：",
    "units off": "关闭的单元",
    "learning rate #": "学习率 #",
    "# of #": "#/#",
    "# Training: loss after each epoch": "# 训练：每轮之后的损失",
    "sum": "加法",
    "true": "真值",
    "rate #": "学习率 #",
    "# pairs": "# 对",
    "where": "位置",
    "seen": "训练过",
    "on the line, between": "线上，样本之间",
    "on the line, beyond": "线上，样本之外",
    "off the line": "线外",
    "# What the trained networks answer": "# 训练好的网络怎样回答",
    # the pictures
    "derivative": "导数",
    "softmax of (x, #, #)[#]": "softmax((x, #, #))[#]",
    "prediction − target": "预测 − 目标",
    "probability of the right class": "正确类别的概率",
    "right decimal digits": "正确的十进制位数",
    "then NaN": "此后为 NaN",
    "slope of tanh, float64": "tanh 的斜率，float64",
    "hidden layers": "隐藏层数",
    "Norm of the gradient at the first layer": "第一层梯度的范数",
    "# steps at #, then #": "# 步学习率 #，之后 #",
    "the best constant": "最优常数",
    "relu: # of # frozen": "relu：#/# 冻结",
    "leaky_relu, slope #: # of # frozen": "leaky_relu，斜率 #：#/# 冻结",
    "step": "步",
    "Mean squared error (median of # networks of # units)": "均方误差（# 个网络的中位数，各 # 个单元）",
    "steps until the loss is below #": "损失降到 # 以下的步数",
    "# hidden layer": "# 个隐藏层",
    "# hidden layers": "# 个隐藏层",
    "not within # steps": "# 步之内未达到",
    "#-#-#-#, linear: #% right": "#-#-#-#，linear：#% 正确",
    "#-#-#-#, relu: #% right": "#-#-#-#，relu：#% 正确",
    "the outlier": "离群点",
    "truth: # x + #": "真值：# x + #",
    "A line through # points, by three losses": "三种损失穿过 # 个点的直线",
    "rate #: all units dead": "学习率 #：单元全死",
    "epoch": "轮次",
    "Loss on the four points": "四个样本上的损失",
    "first number": "第一个数",
    "second number": "第二个数",
    "Four points on a line: error": "线上四点：误差",
    "Sixty from the square: error": "方格中六十点：误差",
}


def translate(text: str, language: str) -> str:
    """Return the text in the language ("en" or "zh").

    Raises LookupError for English words that have no Chinese yet.
    """
    key = NUMBER.sub("#", text)
    if language == "en":
        return text
    if key in CHINESE:
        halves = CHINESE[key].split("#")
        return "".join(chain(*zip(halves, [*NUMBER.findall(text), ""], strict=True)))
    unknown = set(re.findall(r"[A-Za-z]\w*", NUMBER.sub("", text))) - NAMES
    if unknown:
        raise LookupError(f"no Chinese for {text!r}: add {key!r} to CHINESE, or {sorted(unknown)} to NAMES")
    return text


def width(text: str) -> int:
    """Return the columns that a terminal needs: two for a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def fonts(language: str) -> list[str] | None:
    """Return the font families for pictures in the language; None if Chinese has no font here."""
    if language == "en":
        return ["DejaVu Sans"]
    from matplotlib import font_manager

    # Most free Chinese fonts have no bold face, and matplotlib would say so for every text.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    installed = set(font_manager.get_font_names())
    family = next((family for family in CHINESE_FONTS if family in installed), None)
    return ["DejaVu Sans", family] if family else None  # characters that the first lacks come from the second
