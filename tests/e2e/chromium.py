"""A browser that notices: console errors, dialogs, requests elsewhere, what does not fit."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Watched:
    """One context of Chromium signed in to a site; `faults` collects what should never happen."""

    def __init__(self, browser, site, session, **options):
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.context.add_cookies(
            [{"name": "sessionid", "value": session, "url": site.address, "httpOnly": True}]
        )
        self.site = site
        self.faults = []
        self.page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._asked)

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _dialog(self, dialog):
        if dialog.type == "confirm":
            dialog.accept()
        else:
            self.faults.append(f"dialog: {dialog.message}")
            dialog.dismiss()

    def _asked(self, request):
        if not request.url.startswith((self.site.address, "data:", "blob:")):
            self.faults.append(f"request to {request.url}")

    def open(self, path):
        self.page.goto(self.site.address + path)
        return self.page

    def overflow(self):
        """Pixels by which the page is wider than its window."""
        root = "document.documentElement"
        return self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")

    def close(self):
        self.context.close()
        assert self.faults == [], self.faults


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        message = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
