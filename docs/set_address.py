"""Give the repository another address: `make address REPO=owner/name`.

The address stands in pyproject.toml. The README's and the notebooks' badges,
and the notebooks' first cells, follow it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[1]
NAME = r"[\w.-]+/[\w.-]+"


def main(repository):
    """Rewrite every address.

    Args:
        repository: str, `owner/name` on GitHub.
    """
    if not re.fullmatch(NAME, repository):
        sys.exit(
            "Say which repository: `make address REPO=owner/name`. Received: "
            f"REPO={repository}"
        )
    project = ROOT / "pyproject.toml"
    line = re.compile(f'^Repository = "https://github.com/({NAME})"', re.M)
    old = line.search(project.read_text("utf-8"))[1]
    address = re.compile(rf"(github(?:\.com)?/){re.escape(old)}(?![\w.-])")
    for path in (project, ROOT / "README.md", *ROOT.glob("notebooks/*.ipynb")):
        text, count = address.subn(
            rf"\g<1>{repository}", path.read_text("utf-8")
        )
        path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)}: {count}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
