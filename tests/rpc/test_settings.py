"""What a server is without flags: its address, device and bounds."""

from __future__ import annotations

import os

from initium_server.rpc.settings import Settings


def test_defaults() -> None:
    settings = Settings()
    assert (settings.listen, settings.device, settings.backend) == ("127.0.0.1:7070", "cpu", "auto")
    assert (settings.threads, settings.build_workers, settings.streams) == (1, 2, 64)
    assert settings.warm
    assert settings.whole_bytes == 1 << 30
    assert (settings.build.seconds, settings.build.bytes) == (120, 8 << 30)


def test_a_run_of_generator_torch_has_an_hour_and_three_quarters_of_the_memory() -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert (Settings().torch.seconds, Settings().torch.bytes) == (3600, memory * 3 // 4)


def test_generator_torch_takes_the_first_device() -> None:
    assert Settings(device="cuda:1,cuda:0").first_device == "cuda:1"
    assert Settings().first_device == "cpu"
