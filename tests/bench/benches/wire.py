# SPDX-License-Identifier: Apache-2.0
"""What a sample takes on the wire, compressed, in both forms: 1,000 workloads of berth-page, of which
every value changes between two scrapes.
"""

from benchlib import report
from benches import _page

BAR = "1,000 workloads, gzip: <= 12 bytes a sample"
WORKLOADS, BYTES = 1000, 12.0
FORMS = {"text": "text/plain", "openmetrics": "application/openmetrics-text;version=1.0.0"}


def run(options):
    values = {}
    with _page.page(options.build, WORKLOADS) as page:
        for form, accept in FORMS.items():
            scraper = _page.Scraper(page.port)
            scraper.headers["Accept"] = accept
            packed = [scraper.scrape()[1] for _ in range(3 if options.quick else 20)]
            count = _page.samples(packed[0])
            values[form] = round(max(len(body) for body in packed) / count, 2)
        values["samples"] = count
        scraper = _page.Scraper(page.port, "identity")
        values["identity"] = round(len(scraper.scrape()[1]) / count, 1)
    worst = max(values[form] for form in FORMS)
    figure = (
        f"{values['text']} bytes a sample as text, {values['openmetrics']} as OpenMetrics, of "
        f"{values['identity']} uncompressed"
    )
    return report.result("wire", worst <= BYTES, figure, BAR, values)
