// The part of the backend contract about devices that wait for an answer: respondToFault, and the ends that are told.
// Written for what both backends have: a stall that is retried or aborted (IHI 0070G.b §3.12.2, §4.6).

import { beforeEach, describe, expect, test } from "vitest";
import type { Backend, PartHandle } from "../../src/backends/backend.ts";
import type { FaultNotice } from "../../src/backends/faults.ts";
import { deviceID, virtualStreamID } from "../../src/backends/ids.ts";
import type { HostDevice } from "../../src/backends/inventory.ts";
import { checkVSTE } from "../../src/backends/vste.ts";
import { refusal } from "../support/host.ts";
import type { ContractSubject } from "./contract.ts";

const BASE = 0x4000_0000;
const BYTES = 2 ** 21;
const NAME = 0x30;
/** The level 3 entry of IOVA 0, and the file's page it may lead to: page, AP[1], AF, nG (DDI 0487 D8.3). */
const ENTRY = 0x4_0000;
const LEAF = BigInt(BASE + 0x10_0000) | 0x443n | (1n << 11n);

export function faultContract(
  name: string,
  make: () => Promise<ContractSubject & { readonly stalling: HostDevice }>,
): void {
  describe(`devices that wait, ${name}`, () => {
    let backend: Backend;
    let subject: ContractSubject & { readonly stalling: HostDevice };
    let device: HostDevice;
    let part: PartHandle;
    let file: ReturnType<ContractSubject["file"]>;
    let heard: FaultNotice[];
    beforeEach(async () => {
      subject = await make();
      ({ backend, stalling: device } = subject);
      heard = [];
      backend.onFault((notice) => heard.push(notice));
      file = subject.file(BYTES);
      const space = await backend.createAddressSpace();
      await backend.map(space, [{ ipa: BASE, bytes: BYTES, file, offset: 0, readable: true, writable: true }]);
      part = await backend.createPart(space, device.iommu);
      await backend.attach(device.group, part, "abort");
      file.poke(0x2_0000, BigInt(BASE + 0x3_0000) | 3n);
      file.poke(0x3_0000, BigInt(BASE + ENTRY) | 3n);
      // CD (§5.4): T0SZ 25, EPD1, V, IPS 48 bits, AA64, S, R, A, ASID 1
      file.poke(0x1_0000, 25n | (3n << 30n) | (5n << 32n) | (1n << 41n) | (7n << 44n) | (1n << 48n));
      file.poke(0x1_0008, BigInt(BASE + 0x2_0000));
      await bind();
    });

    const bind = (): Promise<void> => {
      const vste = checkVSTE(0xbn | BigInt(BASE + 0x1_0000), 0xd4n); // V, Config 0b101; S1CIR, S1COR, S1CSH (§5.2)
      return backend.bindGuestStage({ device: device.id, part, virtualStreamID: virtualStreamID(NAME), vste });
    };

    /** A read of an unmapped page, and the cookie of its event. */
    async function stall(): Promise<{ readonly end: Promise<string>; readonly cookie: number }> {
      const end = subject.read(device.id, 0);
      for (let count = 0; count < 4; count += 1) await subject.settle();
      const last = heard.at(-1);
      if (last?.kind !== "fault" || last.fault.pending === undefined) throw new Error("no event waits");
      return { end, cookie: last.fault.pending.cookie };
    }

    const told = () => heard.map((one) => (one.kind === "ended" ? ["ended", one.device, one.cookie] : [one.kind]));

    test("a stall is told with its tag and the guest's name of the device, and RETRY finds the page", async () => {
      const { cookie, end } = await stall();
      const [event] = heard;
      expect(event).toMatchObject({
        kind: "fault",
        fault: { device: device.id, virtualStreamID: NAME, type: "F_TRANSLATION", stage: 1, hostOnly: false },
      });
      file.poke(ENTRY, LEAF);
      await backend.respondToFault(device.id, cookie, "retry");
      expect(await end).toBe("ok");
      expect(told()).toEqual([["fault"]]);
    });

    test("ABORT ends it, once", async () => {
      const { cookie, end } = await stall();
      await backend.respondToFault(device.id, cookie, "abort");
      expect(await end).not.toBe("ok");
      const again = await refusal(() => backend.respondToFault(device.id, cookie, "abort"));
      expect(again).toMatchObject({ code: "fault_not_pending", facts: { device: device.id } });
    });

    test("an answer to what never waited, or to another device's, is refused", async () => {
      const { cookie, end } = await stall();
      const { other } = subject;
      for (const ask of [
        () => backend.respondToFault(device.id, cookie + 1, "abort"),
        () => backend.respondToFault(other.id, cookie, "abort"),
        () => backend.respondToFault(deviceID("gone"), cookie, "abort"),
      ]) {
        expect((await refusal(ask)).code).toBe("fault_not_pending");
      }
      expect((await refusal(() => backend.respondToFault(device.id, cookie, "success"))).code).toBe("argument_invalid");
      await backend.respondToFault(device.id, cookie, "abort");
      expect(await end).not.toBe("ok");
    });

    test.each([
      ["a plain stage", () => backend.setPlainStage(device.group, part, "bypass")],
      ["another bind", () => bind()],
      ["a reset", () => backend.reset(device.id)],
      ["a detach", () => backend.detach(device.group)],
      ["a block", () => backend.block(device.group)],
    ])("%s ends it, and says so once, behind the event", async (_, change) => {
      const { cookie, end } = await stall();
      await change();
      expect(await end).not.toBe("ok");
      await subject.settle();
      expect(told()).toEqual([["fault"], ["ended", device.id, cookie]]);
      const late = await refusal(() => backend.respondToFault(device.id, cookie, "retry"));
      expect(late.code).toBe("fault_not_pending");
    });
  });
}
