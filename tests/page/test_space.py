"""The Space: just the files that are published, run as a Space runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx2
import pytest
from gradio_client import Client, handle_file
from huggingface_hub import RepoCard, SpaceCardData

from tests.support.photos import drawn_flower
from tests.support.server import serve
from train.publish import space_files

NO_NETWORK = """
import ipaddress, socket

def only_here(connect):
    def checked(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise OSError(f"no network: {address}")
        return connect(self, address)
    return checked

socket.socket.connect = only_here(socket.socket.connect)
socket.socket.connect_ex = only_here(socket.socket.connect_ex)
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of the Space and nothing else."""
    folder = tmp_path_factory.mktemp("space")
    for name, file in space_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file if isinstance(file, bytes) else file.read_bytes())
    return folder


def test_page_answers_and_classifies_as_a_space(space: Path, tmp_path: Path) -> None:
    """The interpreter is $SPACE_PYTHON, which has only requirements.txt installed, or else that of the tests."""
    (tmp_path / "no_network").mkdir()
    (tmp_path / "no_network" / "sitecustomize.py").write_text(NO_NETWORK)
    (tmp_path / "home").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path / "no_network"),
        "HOME": str(tmp_path / "home"),
        "SPACE_ID": "ann/flowers",
        "GRADIO_SERVER_NAME": "0.0.0.0",
    }
    python = os.environ.get("SPACE_PYTHON", sys.executable)
    drawn_flower("roses", size=(300, 200)).save(tmp_path / "rose.jpg")
    with serve("app.py", environment=environment, project=space, python=python) as server:
        assert "Flower AlexNet" in httpx2.get(server.url).text
        client = Client(server.url, verbose=False, ssl_verify=False)
        answer = client.predict(image=handle_file(str(tmp_path / "rose.jpg")), api_name="/classify")
        assert sum(entry["confidence"] for entry in answer["confidences"]) == pytest.approx(1)
        assert "Traceback" not in server.log.read_text()


def test_card_of_the_space_fits_what_is_published(space: Path) -> None:
    card = RepoCard.load(space / "README.md", repo_type="space")
    data = SpaceCardData(**card.data.to_dict())
    assert data.sdk == "gradio"
    assert data.title
    assert f"gradio[mcp]=={data.sdk_version}" in (space / "requirements.txt").read_text().splitlines()
    assert data.python_version == "{}.{}".format(*sys.version_info)
    assert data.app_file is not None
    assert (space / data.app_file).is_file()
    assert data.license == "apache-2.0"
