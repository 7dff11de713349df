// A snapshot as rows. Everything the broker sent is put in as text, never as markup.
// Rows stay where they are and only their words change, so that neither focus nor a selection is lost.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** An element with its class and its content: text, or elements. */
export function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  made.append(...content.map((each) => (each instanceof Node ? each : String(each))));
  return made;
}

export function rateText(rate, isCounted) {
  if (!isCounted) return "not counted";
  return rate === undefined ? "…" : NUMBER.format(rate);
}

export function ratioText(ratio, isCounted) {
  if (!isCounted) return "not counted";
  return ratio === undefined ? "idle" : PERCENT.format(ratio);
}

export function timeText(wallMs) {
  return TIME.format(wallMs);
}

/** Changes a text only where it is another, so that nothing is announced or laid out for nothing. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Puts rows of cells into a table's body. A row: its key, and for each cell the class and the text. */
function fillRows(body, rows) {
  rows.forEach(({ cells, key }, index) => {
    let row = body.rows[index];
    if (row?.cells.length !== cells.length) {
      row?.remove();
      row = body.insertRow(index);
      cells.forEach((_, column) => {
        row.append(document.createElement(column === 0 ? "th" : "td"));
      });
      row.cells[0].scope = "row";
    }
    row.dataset.key = key;
    for (const [column, [className, text]] of cells.entries()) fillCell(row.cells[column], className, text);
  });
  while (body.rows.length > rows.length) body.deleteRow(-1);
}

function fillCell(cell, className, text) {
  const isBadge = className.startsWith("badge");
  if (isBadge && cell.firstElementChild === null) cell.replaceChildren(element("span", className, text));
  const target = isBadge ? cell.firstElementChild : cell;
  if (target.className !== className) target.className = className;
  setText(target, text);
  if (className === "owner") cell.title = text;
}

/** A number, or why there is none. */
function numberCell(text) {
  return [/^[\d…]/.test(text) ? "number" : "number none", text];
}

export function showDevices(body, { devices }, rates) {
  const rows = devices.map((device) => {
    const { attached, faults, generation, id, iommu, owner, state, translations } = device;
    const rate = (name, isCounted) => (attached ? rateText(rates.of(`${name} ${id}`), isCounted) : "–");
    return {
      key: id,
      cells: [
        ["", id],
        [`badge state-${state}`, state],
        owner === null ? ["none", "–"] : ["owner", owner],
        numberCell(rate("translations", translations !== null)),
        numberCell(rate("faults", faults !== null)),
        numberCell(attached ? (faults === null ? "not counted" : NUMBER.format(faults)) : "–"),
        ["number", NUMBER.format(generation)],
        ["", iommu],
      ],
    };
  });
  fillRows(body, rows);
}

export function showIommus(body, { iommus }, rates) {
  const rows = iommus.map(({ commands, eventsDropped, eventsRecorded, id, tlbHits, transactions }) => {
    const ratio = rates.part(`tlbHits ${id}`, `tlbMisses ${id}`);
    return {
      key: id,
      cells: [
        ["", id],
        numberCell(rateText(rates.of(`transactions ${id}`), transactions !== null)),
        numberCell(ratioText(ratio, tlbHits !== null)),
        numberCell(rateText(rates.of(`commands ${id}`), commands !== null)),
        numberCell(rateText(rates.of(`events ${id}`), eventsRecorded !== null)),
        numberCell(eventsDropped === null ? "not counted" : NUMBER.format(eventsDropped)),
      ],
    };
  });
  fillRows(body, rows);
}

/** @param onExplain  called with a device and an address; rows that stay keep their button */
export function showFaults(list, { faults }, onExplain) {
  const known = new Map([...list.children].map((row) => [row.dataset.words, row]));
  const rows = faults.map((fault) => {
    const words = JSON.stringify(fault);
    const before = known.get(words);
    if (before !== undefined) return before;
    const row = faultRow(fault, onExplain);
    row.dataset.words = words;
    return row;
  });
  const isSame = rows.length === list.children.length && rows.every((row, index) => row === list.children[index]);
  if (!isSame) list.replaceChildren(...rows);
}

function faultRow(fault, onExplain) {
  const { address, device, diagnosis, substreamID } = fault;
  const head = element("div", "head");
  head.append(
    element("span", "fault-name", fault.type),
    ...(fault.count === 1 ? [] : [element("span", "", `${fault.count} times`)]),
    element("span", "address", device),
    element("time", "faint", timeText(fault.wallMs)),
    ...placeOf(fault).map((text) => element("span", "faint", text)),
  );
  if (address != null) {
    const button = element("button", "", "Explain");
    button.type = "button";
    button.setAttribute("aria-label", `Explain ${address} of device ${device}`);
    button.addEventListener("click", () => onExplain({ device, address, substreamID }));
    head.append(element("span", "address", address), button);
  }
  return element("li", "", head, element("p", "", ...diagnosisWords(diagnosis)));
}

function placeOf(fault) {
  return [
    ...(fault.stage === null ? [] : [`stage ${fault.stage}, ${fault.class}`]),
    ...(fault.hostOnly ? ["the host's business"] : []),
    ...(fault.isWaiting ? ["the device waits for an answer"] : []),
  ];
}

function diagnosisWords(diagnosis) {
  if (diagnosis === null) return ["Not diagnosed yet."];
  const { level, rule, section, structure, summary, verdict } = diagnosis;
  if (verdict === "reproduced") {
    const place = `${rule}, ${structure}${level === null ? "" : ` level ${level}`} (${section})`;
    return [...(summary === undefined ? [] : [`${summary}. `]), element("span", "faint", place)];
  }
  if (summary !== undefined) return [`${summary}.`];
  return [verdict === "not-applicable" ? "There is no walk to explain it." : "Its tables are others now."];
}
