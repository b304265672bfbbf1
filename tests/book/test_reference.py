"""The pages that are made from docstrings: tables stay tables, and an overview names what is
public.
"""

import inspect
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.core import publish_doctree

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
from inside.reference import overview, translate  # noqa: E402

from lstm_ref.frameworks import convert  # noqa: E402


def test_the_table_of_dialects_is_a_table_with_a_row_for_each():
    text = "\n".join(translate(inspect.getdoc(convert).splitlines()))
    doctree = publish_doctree(text, settings_overrides={"report_level": 1, "halt_level": 1})
    rows = [[entry.astext() for entry in row] for row in doctree.findall(nodes.row)]
    assert [row[0] for row in rows[1:]] == list(convert.DIALECTS)
    assert rows[0] == ["dialect", "spoken by", "order", "names and shapes"]
    assert "weight_hh_l0 (4H, H)" in rows[2][3] and "bias_hh_l0 (4H,)" in rows[2][3]
    assert not list(doctree.findall(nodes.literal_block)) and not list(
        doctree.findall(nodes.bullet_list)
    )


def test_an_overview_names_each_public_function_with_its_first_sentence():
    lines = "\n".join(overview(["lstm_ref.frameworks.torch"]))
    assert ":py:obj:`params_from_torch <lstm_ref.frameworks.torch.params_from_torch>`" in lines
    assert "Our weights of a torch.nn.LSTM" in lines and "_module" not in lines


def test_an_overview_leaves_out_caches_and_what_its_page_does_not_have():
    lines = "\n".join(overview(["lstm_ref.layers.masked"], skip=["forward_masked"]))
    assert "masked_lstm_forward" in lines and "MaskedCache" not in lines
    assert "`forward_masked" not in lines and "`backward_masked" in lines


# Words that were wrong or missing once, as textbooks in Chinese have them; where two are common,
# the second stands in brackets.
CHINESE = {
    "backpropagation through time": "通过时间反向传播（随时间反向传播）",
    "truncated backpropagation through time": "截断的通过时间反向传播",
    "batch": "批量（小批量）",
    "immediate derivative": "直接偏导数（后续状态视为常数时的导数）",
    "zoo": "错误集（本课程用语）",
    "dialect": "权重布局约定（本课程用语）",
    "hidden state": "隐藏状态（隐状态）",
    "cell state": "细胞状态（记忆元、单元状态）",
    "candidate": "候选细胞状态（候选记忆元）",
    "epoch": "轮（迭代周期）",
    "teacher forcing": "教师强制（强制教学）",
    "early stopping": "早停（提前停止）",
    "dropout": "随机失活（丢弃法、暂退法）",
    "mask": "掩码（掩蔽）",
    "token": "词元",
    "vocabulary": "词表",
    "activation function": "激活函数",
    "baseline": "基线",
    "loss function": "损失函数",
    "optimiser": "优化器",
    "hyperparameter": "超参数",
    "mixed precision": "混合精度",
    "throughput": "吞吐量",
    "encoder": "编码器",
    "decoder": "解码器",
    "residual connection": "残差连接",
}


def test_terms_have_the_chinese_words_of_textbooks():
    path = Path(__file__).parents[2] / "book" / "reference" / "glossary.md"
    (entries,) = re.findall(
        r"```\{glossary\}\n:sorted:\n\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL
    )
    found = {
        entry.splitlines()[0]: re.search(r'<span lang="zh">(.*?)</span>', entry)[1]
        for entry in entries.strip().split("\n\n")
    }
    assert CHINESE.items() <= found.items()
    assert {"skill", "layer", "kernel", "TF32", "roofline"} <= found.keys()
