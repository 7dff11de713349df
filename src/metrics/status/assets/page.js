// The page's clock: asks for a snapshot every second, shows it, and says so when nobody answers.

import { explainForm } from "./explain.js";
import { Rates } from "./rates.js";
import { rateText, ratioText, setText, showDevices, showFaults, showIommus, timeText } from "./tables.js";

const PERIOD_MS = 1000;
const RETRY_MAX_MS = 10_000;
const ANSWER_MAX_MS = 5000;
/** New faults are announced at most this often. */
const NEWS_MS = 10_000;

const at = (id) => document.getElementById(id);
const rates = new Rates();
const form = explainForm(at("explain-form"), at("explain-result"));
let isPaused = false;
let failures = 0;
let lastWallMs = 0;
let timer;
let news = { newest: undefined, toldMs: -NEWS_MS };

function say(text, className) {
  setText(at("connection"), text);
  at("connection").className = className;
  document.body.classList.toggle("is-stale", className === "is-bad");
}

function countersOf({ devices, iommus }) {
  return new Map([
    ...devices.flatMap(({ faults, id, translations }) => [
      [`translations ${id}`, translations],
      [`faults ${id}`, faults],
    ]),
    ...iommus.flatMap((own) => [
      [`transactions ${own.id}`, own.transactions],
      [`tlbHits ${own.id}`, own.tlbHits],
      [`tlbMisses ${own.id}`, own.tlbMisses],
      [`commands ${own.id}`, own.commands],
      [`events ${own.id}`, own.eventsRecorded],
    ]),
  ]);
}

/** The sum over all that count; undefined where none has been seen twice. */
function sumOf(names) {
  const found = names.map((name) => rates.of(name)).filter((rate) => rate !== undefined);
  return found.length === 0 ? undefined : found.reduce((sum, rate) => sum + rate, 0);
}

function showTotals({ devices, iommus, sessions }) {
  const counting = iommus.filter(({ tlbHits }) => tlbHits !== null).map(({ id }) => id);
  const attached = devices.filter(({ attached }) => attached).map(({ id }) => id);
  const sumOfDevices = (name) => (attached.length === 0 ? 0 : sumOf(attached.map((id) => `${name} ${id}`)));
  const hits = sumOf(counting.map((id) => `tlbHits ${id}`)) ?? 0;
  const misses = sumOf(counting.map((id) => `tlbMisses ${id}`)) ?? 0;
  const isCounted = counting.length > 0;
  setText(at("total-translations"), rateText(sumOfDevices("translations"), isCounted));
  setText(at("total-faults"), rateText(sumOfDevices("faults"), true));
  setText(at("total-tlb"), ratioText(hits + misses === 0 ? undefined : hits / (hits + misses), isCounted));
  setText(at("total-sessions"), String(sessions));
}

/** Tells a screen reader that there are new faults, in one sentence for all of them. */
function tellNews({ faults: [last] }) {
  const newest = last === undefined ? "" : `${last.device} ${last.sequence} ${last.wallMs}`;
  const isFirstLook = news.newest === undefined;
  if (isFirstLook || newest === "" || newest === news.newest || performance.now() - news.toldMs < NEWS_MS) {
    if (isFirstLook) news = { newest, toldMs: -NEWS_MS };
    return;
  }
  news = { newest, toldMs: performance.now() };
  setText(
    at("fault-news"),
    `New faults, the last a ${last.type} of device ${last.device} at ${timeText(last.wallMs)}.`,
  );
}

function show(snapshot) {
  rates.look(snapshot.atMs, countersOf(snapshot));
  setText(at("build"), `version ${snapshot.version}, backend ${snapshot.backend}`);
  showTotals(snapshot);
  showDevices(at("device-rows"), snapshot, rates);
  at("devices-omitted").hidden = snapshot.devicesOmitted === 0;
  setText(at("devices-omitted"), `${snapshot.devicesOmitted} more are not shown.`);
  showIommus(at("iommu-rows"), snapshot, rates);
  showFaults(at("fault-rows"), snapshot, form.explain);
  at("no-faults").hidden = snapshot.faults.length > 0;
  tellNews(snapshot);
  form.offer(snapshot.devices);
  at("explain-form").hidden = snapshot.detail !== "full";
  at("explain-off").hidden = snapshot.detail === "full";
}

async function look() {
  try {
    const response = await fetch("status/data.json", { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const snapshot = await response.json();
    show(snapshot);
    failures = 0;
    lastWallMs = snapshot.wallMs;
    if (isPaused) return;
    say("Live, updated every second", "is-good");
  } catch {
    if (isPaused) return;
    failures += 1;
    const seen = lastWallMs === 0 ? "" : `; what is shown is of ${timeText(lastWallMs)}`;
    say(`The broker does not answer${seen}. Trying again`, "is-bad");
  }
  clearTimeout(timer); // of a look that was under way when updates were paused and began again
  timer = setTimeout(look, failures === 0 ? PERIOD_MS : Math.min(PERIOD_MS * 2 ** failures, RETRY_MAX_MS));
}

at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  clearTimeout(timer);
  at("pause").setAttribute("aria-pressed", String(isPaused));
  if (isPaused) say("Paused", "");
  else look();
});

look();
