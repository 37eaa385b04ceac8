"""The HTML report in a headless Chromium: it loads without a console error, its tables sort and
filter, a shape opens, nothing is fetched from anywhere.

Chromium is driven over its debugging pipe (file descriptors 3 and 4, messages end in NUL)."""
import json
import os
import shutil
import subprocess

import pytest

from pooler import wait_until

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
             "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={tmp}/profile", *args, "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.session = None
        target = wait_until(lambda: [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"])[0]
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
        wait_until(lambda: self.js(expression), 20, expression, 0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.out)
        os.close(self.inp)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def show(browser, log, html):
    """The report of a log, drawn; with a page of its own, as wide as a desk's."""
    got = subprocess.run([PGASSAY, "log", str(log), "-f", "html", "-o", str(html)], capture_output=True, text=True)
    assert html.stat().st_size > 1000, got.stderr
    browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    browser.call("Page.navigate", url="about:blank")
    browser.wait("location.href === 'about:blank'")
    browser.events.clear()
    browser.call("Page.navigate", url=html.as_uri())
    browser.wait("document.documentElement?.dataset.ready === 'yes'")
    # no error, nothing fetched but the file itself
    for e in browser.events:
        assert e["method"] not in ("Runtime.exceptionThrown",), e
        assert not (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"), e
        if e["method"] == "Network.requestWillBeSent":
            assert e["params"]["request"]["url"].split(":")[0] in ("file", "about", "data"), e
    return browser


@pytest.fixture
def page(browser, tmp_path):
    (tmp_path / "pg.log").write_text(LOG)
    return show(browser, tmp_path / "pg.log", tmp_path / "report.html")


ROWS = "[...document.querySelectorAll('#shapes tbody tr')]"


def test_it_loads_and_works(page):
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
    page.wait("document.documentElement.scrollWidth <= 360")  # charts follow with the next frame


def test_on_paper_the_findings_stand_open(page):
    """Nobody can open them there."""
    shown = "[...document.querySelectorAll('#findings details.finding')].map(d => d.lastElementChild.checkVisibility())"
    page.js("document.querySelectorAll('#findings details').forEach(d => d.open = false)")
    assert page.js(shown) and not any(page.js(shown))
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert all(page.js(shown))
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_markup_in_a_statement_stays_text(page):
    assert page.js("document.querySelectorAll('script').length") == 0  # the page replaced its own
    page.js("{const s = document.getElementById('shape-search'); s.value = 'lower'; s.dispatchEvent(new Event('input'))}")
    page.js(f"{ROWS}[0].querySelector('button').click()")
    assert "</script><script>alert(1)</script>" in page.js("document.querySelector('dialog').textContent")


def data_of(html):
    return json.loads(html.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])


def short_log(n, rate=10, text=lambda i: f"SELECT {i}", user=lambda i: "app"):
    """n statements, `rate` of them in a second."""
    return "".join(f"2024-01-05 10:{i // rate // 60:02}:{i // rate % 60:02}.{i % rate * 100:03} UTC [{100 + i % 3}] {user(i)}@shop "
                   f"LOG:  duration: {i % 7 + 1}.250 ms  statement: {text(i)}\n" for i in range(n))


def test_a_log_of_seconds_is_drawn_in_seconds(browser, tmp_path):
    (tmp_path / "pg.log").write_text(short_log(300))
    page = show(browser, tmp_path / "pg.log", tmp_path / "r.html")
    assert "Statements per second" in page.js("document.querySelector('#charts').textContent")
    labels = page.js("Chart.getChart(document.querySelector('#charts canvas')).data.labels")
    assert labels == [f"10:00:{s:02}" for s in range(30)]
    assert page.js("Chart.getChart(document.querySelector('#charts canvas')).data.datasets[0].data") == [10] * 30


@pytest.mark.parametrize("text", ["", "2024-01-05 10:00:00.000 UTC [5] app@shop LOG:  duration: 3.2 ms  statement: SELECT 1\n",
                                  "[5] app@shop LOG:  duration: 3.2 ms  statement: SELECT 1\n" * 30])
def test_a_log_with_nothing_one_statement_no_times(browser, tmp_path, text):
    (tmp_path / "pg.log").write_text(text)
    page = show(browser, tmp_path / "pg.log", tmp_path / "r.html")
    assert page.js("document.querySelector('.tile b').textContent") == str(text.count("\n"))
    page.wait("document.documentElement.scrollWidth <= innerWidth")
    assert "1970" not in page.js("document.body.textContent")


EVIL = ["SELECT '</script><script>document.title = 1</script>' FROM t", "SELECT '<!-- <img src=x onerror=alert(1)>' FROM t2", "SELECT '\u202eabc' FROM \u062c\u062f\u0648\u0644",
        "SELECT " + " + ".join(f"c{i}" for i in range(2000)) + " FROM t", "SELECT " + "x" * 3000 + " FROM t", "SELECT `a`, b|c FROM \x80\xfft"]


@pytest.mark.parametrize("width", [360, 1280])
def test_whatever_a_statement_holds_the_page_stays_whole(browser, tmp_path, width):
    (tmp_path / "pg.log").write_bytes(short_log(120, text=lambda i: EVIL[i % len(EVIL)], user=lambda i: "<b>u</b>" if i % 2 else "u" * 60).encode("utf-8").replace(b"\xc2\x80\xc3\xbf", b"\x80\xff"))
    page = show(browser, tmp_path / "pg.log", tmp_path / "r.html")
    page.call("Emulation.setDeviceMetricsOverride", width=width, height=740, deviceScaleFactor=1, mobile=width < 500)
    assert page.js("document.querySelectorAll('script, img, #shapes b').length") == 0 and page.js("document.title") == "pgassay log"
    assert page.js(f"{ROWS}.length") == len(EVIL)
    page.wait("document.documentElement.scrollWidth <= innerWidth")
    for k in range(len(EVIL)):
        page.js(f"{ROWS}[{k}].querySelector('button').click()")
        assert page.js("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")
        page.js("document.querySelector('dialog').close()")


def test_many_shapes_and_users_are_shown_piece_by_piece(browser, tmp_path):
    """3,000 shapes with a finding each, 200 users: the page says what it leaves out, and shows more when asked."""
    (tmp_path / "pg.log").write_text(short_log(6000, text=lambda i: f"SELECT c{i % 3000} FROM t WHERE lower(c{i % 3000}) = 'x'", user=lambda i: f"user{i % 200}"))
    page = show(browser, tmp_path / "pg.log", tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size <= 4 << 20
    data = data_of(tmp_path / "r.html")
    assert len(data["shapes"]) == 2000 and data["input"]["shapes"] == 3000 and data["findings_total"] >= 3000 >= len(data["findings"])
    assert "the first 2,000 of 3,000" in page.js("document.querySelector('#shapes').textContent")
    assert page.js(f"{ROWS}.length") == 50
    page.js("document.querySelector('#shapes .more').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    page.wait(f"{ROWS}.length === 200")
    page.js("{const s = document.getElementById('shape-search'); s.value = '" + data["shapes"][1500]["id"] + "'; s.dispatchEvent(new Event('input'))}")
    assert page.js(f"{ROWS}.length") == 1 and page.js("document.querySelector('#shapes .more').hidden")


def test_what_pgbadger_users_look_for_is_there(page):
    """Types, sessions, checkpoints and the rest, in words."""
    text = page.js("document.body.textContent")
    for word in ("types of statements", "busiest minute", "checkpoints", "ShareLock on transaction", "Messages", "every byte of the input"):
        assert word in text, word
    assert page.js("[...document.querySelectorAll('#server dt')].map(e => e.textContent)").count("waits") == 1
