// The dashboard asks the admin's endpoints now and then and shows what changed. Text comes in by `textContent` alone.
"use strict";

const EVERY = 2000; // milliseconds between two looks
const WINDOW = 15; // looks that rates and latencies are made of: half a minute
const CHART = 60; // looks in the chart: two minutes
const KEY = "callgate-token";

const by = (id) => document.getElementById(id);
const samples = [];
let bounds = [];
let routes = [];
let paused = false;
let slow = 0;

class Refused extends Error {}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(KEY);
  const headers = { ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.status === 401) throw new Refused();
  return answer;
}

async function get(path) {
  const answer = await ask(path);
  if (!answer.ok && answer.status !== 503) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Elements ---------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const cell = (text, name, bad = false) =>
  element("td", { class: bad ? "number bad" : "number", "data-name": name }, text);

function fill(id, rows, nothing, columns) {
  const empty = columns
    ? element("tr", {}, element("td", { class: "nothing whole", colspan: columns }, nothing))
    : element("li", { class: "nothing" }, nothing);
  by(id).replaceChildren(...(rows.length ? rows : [empty]));
}

// Numbers ----------------------------------------------------------------------------------------------------------

const rate = (number) => (number === null ? "–" : number >= 100 ? Math.round(number).toLocaleString("en") : number.toFixed(1));

function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  return percent === 0 ? "0 %" : percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}

function time(seconds) {
  if (seconds === null) return "–";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  const short = (number) => String(Number(number.toPrecision(3)));
  return seconds < 1 ? `${short(seconds * 1e3)} ms` : `${short(seconds)} s`;
}

