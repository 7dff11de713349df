// How the demo speaks: numbered steps, plain lines, progress that overwrites itself only on a terminal.

let step = 0;

export function heading(text: string): void {
  step += 1;
  console.log(`\n${step}. ${text}`);
}

export function say(text: string): void {
  console.log(`   ${text}`);
}

export function progress(what: string, done: number, total: number): void {
  if (!process.stdout.isTTY) return;
  const width = 30;
  const filled = Math.round((done / total) * width);
  process.stdout.write(`\r   ${what} [${"#".repeat(filled)}${".".repeat(width - filled)}] ${done}/${total}`);
  if (done === total) process.stdout.write(`\r${" ".repeat(78)}\r`);
}

export function table(rows: readonly (readonly [string, string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) say(`${name.padEnd(width)}  ${value}`);
}

export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
