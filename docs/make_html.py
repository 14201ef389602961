"""Execute the notebooks and write them as pages: `make html`.

Takes as long as the lessons do; `NBPAINTER_SMOKE_TEST=1` makes it quick. The
pages need no network: formulas become MathML, which browsers can draw.
"""

import pathlib
import re
import sys

import latex2mathml.converter
import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

ROOT = pathlib.Path(__file__).parents[1]
STYLE = "<style>td code { white-space: nowrap !important; }</style>"


def with_mathml(text):
    """Turn `$...$` and `$$...$$` of a Markdown cell into MathML."""

    def convert(match):
        display = "block" if match[1] == "$$" else "inline"
        return latex2mathml.converter.convert(match[2].strip(), display=display)

    return re.sub(r"(\$\$?)(.+?)\1", convert, text, flags=re.DOTALL)


def main(folder):
    """Write `generator.html` and so on into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    exporter = HTMLExporter(mathjax_url="")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        execution = ExecutePreprocessor(timeout=3600)
        where = {"metadata": {"path": str(path.parent)}}
        notebook, _ = execution.preprocess(notebook, where)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = with_mathml(cell.source)
        page, _ = exporter.from_notebook_node(
            notebook, {"metadata": {"name": path.stem}}
        )
        page = re.sub(
            "<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->",
            "",
            page,
            flags=re.DOTALL,
        )
        page = page.replace("</head>", STYLE + "</head>", 1)
        (folder / f"{path.stem}.html").write_text(page, "utf-8")
        print(folder / f"{path.stem}.html", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
