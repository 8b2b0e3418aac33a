"""Settings of Sphinx for the website."""

import re
from typing import Any

import slopes
from website.documents import home

project, author = "slopes", "The slopes authors"
project_copyright = "The slopes authors, MIT licence"
version = release = slopes.__version__

extensions = ["myst_parser", "website.mathml", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
source_suffix = {".md": "markdown"}
nitpicky = True
nitpick_ignore = [("py:exc", "StudyError")]  # as docstrings name it, without its module
suppress_warnings = ["misc.highlighting_failure"]  # of an ellipsis in Python
myst_enable_extensions = ["attrs_block", "attrs_inline", "dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "slopes"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_show_sourcelink = html_copy_source = html_show_sphinx = False
html_use_index = False
html_theme_options = {
    "github_url": home(),
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}
#: pages without a menu on the left
html_sidebars: dict[str, list[str]] = {
    name: [] for name in ("index", "lesson/**", "start", "changelog", "playground", "training")
}

#: scripts of pages whose name starts so
SCRIPTS = {
    "functions/index": ("gallery.js",),
    "functions/": ("slopes.js", "plot.js"),
    "lesson/training": (trainer := ("slopes.js", "plot.js", "network.js", "train.js", "course.js")),
    "lesson/zh/training": trainer,
    "lesson/": ("slopes.js", "plot.js", "course.js"),
    "playground": ("slopes.js", "plot.js", "playground.js"),
    "training": ("slopes.js", "plot.js", "network.js", "train.js"),
}
CHINESE = "lesson/zh/"  #: pages that begin so are in Chinese


def _prepare_page(app: Any, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page its language, light tables, and the scripts of a curve to a page with one."""
    context["language"] = "zh-CN" if pagename.startswith(CHINESE) else "en"
    if "body" in context:
        context["body"] = lighten(context["body"])
    for script in next((scripts for start, scripts in SCRIPTS.items() if pagename.startswith(start)), ()):
        app.add_js_file(script, loading_method="defer")


def lighten(text: str) -> str:
    """Return HTML whose cells of one paragraph, or one word of code, have no elements around these."""
    text = re.sub(r"(<t[dh]\b[^>]*>)<p>((?:(?!</?p\b).)*)</p>(?=</t[dh]>)", r"\1\2", text, flags=re.S)
    return re.sub(r'(<td\b[^>]*><code [^>]*>)<span class="pre">([^<]*)</span>(?=</code></td>)', r"\1\2", text)


def setup(app: Any) -> None:
    """Prepare each page before it is written, and document classes under their public names."""
    for name in slopes.boosting.__all__:
        getattr(slopes.boosting, name).__name__ = name
    app.connect("html-page-context", _prepare_page)
