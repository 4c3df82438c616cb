"""Whose something on a server is, and whether it may be removed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chaosproxy.toxics.lease import Lease, is_over, lease_of, new_lease

NOW = 1_790_000_000.0


def test_a_name_tells_its_lease() -> None:
    """Whatever it is for."""
    lease = new_lease(NOW, 60.0)

    assert lease_of(lease.name("primary")) == lease
    assert lease_of(lease.name("a.b-c_ü")) == lease
    assert lease.until == 1_790_000_061
    assert new_lease(NOW, 60.0) != lease


@pytest.mark.parametrize(
    "name",
    ["", "primary", "chaosproxy", "chaosproxy.primary", "chaosproxy.0a0a0a0a-1-2-ff.soon.primary", "chaosproxy...x"],
)
def test_names_of_others(name: str) -> None:
    """Are nobody's lease, even when they look a little like one."""
    assert lease_of(name) is None


def test_a_run_of_this_process_lives() -> None:
    """Until its time has passed."""
    lease = new_lease(NOW, 60.0)

    assert is_over(lease, NOW) == ""
    assert is_over(lease, NOW + 61) == "its time has passed"


def test_a_dead_run_of_this_host() -> None:
    """Is found out at once, though its time has not come."""
    words = "from chaosproxy.toxics.lease import new_lease; print(new_lease(1790000000, 60).name('a'))"
    name = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip()
    lease = lease_of(name)

    assert lease is not None
    assert is_over(lease, NOW) == "its run is dead"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_a_process_id_that_was_given_again() -> None:
    """Another start, another process."""
    host, pid, start, nonce = new_lease(NOW, 60.0).run.split("-")

    assert is_over(Lease(f"{host}-{pid}-{int(start) + 1}-{nonce}", int(NOW) + 60), NOW) == "its run is dead"


def test_a_run_of_another_host() -> None:
    """May live, whatever our processes say."""
    _, _, start, nonce = new_lease(NOW, 60.0).run.split("-")

    assert is_over(Lease(f"00000000-99999999-{start}-{nonce}", int(NOW) + 60), NOW) == ""
