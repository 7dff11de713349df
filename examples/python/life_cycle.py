"""A VMM written with another language's gRPC: the whole life cycle against a running broker.

Usage: life_cycle.py SOCKET MEMORY_ROOT   (the generated stubs are on PYTHONPATH)
Prints one line a step; the last is "life cycle complete". Any surprise is an assertion or an RpcError.
"""

import os
import queue
import sys
import threading

import grpc
from google.rpc import error_details_pb2, status_pb2
from iommubroker.v1 import (
    address_space_pb2,
    broker_pb2_grpc,
    capability_pb2,
    device_pb2,
    fault_pb2,
    session_pb2,
    simulator_pb2,
    simulator_pb2_grpc,
    stage_pb2,
    virtual_iommu_pb2,
)

MIB = 1 << 20
RAM_IPA = 0x4000_0000
CD_IPA = RAM_IPA
TABLE_IPA = RAM_IPA + 0x1000
DATA_IPA = RAM_IPA + 0x20_0000
IOVA = 0x1_0000_0000
DEVICE = "devices/0000:01:00.0"
STREAM_ID = 0x42


def guest_ram(path):
    """CD and 4 KiB granule tables by hand: IOVA 0x1_0000_0000 → DATA_IPA, one 2 MiB block (Arm ARM D8.3)."""
    ram = bytearray(4 * MIB)

    def put(ipa, value):
        ram[ipa - RAM_IPA : ipa - RAM_IPA + 8] = value.to_bytes(8, "little")

    # T0SZ=25 (start level 1), IPS=44 bits, EPD1, V, AA64, R, A, ASID 7 (IHI 0070 §5.4).
    put(CD_IPA, 25 | 1 << 30 | 1 << 31 | 4 << 32 | 1 << 41 | 1 << 45 | 1 << 46 | 7 << 48)
    put(CD_IPA + 8, TABLE_IPA)
    put(CD_IPA + 24, 0xFF)
    put(TABLE_IPA + 8 * (IOVA >> 30), (TABLE_IPA + 0x1000) | 0b11)
    put(TABLE_IPA + 0x1000, DATA_IPA | 1 << 6 | 3 << 8 | 1 << 10 | 0b01)  # AP[1]: unprivileged access
    ram[DATA_IPA - RAM_IPA : DATA_IPA - RAM_IPA + 5] = b"hello"
    with open(path, "wb") as file:
        file.write(ram)


class Vmm:
    def __init__(self, channel):
        self.broker = broker_pb2_grpc.IommuBrokerStub(channel)
        self.simulator = simulator_pb2_grpc.SimulatorStub(channel)
        self.metadata = None

    def call(self, method, request):
        return method(request, metadata=self.metadata, timeout=10)


