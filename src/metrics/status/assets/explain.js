// The form that explains one address, and the steps of the walk.

import { element, setText } from "./tables.js";

/** @returns what fills in the devices, and what asks for one address */
export function explainForm(form, result) {
  const { "explain-access": access, "explain-device": device, "explain-iova": iova } = form.elements;
  const substream = form.elements["explain-substream"];
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });

  async function ask() {
    const query = new URLSearchParams({ device: device.value, iova: iova.value, access: access.value });
    if (substream.value !== "") query.set("substream", substream.value);
    try {
      const response = await fetch(`status/explain.json?${query}`, { signal: AbortSignal.timeout(10_000) });
      const answer = await response.json();
      result.replaceChildren(...(response.ok ? explained(answer) : [ended(`${answer.error}.`, true)]));
    } catch {
      result.replaceChildren(ended("The broker does not answer. Try again.", true));
    }
  }

  return {
    offer(devices) {
      const names = devices.filter(({ owner }) => owner !== null).map(({ id }) => id);
      if (names.join() === [...device.options].map(({ value }) => value).join()) return;
      const chosen = device.value;
      device.replaceChildren(...names.map((name) => element("option", "", name)));
      if (names.includes(chosen)) device.value = chosen;
    },
    explain(fault) {
      device.value = fault.device;
      iova.value = fault.address;
      substream.value = fault.substreamID ?? "";
      form.scrollIntoView();
      iova.focus();
      ask();
    },
  };
}

function explained({ end, steps, writes }) {
  const list = element("ol", "", ...steps.map(stepRow));
  const updates = writes.map(({ address, value }) => `${address ?? "a descriptor of the host"} becomes ${value}`);
  return [
    ended(endText(end), end.kind !== "ok"),
    list,
    ...(updates.length === 0 ? [] : [element("p", "fields", `It would update: ${updates.join(", ")}.`)]),
  ];
}

function stepRow({ address, decision, fields, raw, section, structure }) {
  const head = element("div", "", element("strong", "", structure), " ");
  if (address !== null) head.append(element("span", "address", `at ${address}`), " ");
  head.append(element("span", "faint", section));
  const facts = [...raw, ...fields.map(([name, value]) => `${name}=${value}`)];
  const row = element("li", "", head, element("div", "", decision));
  if (facts.length > 0) row.append(element("div", "fields address", facts.join("  ")));
  return row;
}

function ended(text, isFault) {
  const block = element("p", isFault ? "end is-fault" : "end");
  setText(block, text);
  return block;
}

function endText(end) {
  if (end.kind === "ok") {
    const address = end.address === null ? "memory of the host" : `${end.address} of the guest's memory`;
    return end.bypass
      ? `Goes to ${address} as it is.`
      : `Translates to ${address}, in a page of ${end.pageBytes} bytes.`;
  }
  if (end.kind === "not-covered") return `Not explained: ${end.reason}.`;
  const how =
    { abort: "Terminated", "raz-wi": "Read as zero, writes ignored", stalled: "Stalled" }[end.kind] ?? end.kind;
  if (end.fault === null) return `${how}, without an event.`;
  const { address, stage, type } = end.fault;
  return `${how}: ${type}${stage === null ? "" : `, stage ${stage}`}${address === null ? "" : `, at ${address}`}.`;
}
