"""Library code runs here, in processes that are made for one job each and can be killed.

`zygote` is a process that has every library loaded and forks; `child` is what a fork does; `sandbox` fences it in;
`pool` hands out jobs from the serving process; `jobs` are the jobs.
"""

from initium_server.workers.pool import JobLimits, Pool
from initium_server.workers.zygote import Zygote

__all__ = ["JobLimits", "Pool", "Zygote"]
