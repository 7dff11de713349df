// A message that the contract promises and proto3 cannot: a broker that leaves it out is broken.

export function present<T>(message: T | undefined, field: string): T {
  if (message === undefined) throw new Error(`the broker's answer has no ${field}`);
  return message;
}
