// What --repair-state prints: where a state directory is damaged, and what is lost by going on without the rest.

import type { DurableRecord } from "../core/durable.ts";
import { recordsOf } from "./codec.ts";
import { repairState } from "./repair.ts";

const LINES_MAX = 1000;

/**
 * @param directory  locked, so that no daemon runs on it
 * @param dryRun     only tell
 * @throws BrokerError backend_failed for what cutting off does not mend, with the remedy
 */
export async function repairLines(directory: string, dryRun: boolean): Promise<readonly string[]> {
  const damage = await repairState(directory, dryRun);
  if (damage === undefined) return [`${directory}: no damage`];
  const lost = damage.lost.flatMap((frame) => recordsOf(frame.payload, directory)).map(describeRecord);
  return [
    `${damage.file}: damaged at byte ${damage.offset}: ${damage.why}`,
    `lost besides the damaged bytes: ${lost.length} records`,
    ...lost.slice(0, LINES_MAX),
    ...(lost.length > LINES_MAX ? [`  and ${lost.length - LINES_MAX} more`] : []),
    dryRun
      ? "nothing was changed; --repair-state-now cuts it off there"
      : "cut off; what was there is kept as *.damaged",
  ];
}

function describeRecord(record: DurableRecord): string {
  switch (record.type) {
    case "session":
      return `  session ${record.value.id} opened by ${JSON.stringify(record.value.displayName)}`;
    case "group":
      return `  IOMMU group ${record.value.id}: ${record.value.state}, generation ${record.value.generation}, owner ${record.value.owner ?? "none"}`;
    case "mappings":
      return `  address space ${record.id}: ${record.added.length} ranges mapped, ${record.removed.length} unmapped`;
    case "device":
    case "addressSpace":
    case "virtualIommu":
    case "deviceAdded":
      return `  ${record.type} ${record.value.id}`;
    case "answer":
      return `  answer to request_id ${JSON.stringify(record.value.requestID)} of session ${record.value.session}`;
    case "groupGone":
      return `  IOMMU group ${record.id} removed at generation ${record.generation}`;
    case "generationFloor":
    case "inventoryEpoch":
    case "faultNumberFloor":
      return `  ${record.type} ${record.value}`;
    case "faultNumbers":
      return `  numbers of faults of ${record.id}, up to ${record.value}`;
    case "sessionAbsence":
    case "sessionGone":
    case "addressSpaceGone":
    case "virtualIommuGone":
    case "deviceRemoved":
      return `  ${record.type} ${record.id}`;
  }
}