def refused(call, code, reason):
    """The call fails with this code and this reason in its ErrorInfo."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, error
        trailers = dict(error.trailing_metadata())
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        infos = []
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                infos.append(info)
        assert len(infos) == 1, status
        assert infos[0].reason == reason, infos[0]
        assert infos[0].domain == "iommubroker.v1"
        return
    raise AssertionError("expected a refusal")


def watch(vmm, events, ready):
    stream = vmm.broker.WatchFaults(fault_pb2.WatchFaultsRequest(), metadata=vmm.metadata)
    try:
        for message in stream:
            ready.set()
            for event in message.events:
                events.put(event)
    except grpc.RpcError as error:
        events.put(error)


def life_cycle(socket, memory_root):
    channel = grpc.insecure_channel("unix:" + socket, options=[("grpc.default_authority", "localhost")])
    vmm = Vmm(channel)
    path = os.path.join(memory_root, "interop.ram")
    guest_ram(path)

    capabilities = vmm.call(vmm.broker.GetCapabilities, capability_pb2.GetCapabilitiesRequest(device=DEVICE))
    assert capabilities.iommus[0].nesting and capabilities.device.translate
    assert any(field.field == "S2P" for field in capabilities.iommus[0].reduced)
    devices = vmm.call(vmm.broker.ListDevices, device_pb2.ListDevicesRequest(page_size=3))
    assert len(devices.devices) == 3 and devices.next_page_token
    print("capabilities and devices read")

    request = stage_pb2.UnbindGuestStageRequest(device=DEVICE)
    refused(lambda: vmm.call(vmm.broker.UnbindGuestStage, request), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    opened = vmm.call(vmm.broker.OpenSession, session_pb2.OpenSessionRequest(display_name="python VMM", lease_ttl_ms=30_000))
    vmm.metadata = (("iommubroker-session-token", opened.token),)
    answers = vmm.broker.KeepSessionAlive(iter([session_pb2.KeepSessionAliveRequest()]), metadata=vmm.metadata, timeout=10)
    assert next(answers).lease_remaining_ms > 0
    print("session open and kept alive")

    space = vmm.call(vmm.broker.CreateAddressSpace, address_space_pb2.CreateAddressSpaceRequest()).address_space
    mapping = address_space_pb2.MemoryMapping(ipa=RAM_IPA, bytes=4 * MIB, readable=True, writable=True)
    source = address_space_pb2.MemorySource(path=path)
    map_request = address_space_pb2.MapMemoryRequest(address_space=space.name, sources=[source], mappings=[mapping])
    mapped = vmm.call(vmm.broker.MapMemory, map_request).address_space
    assert mapped.mapped_bytes == 4 * MIB
    refused(lambda: vmm.call(vmm.broker.MapMemory, map_request), grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID")
    virtual = vmm.call(
        vmm.broker.CreateVirtualIommu,
        virtual_iommu_pb2.CreateVirtualIommuRequest(address_space=space.name, iommus=["iommus/smmu0"]),
    ).virtual_iommu
    print("guest memory mapped, virtual IOMMU made")

    attach = stage_pb2.AttachDeviceRequest(device=DEVICE, virtual_iommu=virtual.name)
    attached = vmm.call(vmm.broker.AttachDevice, attach).device
    assert attached.state == device_pb2.STAGE_STATE_GUEST_ABORT and attached.owner_display_name == "python VMM"
    fields = stage_pb2.Smmuv3Stage1(
        mode=stage_pb2.STAGE1_MODE_TRANSLATE, s1_context_ptr=CD_IPA, s1_cir=1, s1_cor=1, s1_csh=3
    )
    bind = stage_pb2.BindGuestStageRequest(device=DEVICE, virtual_stream_id=STREAM_ID, fields=fields)
    bound = vmm.call(vmm.broker.BindGuestStage, bind).device
    assert bound.state == device_pb2.STAGE_STATE_GUEST_NESTED and bound.generation == attached.generation + 1
    stale = stage_pb2.BindGuestStageRequest(device=DEVICE, fields=fields, expected_generation=attached.generation)
    refused(lambda: vmm.call(vmm.broker.BindGuestStage, stale), grpc.StatusCode.ABORTED, "FENCED")
    print("device attached and bound")

    events, ready = queue.Queue(), threading.Event()
    threading.Thread(target=watch, args=(vmm, events, ready), daemon=True).start()
    assert ready.wait(10)
    read = simulator_pb2.DmaRequest(device=DEVICE, accesses=[simulator_pb2.DmaAccess(iova=IOVA, read_bytes=5)])
    result = vmm.call(vmm.simulator.Dma, read).results[0]
    assert result.outcome == simulator_pb2.TRANSACTION_OUTCOME_OK and result.data == b"hello", result
    print("DMA through both stages")

    broken = simulator_pb2.WriteMemoryRequest(address_space=space.name, ipa=CD_IPA, data=bytes(8))
    vmm.call(vmm.simulator.WriteMemory, broken)
    command = stage_pb2.InvalidationCommand(cfgi_cd=stage_pb2.CfgiCd(virtual_stream_id=STREAM_ID, leaf=True))
    invalidate = stage_pb2.InvalidateCacheRequest(virtual_iommu=virtual.name, commands=[command])
    assert vmm.call(vmm.broker.InvalidateCache, invalidate).executed == 1
    result = vmm.call(vmm.simulator.Dma, read).results[0]
    assert result.outcome == simulator_pb2.TRANSACTION_OUTCOME_ABORT
    event = events.get(timeout=10)
    assert event.type == "C_BAD_CD" and event.virtual_stream_id == STREAM_ID and event.sequence == 1, event
    assert event.record[0] == 0x0A and int.from_bytes(event.record[4:8], "little") == STREAM_ID
    print("broken context descriptor seen as C_BAD_CD")

    unbound = vmm.call(vmm.broker.UnbindGuestStage, stage_pb2.UnbindGuestStageRequest(device=DEVICE)).device
    assert unbound.state == device_pb2.STAGE_STATE_NEST_PARENT
    detached = vmm.call(vmm.broker.DetachDevice, stage_pb2.DetachDeviceRequest(device=DEVICE)).device
    assert detached.state == device_pb2.STAGE_STATE_DEFAULT_DOMAIN and not detached.owner
    unmap = address_space_pb2.UnmapMemoryRequest(
        address_space=space.name, ranges=[address_space_pb2.IpaRange(ipa=RAM_IPA, bytes=4 * MIB)]
    )
    vmm.call(vmm.broker.DeleteVirtualIommu, virtual_iommu_pb2.DeleteVirtualIommuRequest(virtual_iommu=virtual.name))
    assert vmm.call(vmm.broker.UnmapMemory, unmap).unmapped_bytes == 4 * MIB
    vmm.call(vmm.broker.DeleteAddressSpace, address_space_pb2.DeleteAddressSpaceRequest(address_space=space.name))
    vmm.call(vmm.broker.CloseSession, session_pb2.CloseSessionRequest())
    channel.close()
    print("life cycle complete")


if __name__ == "__main__":
    life_cycle(sys.argv[1], sys.argv[2])
