"""Archives in a store and under encryption that are not ours: an S3-compatible server, and GnuPG."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from securityserver.archiving.assembly import store_of
from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.ledger import Ledger
from securityserver.archiving.settings import ArchiveSettings, Grouping, OpenPgpSettings, S3Settings
from securityserver.archiving.stores import Store
from securityserver.archiving.verification import in_link_order, verify_chain, verify_file
from tests.support.archives import archived, archiver, files_in_ledger, node_database, seed, some
from tests.support.messagelog import NSAF
from xroad.identifiers import ClientId

BUCKET = "archives"
OTHER = ClientId(NSAF.instance, "GOV", "MOSVY", "PENSION")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="the S3-compatible server is not installed")
    pytest.importorskip("obstore", reason="the package for S3 is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    subprocess.run(["curl", "-sf", "-X", "PUT", f"{url}/{BUCKET}", "-H", "Authorization: AWS test:x"], check=True)
    yield url
    server.stop()


def s3(endpoint: str, url: str = f"s3://{BUCKET}/spean") -> S3Settings:
    return S3Settings(url=url, endpoint=endpoint, region="us-east-1")


async def content(store: Store, name: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(name)])


@pytest.mark.parametrize("size", [5, 11 * 1024 * 1024])
async def test_an_object_comes_back_as_it_went(endpoint: str, size: int, tmp_path: Path) -> None:
    store = store_of(ArchiveSettings(s3=s3(endpoint)))
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * (size // 256) + b"end")
    await store.put("mlog.zip", source)
    assert await content(store, "mlog.zip") == source.read_bytes()
    await store.remove("mlog.zip")
    await store.remove("mlog.zip")
    with pytest.raises(ArchivingFailed, match="the store refused"):
        await content(store, "mlog.zip")


async def test_archives_in_an_object_store_are_linked_and_read_back(endpoint: str, tmp_path: Path) -> None:
    settings = {"directory": None, "s3": s3(endpoint), "max_records": 2}
    store = store_of(ArchiveSettings(s3=s3(endpoint)))
    with node_database(tmp_path) as database:
        seed(database, *some(3))
        run = await archiver(database, tmp_path, settings=settings, store=store).run()
        assert (run.archives, run.records) == (2, 3)
        assert Ledger(database).unfinished() == []
        names = files_in_ledger(database)
    for name in names:
        (tmp_path / name).write_bytes(await content(store, name))
    assert [archive.containers for archive in verify_chain(verify_file(tmp_path / name) for name in names)] == [2, 1]


async def test_a_bucket_that_is_not_there_leaves_everything_waiting(endpoint: str, tmp_path: Path) -> None:
    store = store_of(ArchiveSettings(s3=s3(endpoint, "s3://other-bucket")))
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        with pytest.raises(ArchivingFailed, match="the bucket exists"):
            await archiver(database, tmp_path, store=store).run()
        assert len(Ledger(database).unfinished()) == 1


def make_key(home: Path, name: str) -> str:
    """Make a key pair and give its fingerprint."""
    home.mkdir(mode=0o700, exist_ok=True)
    gpg(home, "--passphrase", "", "--quick-gen-key", f"{name}@example.test", "rsa2048", "encrypt,sign", "never")
    listed = gpg(home, "--with-colons", "--list-keys", f"{name}@example.test")
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


def gpg(home: Path, *arguments: str) -> str:
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    pytest.importorskip("gnupg", reason="the package for gpg is not installed")
    home = Path("/tmp") / tmp_path_factory.mktemp("gpg").name  # noqa: S108 - its agent's socket needs a short path
    home.mkdir(mode=0o700)
    yield home, {name: make_key(home, name) for name in ("auditor", "nsaf")}
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    shutil.rmtree(home)


def recipients(file: Path, home: Path) -> set[str]:
    """Give the names of those that gpg says a file is for."""
    command = ["gpg", "--homedir", str(home), "--batch", "--list-only", "-v", "--decrypt", str(file)]
    told = subprocess.run(command, check=False, capture_output=True, text=True).stderr
    return {name for name in ("auditor", "nsaf") if f"{name}@example.test" in told}


async def test_each_group_is_encrypted_for_its_own_keys(keyring: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    home, keys = keyring
    openpgp = OpenPgpSettings(home, (keys["auditor"],), {str(NSAF.member): (keys["nsaf"], keys["auditor"])})
    settings = {"grouping": Grouping.SUBSYSTEM, "openpgp": openpgp}
    with node_database(tmp_path) as database:
        seed(database, *some(2), *some(1, client=OTHER))
        await archiver(database, tmp_path, settings=settings).run()
        seed(database, *some(1, query_id="next"))
        await archiver(database, tmp_path, settings=settings).run()
    plain = []
    for file in archived(tmp_path):
        assert file.name.endswith(".zip.gpg")
        assert recipients(file, home) == ({"auditor"} if "MOSVY" in file.name else {"auditor", "nsaf"})
        plain.append(tmp_path / file.stem)
        gpg(home, "--output", str(plain[-1]), "--decrypt", str(file))
    chain = list(verify_chain(in_link_order(map(verify_file, plain))))
    assert sorted(archive.containers for archive in chain) == [1, 1, 2]
    assert not any((tmp_path / "work").iterdir())


@pytest.mark.parametrize("fault", ["no such key", "no directory"])
async def test_without_a_recipients_key_nothing_is_archived(
    fault: str, keyring: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    home, keys = keyring
    openpgp = OpenPgpSettings(home if fault == "no such key" else tmp_path / "none", (keys["auditor"], "0" * 40))
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        with pytest.raises(ArchivingFailed, match=r"key for each|no such directory"):
            await archiver(database, tmp_path, settings={"openpgp": openpgp}).run()
        assert len(Ledger(database).unfinished()) == 1
    assert archived(tmp_path) == []
    assert not any((tmp_path / "work").iterdir())


async def test_an_archive_that_lacks_a_recipient_is_not_stored(
    keyring: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gnupg = pytest.importorskip("gnupg")
    home, keys = keyring
    monkeypatch.setattr(gnupg.GPG, "get_recipients_file", lambda _self, _file: ["one"])
    openpgp = OpenPgpSettings(home, (keys["auditor"], keys["nsaf"]))
    with node_database(tmp_path) as database:
        seed(database, *some(1))
        with pytest.raises(ArchivingFailed, match="not encrypted for all"):
            await archiver(database, tmp_path, settings={"openpgp": openpgp}).run()
    assert archived(tmp_path) == []
