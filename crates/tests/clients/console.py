"""A person in front of the console: a real Chromium logs in, looks around, and takes pictures.

    console.py ADDRESS FOLDER < TOKEN

Prints one JSON object: what stood on each page, and what the browser complained about. Pictures go to FOLDER.
"""

import asyncio
import base64
import json
import pathlib
import subprocess
import sys
import tempfile

import websockets

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors", "--hide-scrollbars",
    "--remote-debugging-port=0",
]
PATIENCE_SECONDS = 30


class Browser:
    """One page, spoken to over the DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.number, self.waiting, self.complaints = socket, 0, {}, []
        self.loaded = asyncio.Event()
        self.listening = asyncio.create_task(self.listen())

    async def listen(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                self.waiting.pop(message["id"]).set_result(message)
            elif message["method"] == "Log.entryAdded":
                self.complaints.append(message["params"]["entry"]["text"])
            elif message["method"] == "Runtime.exceptionThrown":
                self.complaints.append(message["params"]["exceptionDetails"]["text"])
            elif message["method"] == "Page.loadEventFired":
                self.loaded.set()

    async def ask(self, method, **parameters):
        self.number += 1
        answer = asyncio.get_running_loop().create_future()
        self.waiting[self.number] = answer
        await self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        message = await asyncio.wait_for(answer, PATIENCE_SECONDS)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    async def value(self, expression):
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def load(self, cause):
        """Does what leads to another page, and waits until that is there."""
        self.loaded.clear()
        await cause
        await asyncio.wait_for(self.loaded.wait(), PATIENCE_SECONDS)

    async def go(self, url):
        await self.load(self.ask("Page.navigate", url=url))

    async def press(self, selector):
        """Presses a key on what has the focus, as somebody without a mouse would."""
        await self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}

        async def enter():
            await self.ask("Input.dispatchKeyEvent", type="keyDown", **key)
            await self.ask("Input.dispatchKeyEvent", type="keyUp", **key)

        await self.load(enter())

    async def picture(self, path):
        size = (await self.ask("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000), "scale": 1}
        shot = await self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def colours(self, scheme):
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def seen(self):
        return {
            "path": await self.value("location.pathname"),
            "language": await self.value("document.documentElement.lang"),
            "title": await self.value("document.title"),
            "text": await self.value("document.body.innerText"),
            "ground": await self.value("getComputedStyle(document.body).backgroundColor"),
            "overflow": await self.value("document.documentElement.scrollWidth > innerWidth"),
        }


async def connect(port):
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [page for page in json.load(answer) if page["type"] == "page"]
    return await websockets.connect(pages[0]["webSocketDebuggerUrl"], max_size=None)


async def look_around(browser, address, folder, token):
    base, seen = f"https://{address}/console", {}
    for domain in ["Page", "Log", "Runtime"]:
        await browser.ask(f"{domain}.enable")
    await browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    await browser.ask("Emulation.setUserAgentOverride", userAgent="console", acceptLanguage="en")
    # Everything up to here and the first pages work without a script.
    await browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    await browser.colours("light")
    await browser.go(base + "/routes")
    seen["login"] = await browser.seen()
    await browser.picture(folder / "login.png")
    await browser.go(f"https://{address}/docs")
    seen["docs"] = await browser.seen()
    await browser.picture(folder / "docs.png")
    await browser.press(".offers h2 a")
    seen["one of docs"] = await browser.seen()
    await browser.picture(folder / "one-of-docs.png")
    await browser.colours("dark")
    await browser.press("button[name=language]")
    seen["docs chinese"] = await browser.seen()
    await browser.picture(folder / "docs-chinese-dark.png")
    await browser.press("button[name=language]")
    await browser.colours("light")
    await browser.go(base + "/routes")
    await browser.value("document.querySelector('#token').focus()")
    await browser.ask("Input.insertText", text=token)
    await browser.press("#token")
    seen["after login"] = await browser.seen()
    await browser.ask("Emulation.setScriptExecutionDisabled", value=False)
    for name, path in [("overview", ""), ("gateways", "/gateways"), ("routes", "/routes"), ("proxies", "/proxies"),
                       ("mesh", "/mesh"), ("products", "/products"), ("applications", "/applications"),
                       ("usage", "/usage")]:
        await browser.go(base + path)
        seen[name] = await browser.seen()
        await browser.picture(folder / f"{name}.png")
    for section in ["gateways", "routes", "proxies", "products", "applications"]:
        await browser.go(f"{base}/{section}")
        await browser.press("main tbody th a")
        seen[f"one of {section}"] = await browser.seen()
        await browser.picture(folder / f"one-of-{section}.png")
    await browser.colours("dark")
    await browser.go(base)
    seen["dark"] = await browser.seen()
    await browser.picture(folder / "dark.png")
    await browser.go(base + "/mesh")
    seen["mesh dark"] = await browser.seen()
    await browser.picture(folder / "mesh-dark.png")
    await browser.go(base + "/usage")
    seen["usage dark"] = await browser.seen()
    await browser.picture(folder / "usage-dark.png")
    await browser.go(base)
    await browser.press("button[name=language]")
    seen["chinese"] = await browser.seen()
    await browser.picture(folder / "chinese-dark.png")
    await browser.colours("light")
    await browser.go(base)
    await browser.picture(folder / "chinese.png")
    await browser.go(base + "/mesh")
    seen["mesh chinese"] = await browser.seen()
    await browser.picture(folder / "mesh-chinese.png")
    await browser.go(base + "/usage")
    seen["usage chinese"] = await browser.seen()
    await browser.picture(folder / "usage-chinese.png")
    await browser.ask("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    await browser.go(base + "/routes")
    seen["phone"] = await browser.seen()
    await browser.picture(folder / "phone.png")
    await browser.press("form[action='/console/logout'] button")
    seen["after logout"] = await browser.seen()
    return {"seen": seen, "complaints": browser.complaints}


async def main(address, folder, token):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = ["chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            # It says where it listens; before that it may say anything.
            address_line = next(line for line in process.stderr if line.startswith("DevTools listening on"))
            port = address_line.split("127.0.0.1:")[1].split("/")[0]
            drain = asyncio.get_running_loop().run_in_executor(None, process.stderr.read)
            browser = Browser(await connect(port))
            print(json.dumps(await look_around(browser, address, folder, token)))
            browser.listening.cancel()
        finally:
            process.terminate()
            process.wait()
            await drain


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], pathlib.Path(sys.argv[2]), sys.stdin.read().strip()))