// The quantile of a histogram, its bucket taken as evenly filled.
function quantile(buckets, q) {
  const count = buckets.reduce((sum, n) => sum + n, 0);
  if (count === 0) return null;
  let below = 0;
  for (let i = 0; i < buckets.length; i++) {
    if (below + buckets[i] >= q * count) {
      const low = i === 0 ? 0 : bounds[i - 1];
      const high = i < bounds.length ? bounds[i] : low;
      return low + (high - low) * ((q * count - below) / buckets[i]);
    }
    below += buckets[i];
  }
  return bounds[bounds.length - 1];
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const answered = (series) => sum(Object.values(series.statuses));

function add(one, other) {
  return other.map((value, i) => value + (one ? one[i] : 0));
}

// What some of the series counted between two samples, all together.
function between(old, now, wanted) {
  const before = new Map(old ? old.routes.map((s) => [key(s), s]) : []);
  const total = { count: 0, bad: 0, calls: 0, failed: 0, flight: 0, whole: null, gateway: null, upstream: null };
  for (const series of now.routes.filter(wanted)) {
    const was = before.get(key(series));
    // A counter that fell is one of a process that started anew.
    const less = (a, b) => Math.max(0, b === undefined ? a : a - b);
    const lists = (a, b) => a.map((value, i) => less(value, b ? b[i] : undefined));
    total.count += less(answered(series), was && answered(was));
    total.bad += less(series.statuses["5xx"], was && was.statuses["5xx"]);
    const failed = (s) => sum(Object.values(s.failed_calls)) + s.given_up;
    total.calls += less(series.replies + failed(series), was && was.replies + failed(was));
    total.failed += less(failed(series), was && failed(was));
    total.flight += series.in_flight;
    total.whole = add(total.whole, lists(series.whole, was && was.whole));
    total.gateway = add(total.gateway, lists(series.gateway, was && was.gateway));
    total.upstream = add(total.upstream, lists(series.upstream_time, was && was.upstream_time));
  }
  total.seconds = old ? now.at - old.at : null;
  return total;
}

const key = (series) => JSON.stringify([series.route, series.upstream, series.kind]);
const perSecond = (count, total) => (total.seconds ? count / total.seconds : null);
const of = (buckets, q) => (buckets ? quantile(buckets, q) : null);

function latest(wanted) {
  const now = samples[samples.length - 1];
  const old = samples.length > 1 ? samples[Math.max(0, samples.length - 1 - WINDOW)] : null;
  return between(old, now, wanted);
}

// Sections ---------------------------------------------------------------------------------------------------------

function showNow() {
  const all = latest(() => true);
  by("rate").textContent = rate(perSecond(all.count, all));
  by("errors").textContent = share(all.bad, all.count);
  by("errors").className = all.bad ? "bad-text" : "";
  by("p50").textContent = time(of(all.whole, 0.5));
  by("p99").textContent = time(of(all.whole, 0.99));
  by("flight").textContent = all.flight;
  by("connections").textContent = samples[samples.length - 1].connections;
  chart();
}

function chart() {
  const steps = [];
  for (let i = 1; i < samples.length; i++) {
    const step = between(samples[i - 1], samples[i], () => true);
    steps.push([perSecond(step.count, step) || 0, perSecond(step.bad, step) || 0]);
  }
  const peak = Math.max(1, ...steps.map(([count]) => count));
  const x = (i) => 600 - ((steps.length - 1 - i) * 600) / (CHART - 1);
  const y = (value) => 78 - (value / peak) * 74;
  const path = (of) => steps.map((step, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(step[of]).toFixed(1)}`).join("");
  by("line").setAttribute("d", path(0));
  by("bad-line").setAttribute("d", steps.some(([, bad]) => bad) ? path(1) : "");
  by("area").setAttribute("d", steps.length > 1 ? `${path(0)}L600 80L${x(0).toFixed(1)} 80Z` : "");
  by("peak").textContent = steps.length ? `at most ${rate(peak === 1 ? Math.max(...steps.map(([c]) => c)) : peak)}` : "";
}

function showRoutes() {
  const wanted = by("filter").value.trim().toLowerCase();
  const shown = routes.filter((r) => `${r.host} ${r.match} ${r.to} ${r.name}`.toLowerCase().includes(wanted));
  by("shown").textContent = wanted ? `${shown.length} of ${routes.length}` : "";
  const rows = shown.slice(0, 500).map((route) => {
    const total = latest((series) => series.route === route.name);
    const named = route.name !== route.match && route.name !== `${route.host} ${route.match}`;
    const notes = [named ? route.name : null, route.host === "any" ? null : route.host].filter(Boolean);
    return element("tr", {},
      element("th", { scope: "row" }, element("code", {}, route.match),
        notes.length ? element("span", { class: "small" }, notes.join(" · ")) : null),
      element("td", { class: "whole" }, route.to),
      cell(rate(perSecond(total.count, total)), "per second"),
      cell(share(total.bad, total.count), "5xx", total.bad > 0),
      cell(time(of(total.whole, 0.5)), "median"),
      cell(time(of(total.whole, 0.99)), "p99"),
      cell(time(of(total.gateway, 0.5)), "gateway"),
      cell(String(total.flight), "in flight"));
  });
  const unmatched = latest((series) => series.route === "");
  if (unmatched.count && !wanted) {
    rows.push(element("tr", {}, element("th", { scope: "row" }, "no route matched"),
      element("td", { class: "whole" }, "404, 405 and malformed requests"),
      cell(rate(perSecond(unmatched.count, unmatched)), "per second"), cell("", "5xx"), cell("", "median"),
      cell("", "p99"), cell("", "gateway"), cell("", "in flight")));
  }
  fill("route-rows", rows, wanted ? "No route has that." : "There is no route.", 8);
}

function state(ready, reason) {
  const [kind, text] = ready === true ? ["good", "ready"] : ready === false ? ["bad", "not ready"] : ["warn", "silent"];
  return [element("span", { class: `badge ${kind}` }, text), reason ? element("span", { class: "small" }, reason) : null];
}

function showUpstreams(upstreams) {
  fill("upstream-rows", upstreams.map((upstream) => {
    const total = latest((series) => series.upstream === upstream.name);
    const found = upstream.functions ? `${upstream.functions.length} functions found` : null;
    const note = upstream.discovery_failure ? `not listed: ${upstream.discovery_failure}` : found;
    const circuits = (upstream.circuits || []).filter((circuit) => circuit.state !== "closed");
    const places = (upstream.concurrency || []).map((c) => `${c.running} of ${c.limit} places taken${c.waiting ? `, ${c.waiting} wait` : ""}`);
    const endpoints = (upstream.endpoints || []).map((e) => (e.health === "healthy" ? e.address : `${e.address} (${e.health})`));
    const notes = [note, ...circuits.map((circuit) => `circuit ${circuit.state.replace("_", "-")}`), ...places, ...endpoints]
      .filter(Boolean).join(" · ");
    return element("tr", {},
      element("th", { scope: "row" }, upstream.name, notes ? element("span", { class: "small" }, notes) : null),
      element("td", { class: "word" }, upstream.kind),
      element("td", {}, ...state(upstream.ready, upstream.reason)),
      cell(rate(perSecond(total.calls, total)), "calls per second"),
      cell(share(total.failed, total.calls), "failed", total.failed > 0),
      cell(time(of(total.upstream, 0.5)), "median"),
      cell(time(of(total.upstream, 0.99)), "p99"));
  }), "There is no upstream: the gateway answers by itself.", 7);
}

function showTriggers(triggers) {
  by("triggers").hidden = by("to-triggers").hidden = triggers.length === 0;
  fill("trigger-rows", triggers.map((trigger) => element("tr", {},
    element("th", { scope: "row" }, trigger.name, element("span", { class: "small" }, trigger.source)),
    element("td", {}, trigger.to),
    element("td", { class: "whole" }, ...state(trigger.ready, trigger.reason)),
    cell(String(trigger.running), "running"), cell(String(trigger.waiting), "waiting"),
    cell(String(trigger.received), "taken"), cell(String(trigger.succeeded), "succeeded"),
    cell(String(trigger.retried), "retried"),
    cell(String(trigger.dead_lettered), "dead-lettered", trigger.dead_lettered > 0))), "There is no trigger.", 9);
}

const clock = (seconds) => {
  const at = new Date(seconds * 1000);
  return element("time", { datetime: at.toISOString() }, at.toLocaleTimeString("en-GB"));
};

function showFailures(failures) {
  fill("failure-rows", failures.map((failure) => element("li", {},
    clock(failure.at), element("strong", {}, failure.error), " ",
    element("span", {}, failure.route ? `on ${failure.route}` : "on no route"),
    element("p", {}, failure.reason, element("br"), element("code", {}, failure.request_id)))),
  "None so far. Requests that no route matched are not counted here.");
}

const causes = { files: "as files changed", signal: "by SIGHUP", request: "on request" };

// What a reload did, in a few lines; what goes on as it was is not told.
function changes(reload) {
  const lists = [
    ["opened", [...reload.upstreams.opened, ...reload.triggers.opened]],
    ["closed", [...reload.upstreams.closed, ...reload.triggers.closed]],
    ["listens", reload.listeners.added], ["listens no more", reload.listeners.removed],
    ["takes effect at a restart", reload.needs_restart],
    ["warnings", reload.warnings.map((warning) => warning.message)],
  ];
  return [reload.summary, ...lists.filter(([, list]) => list.length).map(([what, list]) => `${what}: ${list.join(", ")}`)];
}

function showReloads(reloads) {
  fill("reload-rows", reloads.map((reload) => {
    const lines = reload.report ? [] : changes(reload);
    return element("li", {},
      clock(Date.parse(reload.at) / 1000),
      element("strong", { class: reload.report ? "bad-text" : "" }, reload.report ? "refused" : "in force"),
      ` ${causes[reload.cause]}${reload.files ? `: ${reload.files.join(", ")}` : ""}, in ${reload.took_ms} ms`,
      reload.report ? element("pre", { tabindex: "0" }, reload.report)
        : element("p", {}, ...lines.flatMap((line, i) => (i ? [element("br"), line] : [line]))));
  }), "The configuration is that of the start.");
}

by("reload").addEventListener("click", async () => {
  by("reload").disabled = true;
  by("reloaded").textContent = "…";
  try {
    const told = await (await ask("reload", { method: "POST" })).json();
    by("reloaded").textContent = told.outcome === "reloaded" ? "It is in force." : "The former configuration stays in force.";
    slow = 0; // routes and upstreams may be others
    await look();
  } catch (error) {
    by("reloaded").textContent = "";
    if (error instanceof Refused) askForToken();
    else by("reloaded").textContent = `The gateway did not answer: ${error.message}`;
  } finally {
    by("reload").disabled = false;
  }
});

// Try a request ----------------------------------------------------------------------------------------------------

function step(title, note, ...content) {
  return element("details", { open: "" },
    element("summary", {}, title, note ? element("span", { class: "small" }, note) : null),
    element("div", {}, ...content));
}

function message(tried) {
  const head = [tried.line, ...tried.headers.map(([name, value]) => `${name}: ${value}`)].join("\n");
  let body = tried.text || "";
  try { if (body.length < 50000) body = JSON.stringify(JSON.parse(body), null, 2); } catch { /* no JSON */ }
  const bytes = tried.length === null ? "the body was not read to its end" : `${tried.length} bytes`;
  if (tried.text === null && tried.length !== 0) body = `(${bytes} that are no text)`;
  return element("pre", { tabindex: "0" }, body ? `${head}\n\n${body}` : head);
}

function list(pairs) {
  return element("ul", {}, ...pairs.map(([name, value]) => element("li", {}, element("code", {}, name), `: ${value}`)));
}

function showTrial(trial) {
  const steps = [];
  const matched = [];
  if (trial.captures.length) matched.push(list(trial.captures));
  if (trial.candidates.length) matched.push(element("p", { class: "quiet" }, "Looked at"), list(trial.candidates));
  if (!matched.length) matched.push(element("p", { class: "quiet" }, "No route has this host and path."));
  steps.push(step(trial.route ? `1. Route ${trial.route}` : "1. No route", null, ...matched));
  trial.calls.forEach((call, i) => {
    const to = call.upstream ? `${call.upstream} (${call.kind})` : call.kind;
    const nth = trial.calls.length > 1 ? `, call ${i + 1}` : "";
    steps.push(step("2. Request after its steps", `to ${to}${nth}`, message(call.sent)));
    const took = call.took_ms === null ? "given up" : `after ${time(call.took_ms / 1000)}`;
    steps.push(step("3. Reply", took,
      call.reply ? message(call.reply) : element("p", { class: "bad" }, call.failure || "There was none in time.")));
  });
  steps.push(step("4. What the client gets", `after ${time(trial.took_ms / 1000)}`, message(trial.response)));
  by("steps").replaceChildren(...steps);
  by("steps").focus({ preventScroll: true });
}

by("attempt").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  const headers = by("headers").value.split("\n").filter((line) => line.trim()).map((line) => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const wanted = { method: by("method").value, url: by("url").value.trim(), headers, body: by("body").value };
  button.disabled = true;
  try {
    const answer = await ask("try", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wanted),
    });
    const told = await answer.json();
    if (answer.ok) showTrial(told);
    else by("steps").replaceChildren(element("p", { class: "bad" }, told.error));
    look();
  } catch (error) {
    if (error instanceof Refused) askForToken();
    else by("steps").replaceChildren(element("p", { class: "bad" }, `The gateway did not answer: ${error.message}`));
  } finally {
    button.disabled = false;
  }
});

// Token ------------------------------------------------------------------------------------------------------------

function askForToken() {
  by("refused").textContent = sessionStorage.getItem(KEY) ? "That is not this gateway's token." : "";
  sessionStorage.removeItem(KEY);
  by("content").hidden = by("forget").hidden = true;
  if (by("ask").hidden) {
    by("ask").hidden = false;
    by("token").focus();
  }
}

by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, by("token").value);
  by("token").value = "";
  look();
});

by("forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  samples.length = 0;
  askForToken();
});

// The footer's links are asked for with the token too, which a browser would not send by itself.
document.querySelector("footer").addEventListener("click", async (event) => {
  const link = event.target.closest("a");
  if (!link || !sessionStorage.getItem(KEY)) return;
  event.preventDefault();
  const text = await (await ask(link.getAttribute("href"))).text();
  window.open(URL.createObjectURL(new Blob([text], { type: "text/plain" })));
});

// Looking ----------------------------------------------------------------------------------------------------------

async function look() {
  try {
    const traffic = await get("traffic");
    bounds = traffic.bounds;
    samples.push(traffic);
    if (samples.length > CHART + 1) samples.shift();
    // What changes rarely, or asks others, is asked for less often.
    const all = slow++ % 3 === 0;
    const [ready, failures, listed, upstreams, triggers, reloads] = await Promise.all([
      get("ready"), get("failures"), all ? get("routes") : routes, all ? get("upstreams") : null, all ? get("triggers") : null,
      all ? get("reload") : null,
    ]);
    routes = listed;
    by("ask").hidden = true;
    by("content").hidden = false;
    by("forget").hidden = !sessionStorage.getItem(KEY);
    by("trouble").hidden = true;
    by("state").className = `badge ${ready.ready ? "good" : "bad"}`;
    by("state").textContent = ready.ready ? "ready" : ready.reason;
    by("version").textContent = traffic.version;
    showNow();
    showRoutes();
    if (upstreams) showUpstreams(upstreams);
    if (triggers) showTriggers(triggers);
    showFailures(failures);
    if (reloads) showReloads(reloads.last);
  } catch (error) {
    if (error instanceof Refused) return askForToken();
    by("state").className = "badge bad";
    by("state").textContent = "out of reach";
    by("trouble").textContent = `The gateway does not answer (${error.message}). What is shown is from before.`;
    by("trouble").hidden = false;
  }
}

by("filter").addEventListener("input", () => samples.length && showRoutes());
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  by("pause").textContent = paused ? "Go on" : "Pause";
  if (!paused) look();
});

setInterval(() => {
  if (!paused && !document.hidden && by("ask").hidden) look();
}, EVERY);
look();
