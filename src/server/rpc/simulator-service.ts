// service Simulator: plays the hardware. Registered only where core has simulator verbs.
// Its calls move data and take a while, so each has a bound on accesses and on bytes.

import { limitReached } from "../../backends/errors.ts";
import type { SimulatorVerbs } from "../core/simulator-verbs.ts";
import type { Calls } from "./calls.ts";
import type { iommubroker } from "./codec.ts";
import {
  dmaMessage,
  msisMessage,
  parseDma,
  parseHostDevice,
  parseStream,
  parseTranslateAll,
  structuresMessage,
} from "./convert-simulator.ts";
import { allOf, eachOf } from "./field.ts";
import { bigintOf } from "./int64.ts";
import { deviceName, parseAddressSpace, parseDevice } from "./names.ts";
import { SIMULATOR } from "./services.ts";

/** Bounds of one call. */
export const SIMULATOR_LIMITS = { accessesPerCallMax: 4096, dataBytesPerCallMax: 2 ** 20 } as const;

export function simulatorCalls(calls: Calls, simulator: SimulatorVerbs) {
  return {
    addDevice: calls.withSession(SIMULATOR.addDevice, (request, session) => {
      const device = parseHostDevice(request);
      simulator.addDevice(session, device);
      return { device: deviceName(device.id) };
    }),
    removeDevice: calls.withSession(SIMULATOR.removeDevice, async (request, session, { gate }) => {
      await simulator.removeDevice(session, parseDevice(request.device, "device"), gate);
      return {};
    }),
    dma: calls.withSession(SIMULATOR.dma, async (request, session) => {
      refuseTooMany(request.accesses.length);
      refuseTooLong(request.accesses.reduce((sum, access) => sum + dataBytes(access), 0));
      const { device, accesses } = allOf({
        device: () => parseDevice(request.device, "device"),
        accesses: () => eachOf(request.accesses, "accesses", parseDma),
      });
      return { results: (await simulator.dma(session, device, accesses)).map(dmaMessage) };
    }),
    translate: calls.withSession(SIMULATOR.translate, async (request, session) => {
      refuseTooMany(request.accesses.length);
      const { device, accesses } = allOf({
        device: () => parseDevice(request.device, "device"),
        accesses: () => parseTranslateAll(request.accesses),
      });
      return await simulator.translate(session, device, accesses);
    }),
    readMemory: calls.withSession(SIMULATOR.readMemory, (request, session) => {
      refuseTooLong(request.bytes);
      const addressSpace = parseAddressSpace(request.addressSpace, "address_space");
      return { data: simulator.readMemory(session, addressSpace, bigintOf(request.ipa), request.bytes) };
    }),
    writeMemory: calls.withSession(SIMULATOR.writeMemory, (request, session) => {
      refuseTooLong(request.data.length);
      const addressSpace = parseAddressSpace(request.addressSpace, "address_space");
      simulator.writeMemory(session, addressSpace, bigintOf(request.ipa), request.data);
      return {};
    }),
    readStructures: calls.withSession(SIMULATOR.readStructures, (request, session) => {
      const { device, stream } = allOf({
        device: () => parseDevice(request.device, "device"),
        stream: () => parseStream(request),
      });
      return structuresMessage(simulator.structures(session, device, stream.streamIndex, stream.substreamID));
    }),
    listMsis: calls.withSession(SIMULATOR.listMsis, (request, session) =>
      msisMessage(simulator.msis(session, parseDevice(request.device, "device"))),
    ),
  };
}

function dataBytes(access: iommubroker.v1.DmaAccess): number {
  return access.write?.length ?? access.readBytes ?? 0;
}

function refuseTooMany(accesses: number): void {
  const { accessesPerCallMax } = SIMULATOR_LIMITS;
  if (accesses > accessesPerCallMax)
    throw limitReached("accesses_per_call_max", accessesPerCallMax, "use several calls");
}

function refuseTooLong(bytes: number): void {
  const { dataBytesPerCallMax } = SIMULATOR_LIMITS;
  if (bytes > dataBytesPerCallMax) {
    throw limitReached("data_bytes_per_call_max", dataBytesPerCallMax, "use several calls");
  }
}
