"""The HTML report in a headless Chromium: it loads without a console error, its tables sort and
filter, a shape opens, nothing is fetched from anywhere.

Chromium is driven over its debugging pipe (file descriptors 3 and 4, messages end in NUL)."""
import json
import os
import shutil
import subprocess
import time

import pytest

CHROMIUM = shutil.which("chromium")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))

LOG = "".join(
    f"2024-01-05 10:{m:02}:{s:02}.000 UTC [{100 + s % 3}] app@shop LOG:  duration: {d}.5 ms  statement: {q}\n"
    for m in range(4) for s, d, q in (
        (1, 3, "SELECT * FROM users WHERE lower(email) = 'Canary</script><script>alert(1)</script>'"),
        (2, 40, "SELECT * FROM orders ORDER BY id LIMIT 10"),
        (3, 700, "UPDATE orders SET total = total + 1 WHERE id = 5"),
        (4, 1, "INSERT INTO events (kind) VALUES ('x')"))
) + "2024-01-05 10:05:00.000 UTC [104] app@shop ERROR:  division by zero\n" \
    "2024-01-05 10:05:00.000 UTC [104] app@shop STATEMENT:  SELECT 1/0\n" + "".join(
    f"2024-01-05 1{h}:06:0{k}.000 UTC [{p}] app@shop {text}\n" for h in range(3) for k, (p, text) in enumerate((
        (105, "LOG:  duration: 0.1 ms  statement: BEGIN"),
        (105, "LOG:  duration: 2.0 ms  statement: UPDATE stock SET n = 1 WHERE id = 7"),
        (106, "LOG:  process 106 still waiting for ShareLock on transaction 900 after 1000.2 ms"),
        (106, "DETAIL:  Process holding the lock: 105. Wait queue: 106."),
        (106, "STATEMENT:  DELETE FROM stock WHERE id = 7"),
        (105, "LOG:  duration: 0.1 ms  statement: COMMIT"),
        (106, "LOG:  process 106 acquired ShareLock on transaction 900 after 2250.8 ms"),
        (106, "STATEMENT:  DELETE FROM stock WHERE id = 7"),
        (107, "LOG:  checkpoint complete: wrote 5 buffers (0.0%); total=1.5 s"))))


