"""Chromium for the tests: a browser with one page open, told which fonts there are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from helpers import PATIENCE

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"
)

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--window-size=1200,900",
)  # fmt: skip

#: a file of each family of fonts, and the faces that stand for sans-serif, serif and monospace
FAMILIES = {
    "DejaVu": ("DejaVuSans.ttf", "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"),
    "Liberation": ("LiberationSans-Regular.ttf", "Liberation Sans", "Liberation Serif", "Liberation Mono"),
    "Noto": ("NotoSans-Regular.ttf", "Noto Sans", "Noto Serif", "Noto Sans Mono"),
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


def write_fonts(family: str, folder: Path) -> Path:
    """Write a configuration in which one family of fonts is all there is; skip the test where it is not installed."""
    file, *faces = FAMILIES[family]
    found = [path for place in FONT_FOLDERS for path in Path(place).expanduser().rglob(file)]
    if not found:
        pytest.skip(f"needs {file} (Debian: fonts-dejavu-core, fonts-liberation, fonts-noto-core)")
    aliases = "".join(
        f'<alias binding="same"><family>{generic}</family><prefer><family>{face}</family></prefer></alias>'
        for generic, face in zip(("sans-serif", "serif", "monospace"), faces, strict=True)
    )
    path = folder / f"{family}.conf"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'
        f"<fontconfig><dir>{found[0].parent}</dir><cachedir>{folder}</cachedir>{aliases}</fontconfig>"
    )
    return path


class Browser:
    """Chromium with one page open."""

    def __init__(self, scripts: bool = True, fonts: Path | None = None) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        environment = os.environ | ({"FONTCONFIG_FILE": str(fonts)} if fonts else {})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER, env=environment))
        self.driver.set_script_timeout(PATIENCE)
        self.tell("Emulation.setScriptExecutionDisabled", value=not scripts)

    def tell(self, command: str, **options: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, options)

    def open(self, path: Path, width: int = 1200, scheme: str = "light", media: str = "screen") -> Browser:
        self.tell(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.resize(width)
        self.tell("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)  # not where the last test left it
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get(path.as_uri())
        return self

    def resize(self, width: int) -> None:
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def run_when_drawn(self, script: str, *arguments: Any) -> Any:
        """Run a script two frames later: everything that waits for a frame, such as a chart, has then been drawn."""
        return self.driver.execute_async_script(
            f"const done = arguments[arguments.length - 1], run = (...given) => {{ {script} }}, given = arguments;"
            "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(run(...given)))));",
            *arguments,
        )

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; a test that waits in vain fails."""
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02).until(lambda _: condition())

    def all(self, selector: str, inside: Any = None) -> list[Any]:
        return (inside or self.driver).find_elements(By.CSS_SELECTOR, selector)

    def seen(self, selector: str) -> list[Any]:
        return [element for element in self.all(selector) if element.is_displayed()]

    def pixels(self) -> np.ndarray:
        """Return the screen as an array of (height, width, 3)."""
        from PIL import Image

        # by the driver, which tries again where Chromium, on a busy machine, still holds the page before to be the active one
        shot = self.driver.get_screenshot_as_png()
        return np.asarray(Image.open(BytesIO(shot)).convert("RGB"))

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if address != "about:blank"]
