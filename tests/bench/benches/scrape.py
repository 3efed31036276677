# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs: 1,000 workloads with about 57 samples each, every value changed since the last
one, compressed. CPU a sample beside prometheus-node-exporter's, round by round in the same minutes.

berth-page serves them: the page, gzip and HTTP server of berthd with the exporter's families and
made-up samples, because a host tells less than all values, and none of them changes on demand. What
reading the kernel costs is not in it: bench collect. Latency is that of an unloaded machine: it is
judged only where others took less than a quarter of one CPU while it was measured.
"""

import time

from benchlib import procfs, report
from benches import _page

BAR = (
    "1,000 workloads, 57 samples each, all values changing, gzip: CPU a sample <= 1/50 of "
    "node_exporter's (stretch 1/150); p99 < 25 ms"
)
WORKLOADS, SHARE, P99_MSEC, OTHERS = 1000, 1 / 50, 25.0, 0.25


class Others:
    """What everybody but these processes and this one took meanwhile, in CPUs."""

    def __init__(self, *processes):
        self.processes = processes
        self.busy = self.wall = 0.0

    def _look(self):
        own = sum(process.cpu() for process in self.processes) + time.process_time()
        return procfs.busy_seconds() - own, time.monotonic()

    def __enter__(self):
        self.before = self._look()
        return self

    def __exit__(self, *_):
        busy, wall = self._look()
        self.busy += busy - self.before[0]
        self.wall += wall - self.before[1]

    def cpus(self):
        return max(0.0, self.busy / self.wall)


def run(options):
    rounds, scrapes = (3, 20) if options.quick else (10, 50)
    ratios, ours, theirs, plain, latencies = [], [], [], [], []
    with _page.page(options.build, WORKLOADS) as page, _page.node_exporter() as peer:
        scraper, other, identity = (
            _page.Scraper(page.port),
            _page.Scraper(peer.port),
            _page.Scraper(page.port, "identity"),
        )
        others = Others(page)
        count = _page.samples(scraper.scrape()[1])
        other_count = _page.samples(other.scrape()[1])
        for _ in range(rounds):
            before = page.cpu()
            with others:
                latencies += [scraper.scrape()[0] * 1000 for _ in range(scrapes)]
            ours.append((page.cpu() - before) / scrapes / count * 1e9)
            before = page.cpu()
            for _ in range(scrapes // 5):
                identity.scrape()
            plain.append((page.cpu() - before) / (scrapes // 5) / count * 1e9)
            before = peer.cpu()
            for _ in range(scrapes // 5):
                other.scrape()
            theirs.append((peer.cpu() - before) / (scrapes // 5) / other_count * 1e9)
            ratios.append(theirs[-1] / ours[-1])
    ratio, p99 = report.median(ratios), report.quantile(latencies, 0.99)
    values = {
        "samples": count,
        "ns_per_sample": round(report.median(ours), 1),
        "identity_ns_per_sample": round(report.median(plain), 1),
        "node_exporter_samples": other_count,
        "node_exporter_ns_per_sample": round(report.median(theirs)),
        "ratio": round(ratio, 1),
        "ratio_min": round(min(ratios), 1),
        "ratio_max": round(max(ratios), 1),
        "p50_msec": round(report.quantile(latencies, 0.5), 2),
        "p99_msec": round(p99, 2),
        "others_cpus": round(others.cpus(), 2),
    }
    figure = (
        f"{count} samples: {values['ns_per_sample']} ns of CPU each (identity "
        f"{values['identity_ns_per_sample']}), node_exporter {values['node_exporter_ns_per_sample']}"
        f": 1/{ratio:.0f}; p50 {values['p50_msec']} ms, p99 {values['p99_msec']} ms"
    )
    loaded = others.cpus() > OTHERS
    if loaded:
        figure += f" (not judged: others took {others.cpus():.1f} CPUs)"
    passed = ratio >= 1 / SHARE and (loaded or p99 < P99_MSEC)
    return report.result("scrape", passed, figure, BAR, values)