class Browser:
    def __init__(self, tmp, *args):
        assert CHROMIUM, "chromium is not installed: make deps"
        to_child, ours_out = os.pipe()
        ours_in, from_child = os.pipe()
        self.out, self.inp, self.id, self.events, self.buf = ours_out, ours_in, 0, [], b""

        def wire():
            # the two ends may already be 3 or 4: move them out of the way first
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--no-first-run", f"--user-data-dir={tmp}/profile", *args, "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = None
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    session = None

    def read(self):
        while b"\0" not in self.buf:
            got = os.read(self.inp, 1 << 16)
            if not got:
                raise EOFError("chromium is gone")
            self.buf += got
        message, self.buf = self.buf.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.id += 1
        message = {"id": self.id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            got = self.read()
            if got.get("id") == self.id:
                assert "error" not in got, got
                return got["result"]
            self.events.append(got)

    def js(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def wait(self, expression):
        end = time.monotonic() + 20
        while not self.js(expression):
            assert time.monotonic() < end, expression
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.out)
        os.close(self.inp)


@pytest.fixture
def page(tmp_path):
    log, html = tmp_path / "pg.log", tmp_path / "report.html"
    log.write_text(LOG)
    subprocess.run([PGASSAY, "log", str(log), "-f", "html", "-o", str(html)], check=True)
    browser = Browser(tmp_path)
    browser.call("Page.navigate", url=html.as_uri())
    browser.wait("document.documentElement?.dataset.ready === 'yes'")
    yield browser
    browser.close()


ROWS = "[...document.querySelectorAll('#shapes tbody tr')]"


def test_it_loads_and_works(page):
    # no error, nothing fetched but the file itself
    for e in page.events:
        assert e["method"] not in ("Runtime.exceptionThrown",), e
        assert not (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"), e
        if e["method"] == "Network.requestWillBeSent":
            assert e["params"]["request"]["url"].split(":")[0] in ("file", "about"), e
    assert page.js(f"{ROWS}.length") >= 4
    assert page.js("document.querySelectorAll('canvas').length") >= 4
    assert "SG001" in page.js("document.querySelector('#findings').textContent")

    # sorts: by total descending at first; by calls when its header is pressed
    assert page.js(f"{ROWS}[0].textContent").startswith("update orders")
    page.js("[...document.querySelectorAll('#shapes th button')].find(b => b.textContent === 'statement').click()")
    texts = page.js(f"{ROWS}.map(r => r.children[0].textContent)")
    assert texts == sorted(texts)
    assert page.js("document.querySelector('#shapes th').getAttribute('aria-sort')") == "ascending"

    # filters
    page.js("{const s = document.getElementById('shape-search'); s.value = 'insert'; s.dispatchEvent(new Event('input'))}")
    assert page.js(f"{ROWS}.length") == 1

    # drills down, closes with the keyboard
    page.js(f"{ROWS}[0].querySelector('button').click()")
    assert page.js("document.querySelector('dialog').open")
    assert "insert into events" in page.js("document.querySelector('dialog').textContent")
    assert page.js("location.hash").startswith("#shape=")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape", windowsVirtualKeyCode=27)
    page.wait("!document.querySelector('dialog').open")

    # the other theme
    before = page.js("getComputedStyle(document.body).backgroundColor")
    page.js("[...document.querySelectorAll('header button')].at(-1).click()")
    assert page.js("getComputedStyle(document.body).backgroundColor") != before


def test_the_locks_are_a_graph_and_transactions_have_their_tables(page):
    assert page.js("document.querySelectorAll('#locks svg.graph circle').length") == 2
    assert page.js("document.querySelectorAll('#locks svg.graph > path').length") == 1
    assert "delete from stock" in page.js("document.querySelector('#locks ol').textContent")
    # by keyboard: a node is focused and opened
    page.js("document.querySelector('#locks svg.graph g').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    page.wait("document.querySelector('dialog').open")
    page.js("document.querySelector('dialog').close()")
    assert page.js("document.querySelectorAll('#transactions tbody tr').length") == 3
    page.js("[...document.querySelectorAll('#transactions .tabs button')].at(-1).click()")
    assert page.js("document.querySelector('#transactions th[aria-sort=descending]').textContent") == "idle"
    assert "22012" in page.js("document.querySelector('#errors').textContent")
    # what can be pressed can be reached, and has a name
    assert page.js("[...document.querySelectorAll('button, a[href], input, select, summary, [role=button]')]"
                   ".every(e => e.tabIndex >= 0 && (e.textContent || e.getAttribute('aria-label')))")


def test_a_thousand_shapes_over_weeks_stay_small(tmp_path):
    log, html = tmp_path / "pg.log", tmp_path / "report.html"
    with open(log, "w") as f:
        for i in range(20000):
            minute = i * 3
            f.write(f"2024-01-{1 + minute // 1440 % 28:02} {minute // 60 % 24:02}:{minute % 60:02}:00.000 UTC [{100 + i % 9}] app@shop LOG:  duration: {i % 977}.5 ms  "
                    f"statement: SELECT a{i % 1000}, b, c FROM some_table_{i % 1000} JOIN other_table USING (id) WHERE d = '{'x' * 40}{i}' LIMIT 10\n")
    got = json.loads(subprocess.run([PGASSAY, "log", str(log), "-f", "json"], capture_output=True, check=True).stdout)
    assert got["input"]["shapes"] == 1000 and len(got["minutes"]) > 10000
    subprocess.run([PGASSAY, "log", str(log), "-f", "html", "-o", str(html)], check=True)
    assert html.stat().st_size <= 2 << 20
    # the same statements, in fewer rows
    data = json.loads(html.read_text().split('id="data">')[1].split("</script>")[0])
    assert sum(m["calls"] for m in data["minutes"]) == 20000 and len(data["minutes"]) <= 1500
    assert sum(sum(m["heat"]) for m in data["minutes"]) == 20000


def test_nothing_spills_over_on_a_phone(page):
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert page.js("document.documentElement.scrollWidth") <= 360


def test_markup_in_a_statement_stays_text(page):
    assert page.js("document.querySelectorAll('script').length") == 0  # the page replaced its own
    page.js("{const s = document.getElementById('shape-search'); s.value = 'lower'; s.dispatchEvent(new Event('input'))}")
    page.js(f"{ROWS}[0].querySelector('button').click()")
    assert "</script><script>alert(1)</script>" in page.js("document.querySelector('dialog').textContent")
