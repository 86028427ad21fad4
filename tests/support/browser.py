"""Opens a page in headless Chromium and says what is wrong with it.

browser.py PAGE [PICTURE_PREFIX]: at 1280 and 390 px, light and dark. Wrong are: anything on the
console, a request for anything but the page itself, a picture or figure without a size, text that
does not differ from what is behind it, and a page wider than the window. With a prefix the whole
page is written as PREFIX-WIDTH-SCHEME.png. Speaks the DevTools protocol over a pipe; needs nothing
but Python. Exit 77 without Chromium."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROBE = r"""
(() => {
  const wrong = [], of = s => [...document.querySelectorAll(s)];
  const seen = e => !e.closest('details:not([open])') && !e.closest('defs') && !e.closest('.defs');
  for (const e of of('figure svg, figure img').filter(seen)) {
    const box = e.getBoundingClientRect();
    if (!(box.width > 5 && box.height > 5)) wrong.push('no size: ' + e.outerHTML.slice(0, 90));
  }
  for (const e of of('img')) if (!e.complete || !e.naturalWidth) wrong.push('not shown: ' + e.alt);
  for (const e of of('figure.plot'))
    if (!e.querySelector('svg[role=img][aria-label]') && !e.textContent.endsWith('no values'))
      wrong.push('not drawn: ' + e.textContent);
  for (const e of of('table')) if (!e.querySelector('th[scope=col]')) wrong.push('table without heads');
  for (const e of of('use')) {
    const id = e.getAttribute('href') || e.getAttribute('xlink:href');
    if (!document.getElementById(id.slice(1))) wrong.push('nothing at ' + id);
  }
  for (const e of of('nav a'))
    if (!document.querySelector(e.getAttribute('href'))) wrong.push('no place ' + e.textContent);
  const ids = of('[id]').map(e => e.id), twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length) wrong.push('ids that stand twice: ' + twice.slice(0, 5));
  if (document.documentElement.scrollWidth > innerWidth)
    wrong.push('wider than the window: ' + document.documentElement.scrollWidth);
  if (innerWidth >= 1280)
    for (const e of of('.wide').filter(seen))
      if (e.scrollWidth > e.clientWidth && e.querySelector('table'))
        wrong.push('table wider than the page: ' + e.getAttribute('aria-label'));
  for (const e of of('.months figcaption'))
    for (let up = e; up; up = up.parentElement)
      if (getComputedStyle(up).opacity < 1) wrong.push('dimmed: ' + e.textContent);
  if (innerWidth < 600)
    for (const e of of('.stack .wide'))
      if (e.scrollWidth > e.clientWidth) wrong.push('out of sight: ' + e.getAttribute('aria-label'));
  const light = c => {
    const v = c.match(/[\d.]+/g).map(Number).slice(0, 3).map(x => x / 255)
        .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\)|transparent|color\(/.test(c)) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  for (const e of of('p, li, td, th, h1, h2, h3, h4, dt, dd, summary, a, figcaption, svg text')) {
    if (!seen(e) || !e.textContent.trim() || e.closest('.months')) continue;
    const style = getComputedStyle(e), a = light(e.closest('svg') ? style.fill : style.color);
    const b = light(behind(e.closest('svg') || e));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      wrong.push('contrast ' + contrast.toFixed(1) + ': ' + e.textContent.slice(0, 40));
  }
  return JSON.stringify({wrong: wrong.slice(0, 12), figures: of('figure.plot').length,
                         pictures: of('.months img').length, tables: of('table').length,
                         height: document.documentElement.scrollHeight});
})()
"""


class Browser:
    def __init__(self, program, profile):
        to_browser, self.send_fd = os.pipe()
        self.receive_fd, from_browser = os.pipe()
        arguments = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe",
            "about:blank",
        ]
        # Chromium reads from 3 and writes to 4
        script = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", str(to_browser), str(from_browser), *arguments],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.rest, self.number, self.events, self.session = b"", 0, [], None

    def read(self):
        while b"\0" not in self.rest:
            piece = os.read(self.receive_fd, 1 << 20)
            if not piece:
                sys.exit("Chromium ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.send_fd, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.events = []
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")


def complaints(browser, url):
    """What the page said and asked for while it was loaded."""
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            yield f"console: {json.dumps(parameters)[:300]}"
        if method == "Network.requestWillBeSent":
            asked = parameters["request"]["url"]
            if asked != url and not asked.startswith("data:"):
                yield f"asks for {asked[:200]}"


def look(browser, width, scheme, picture):
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                 mobile=width < 600)
    browser.call("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
    answer = browser.call("Runtime.evaluate", expression=PROBE)
    if "exceptionDetails" in answer:
        sys.exit(f"probe: {answer['exceptionDetails']}")
    found = json.loads(answer["result"]["value"])
    if picture:
        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": width, "height": found["height"], "scale": 1})
        with open(f"{picture}-{width}-{scheme}.png", "wb") as file:
            file.write(base64.b64decode(shot["data"]))
    return found


def main():
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next((path for path in map(shutil.which, names) if path), None)
    if not program:
        print("no Chromium here: the page was not opened")
        return 77
    url = "file://" + os.path.abspath(sys.argv[1])
    wrong, found = [], {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            browser.open(url)
            for width in (1280, 390):
                for scheme in ("light", "dark"):
                    found = look(browser, width, scheme, sys.argv[2] if len(sys.argv) > 2 else None)
                    wrong += [f"{width} px, {scheme}: {text}" for text in found["wrong"]]
            wrong += complaints(browser, url)
        finally:
            browser.process.terminate()
            browser.process.wait()
    print("\n".join(wrong))
    print(f"{found['figures']} figures, {found['pictures']} pictures, {found['tables']} tables")
    return 1 if wrong else 0


sys.exit(main())
