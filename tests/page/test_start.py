"""The page starts, and answers, wherever it is run: behind proxies, without a home, under a prefix."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Page, expect

from tests.support import PROJECT
from tests.support.page import click_example, heading, look, upload
from tests.support.server import serve

PHOTO = PROJECT / "examples" / "tulips_1.webp"
DEAD = "127.0.0.1:9"
"""Nobody answers there."""

NOBODY = """
import pwd

def getpwuid(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = getpwuid
"""
"""A user without an entry in the list of users, as containers have it."""


@pytest.mark.parametrize(
    "proxies",
    [
        {"HTTP_PROXY": f"http://{DEAD}", "HTTPS_PROXY": f"http://{DEAD}"},
        {"http_proxy": f"http://{DEAD}", "NO_PROXY": "example.org"},
        {"ALL_PROXY": f"socks5://{DEAD}"},
    ],
)
def test_proxies_are_not_in_the_way(proxies: dict[str, str]) -> None:
    models = {
        "FLOWER_ALEXNET_MODELS": "ann/flowers",
        "HF_ENDPOINT": "http://hub.invalid",
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
    }
    code = "import tests.support.impatience, app; app.launch()"
    with serve("-c", code, environment={**os.environ, **proxies, **models}) as server:
        client = Client(server.url, verbose=False, ssl_verify=False)
        assert client.predict(image=handle_file(str(PHOTO)), api_name="/classify")["label"] == "tulips"
        if "ALL_PROXY" in proxies:
            with pytest.raises(Exception, match=r"could not be downloaded|cannot be reached") as raised:
                client.predict(image=handle_file(str(PHOTO)), model="ann/flowers", api_name="/classify")
            assert len(str(raised.value).splitlines()) == 1
        assert "Traceback" not in server.log.read_text()


def test_no_home_and_no_user(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    environment = {name: os.environ[name] for name in ("PATH",)} | {"PYTHONPATH": str(tmp_path)}
    environment |= {"FLOWER_ALEXNET_MODELS": "ann/flowers"}
    with serve("app.py", environment=environment) as server:
        client = Client(server.url, verbose=False, ssl_verify=False)
        assert client.predict(image=handle_file(str(PHOTO)), api_name="/classify")["label"] == "tulips"
        with pytest.raises(Exception, match=r"no home folder.*Set HF_HOME"):
            client.predict(image=handle_file(str(PHOTO)), model="ann/flowers", api_name="/classify")
        assert "Traceback" not in server.log.read_text()
    assert not (PROJECT / "~").exists()


def test_prefix_of_a_proxy_that_strips_it_and_of_one_that_does_not(browser_page: Page) -> None:
    with serve("app.py", environment={**os.environ, "GRADIO_ROOT_PATH": "/flowers"}) as server:
        for prefix in ("", "/flowers"):
            for path in ("/", "/config", "/gradio_api/info", "/theme.css"):
                assert httpx2.get(server.url + prefix + path).status_code == 200
            assert httpx2.get(f"{server.url}{prefix}/monitoring").status_code == 404
            assert httpx2.get(f"{server.url}{prefix}/gradio_api/file=/etc/passwd").status_code in (403, 404)
        page = browser_page
        page.goto(f"{server.url}/flowers/")
        upload(page, PHOTO)
        expect(heading(page)).to_contain_text("Tulip", ignore_case=True)
        look(page)
        compared = page.locator(".references img").first
        assert compared.evaluate("it => it.src") == f"{server.url}/flowers/examples/tulips_2.webp"
        expect(compared).to_be_visible()
        click_example(page, "Daisy")
        expect(heading(page)).to_contain_text("Daisy", ignore_case=True)
        body = {"data": [{"url": "data:image/webp;base64,AAAA"}]}
        assert "event_id" in httpx2.post(f"{server.url}/flowers/gradio_api/call/classify", json=body).text


ONCE = """
from gradio.routes import App
import app

made = []
create = App.create_app
App.create_app = staticmethod(lambda *arguments, **options: made.append(1) or create(*arguments, **options))
app.build()
print(len(made), end=" ")
made.clear()
app.launch(prevent_thread_lock=True, quiet=True).close()
print(len(made), end=" ")
"""


def test_server_is_made_once() -> None:
    """Gradio makes it where the layout begins and ends, too; the first number says when the repair can be deleted."""
    result = subprocess.run(
        [sys.executable, "-c", ONCE], capture_output=True, text=True, cwd=PROJECT, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    before, *_, after = result.stdout.split()
    assert (before, after) == ("2", "1")
