// Drives the dashboard in a real browser, as people would: with a keyboard, on a screen and on a phone.
//
//     node dashboard.mjs PLAYWRIGHT CHROMIUM ADMIN PUBLIC TOKEN PICTURES CONFIG
//
// PLAYWRIGHT is the folder of playwright-core, CONFIG the gateway's configuration, which it breaks and mends. Pictures of what it saw go to the folder PICTURES. It ends with 0 when all
// was as it should be, and says what was not otherwise.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [playwright, executablePath, admin, gateway, token, pictures, config] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(`${playwright}/index.mjs`));
mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// Whatever the page logs as an error, or asks of anyone but the gateway, is a failure.
const wrong = [];
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    // A refused token is told so by the browser, and so is a configuration that is wrong.
    if (message.type() === "error" && !/40[014]|422/.test(message.text())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(admin) && !request.url().startsWith("data:")) wrong.push(request.url());
  });
  await page.goto(admin);
  return page;
}

async function traffic(rounds) {
  for (let round = 0; round < rounds; round++) {
    await Promise.all(["/ping", "/ping", "/stock", "/broken", "/nowhere"].map((path) => fetch(gateway + path)));
  }
}

async function enter(page, text) {
  await page.getByLabel("Token", { exact: true }).waitFor();
  await page.keyboard.type(text); // it has the focus already
  await page.keyboard.press("Enter");
}

const text = (page, selector) => page.locator(selector).innerText();

try {
  // The token.
  const page = await open({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
  await enter(page, "wrong");
  await page.getByText("That is not this gateway's token.").waitFor();
  await enter(page, token);
  await page.getByRole("heading", { name: "Routes" }).waitFor();
  assert.equal(await page.getByLabel("Token", { exact: true }).isVisible(), false);

  // Routes in the order in which they are tried, with live figures.
  await traffic(20);
  await page.locator("#state.good").waitFor();
  await page.waitForFunction(() => document.getElementById("route-rows").innerText.includes("100.0 %"));
  const rows = await page.locator("#route-rows tr").allInnerTexts();
  assert.equal(rows.length, 6, rows.join("\n"));
  assert.match(rows.find((row) => row.includes("/broken")), /100\.0 %/);
  assert.match(rows.find((row) => row.includes("/ping")), /0 %.*µs|0 %.*ms/s);
  assert.match(rows.at(-1), /no route matched/);
  assert.match(await text(page, "#upstream-rows"), /shop[\s\S]*echo[\s\S]*ready/);
  assert.match(await text(page, "#failure-rows"), /upstream_unreachable on broken/);
  assert.match(await text(page, "#p50"), /[µm]?s$/);
  await page.getByLabel("Show those with").fill("stock");
  assert.equal(await page.locator("#route-rows tr").count(), 2);
  assert.equal(await text(page, "#shown"), "2 of 5");
  await page.getByLabel("Show those with").fill("");

  // A request is tried, with the keyboard alone.
  await page.locator("#method").focus();
  await page.keyboard.type("POST");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("/orders/7");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("content-type: application/json");
  await page.keyboard.press("Tab");
  await page.keyboard.type('{"a":1}');
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByText("4. What the client gets").waitFor();
  const steps = await text(page, "#steps");
  for (const part of ["1. Route orders", "id: 7", "to shop (echo)", "POST /orders/7", "x-order: 7", "200 OK", "201 Created"]) {
    assert.ok(steps.includes(part), `${part} is not in\n${steps}`);
  }
  assert.equal(await page.evaluate(() => document.activeElement.id), "steps");
  await page.locator("#url").fill("nowhere");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("write /path").waitFor();

  // Where the focus is can be seen, and everything that can be used has a name.
  await page.getByRole("button", { name: "Pause" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Go on", pressed: true }).waitFor();
  await page.keyboard.press("Enter");
  const nameless = await page.evaluate(() => [...document.querySelectorAll("input, select, textarea, button, a")]
    .filter((e) => !(e.labels && e.labels.length) && !e.innerText.trim() && !e.getAttribute("aria-label")).length);
  assert.equal(nameless, 0);

  await page.locator("#url").fill("/orders/7");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("1. Route orders").waitFor();
  await page.screenshot({ path: `${pictures}/desktop-light-whole.png`, fullPage: true });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: `${pictures}/desktop-light.png` });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: `${pictures}/desktop-dark.png` });

  // Reloads: on request, as the file changes, and refused with a reason.
  const right = readFileSync(config, "utf8");
  const put = (text) => {
    writeFileSync(`${config}.new`, text);
    renameSync(`${config}.new`, config);
  };
  assert.match(await text(page, "#reload-rows"), /that of the start/);
  await page.getByRole("button", { name: "Reload the configuration" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("It is in force.").waitFor();
  await page.locator("#reload-rows li", { hasText: "on request" }).waitFor();
  assert.match(await text(page, "#reload-rows li"), /in force on request, in \d+ ms\s+1 listener, 2 upstreams, 5 routes/);
  put(right.replace("match: GET /ping", "match: GET ping"));
  await page.locator("#reload-rows li", { hasText: "refused" }).first().waitFor();
  assert.match(await page.locator("#reload-rows li").first().innerText(), /refused as files changed: .*callgate\.yaml[\s\S]*match/);
  await page.getByRole("button", { name: "Reload the configuration" }).click();
  await page.getByText("The former configuration stays in force.").waitFor();
  put(right.replace("GET /ping", "GET /pong"));
  await page.locator("#route-rows", { hasText: "GET /pong" }).waitFor();
  put(right);
  await page.locator("#route-rows", { hasText: "GET /ping" }).waitFor();
  await page.locator("#reloads").scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${pictures}/reloads.png` });

  // The token is gone when it is told to go.
  await page.getByRole("button", { name: "Forget token" }).click();
  await page.getByLabel("Token", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);

  // A phone: nothing has to be scrolled sideways.
  for (const colorScheme of ["light", "dark"]) {
    const phone = await open({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme });
    await enter(phone, token);
    await phone.getByRole("heading", { name: "Routes" }).waitFor();
    await traffic(3);
    await phone.waitForFunction(() => document.getElementById("failure-rows").innerText.includes("upstream_unreachable"));
    await phone.locator("#url").fill("/orders/7?with=a-rather-long-query-that-has-nowhere-to-break-and-goes-on-and-on");
    await phone.locator("#method").selectOption("POST");
    await phone.getByRole("button", { name: "Send" }).click();
    await phone.getByText("4. What the client gets").waitFor();
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `the page is ${wide} pixels wide`);
    await phone.screenshot({ path: `${pictures}/phone-${colorScheme}-whole.png`, fullPage: true });
    await phone.context().close();
  }
  assert.deepEqual(wrong, []);
} catch (error) {
  console.error(error.stack || error);
  if (wrong.length) console.error("The page said:", wrong);
  process.exitCode = 1;
} finally {
  await browser.close();
}
