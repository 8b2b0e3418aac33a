"""Formulas of documents as MathML, which browsers draw by themselves."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer with Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_write_inline, None), block_renderers=(_write_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_inline(writer: Any, node: Any) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _write_block(writer: Any, node: Any) -> None:
    writer.body.append(f'<div class="math">{convert(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def convert(tex: str, as_block: bool = False) -> str:
    """Return TeX as MathML, whose brackets grow by themselves."""
    return str(tex2mathml(re.sub(r"\\[bB]ig(?![a-zA-Z])", "", tex), as_block=as_block))
