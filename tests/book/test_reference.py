"""The pages that are made from docstrings: tables stay tables, and an overview names what is
public.
"""

import inspect
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
