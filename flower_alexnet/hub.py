"""Model repositories of the Hugging Face Hub."""

from __future__ import annotations

import errno
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx2
from huggingface_hub import get_session, hf_hub_download
from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE, HF_HUB_OFFLINE
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from flower_alexnet.config import ModelNotFound
from flower_alexnet.model_folder import CONFIG, HEAD, WEIGHTS, read_config

NOT_KEPT = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}
"""Errors of a folder for downloads: there is none that can be written, as in a container without a home folder."""


def download(repo_id: str, revision: str | None = None) -> Path:
    """Download a repository's configuration and weights, or find them in the Hub's cache, and return their folder.

    Args:
        repo_id: such as ``"user/flowers"``.
        revision: branch, tag or commit; the main branch if not given.

    Raises:
        ModelNotFound: the repository, the revision or a file is missing or cannot be reached.
        InvalidConfig: its ``config.json`` is damaged.
    """
    if HF_HUB_CACHE.startswith("~"):  # neither $HOME nor an entry in the list of users
        raise ModelNotFound(f"There is no home folder to keep {repo_id} in. Set HF_HOME to a folder for downloads.")
    at = f"{repo_id} at {revision}" if revision else repo_id
    get = partial(hf_hub_download, repo_id, local_files_only=not _is_reachable())
    try:
        config = get(CONFIG, revision=revision)
        folder = Path(config).parent
        get(WEIGHTS, revision=folder.name)
        if read_config(folder).threshold is not None:
            get(HEAD, revision=folder.name)
        return folder
    except HFValidationError as error:
        raise ModelNotFound(
            f"{repo_id} is neither a folder here nor the id of a repository, which is written user/name."
        ) from error
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{repo_id} is gated: ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"There is no folder {repo_id} here and no such repository on the Hub, or it is private: "
            "check the name, or log in with `hf auth login` or set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelNotFound(f"{repo_id} has no branch, tag or commit {revision}.") from error
    except LocalEntryNotFoundError as error:
        raise ModelNotFound(
            f"There is no folder {repo_id} here, the Hub cannot be reached, and {at} was not downloaded before."
        ) from error
    except EntryNotFoundError as error:
        raise ModelNotFound(
            f"{at} on the Hub lacks {CONFIG}, {WEIGHTS} or {HEAD}; "
            "weights in another format are not read: a pickle can run any program."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in NOT_KEPT:
            raise ModelNotFound(
                f"{at} cannot be kept in {HF_HUB_CACHE}: {error.strerror}. Set HF_HOME to a folder for downloads that "
                "can be written and has room, or XDG_CACHE_HOME to one for those of all programs."
            ) from error
        raise ModelNotFound(
            f"{at} could not be downloaded ({error}). Run the same command again: the download is resumed."
        ) from error


def _is_reachable() -> bool:
    """Return whether the Hub answers at all: without one, its client tries for half a minute before it says so."""
    if not HF_HUB_OFFLINE:
        with suppress(httpx2.HTTPError, OSError):
            get_session().head(ENDPOINT, timeout=10)
            return True
    return False
