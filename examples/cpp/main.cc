// A VMM's first calls in C++. Usage: ./ask /run/iommu-broker/broker.sock; docs/clients.md has how it is built.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "iommubroker/v1/broker.grpc.pb.h"

using namespace iommubroker::v1;

namespace {

constexpr char kTokenKey[] = "iommubroker-session-token";

// The reason of a refusal: ErrorInfo.reason of the google.rpc.Status in the trailers.
std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return "";
  for (const auto& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

// One call with the session's token; an empty token for those that need none.
template <typename Call, typename Request, typename Response>
grpc::Status Ask(Call call, const std::string& token, const Request& request, Response* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  if (!token.empty()) context.AddMetadata(kTokenKey, token);
  return call(&context, request, response);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: ask /path/to/broker.sock\n";
    return 2;
  }
  grpc::ChannelArguments arguments;
  // The path of a socket is no authority that every server takes; "localhost" is.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  auto stub = IommuBroker::NewStub(
      grpc::CreateCustomChannel(std::string("unix:") + argv[1], grpc::InsecureChannelCredentials(), arguments));

  GetCapabilitiesResponse capabilities;
  auto status = Ask([&](auto* c, const auto& q, auto* a) { return stub->GetCapabilities(c, q, a); }, "",
                    GetCapabilitiesRequest(), &capabilities);
  if (!status.ok()) {
    std::cerr << status.error_message() << "\n";
    return 1;
  }
  for (const auto& iommu : capabilities.iommus()) {
    std::cout << iommu.name() << " nests: " << std::boolalpha << iommu.nesting() << "\n";
  }

  OpenSessionRequest open;
  open.set_display_name("c++ example");
  OpenSessionResponse opened;
  status = Ask([&](auto* c, const auto& q, auto* a) { return stub->OpenSession(c, q, a); }, "", open, &opened);
  if (!status.ok()) return 1;
  CreateAddressSpaceResponse space;
  status = Ask([&](auto* c, const auto& q, auto* a) { return stub->CreateAddressSpace(c, q, a); }, opened.token(),
               CreateAddressSpaceRequest(), &space);
  std::cout << "session open, address space made: " << status.ok() << "\n";

  DetachDeviceRequest detach;
  detach.set_device("devices/none");
  DetachDeviceResponse detached;
  status = Ask([&](auto* c, const auto& q, auto* a) { return stub->DetachDevice(c, q, a); }, opened.token(), detach,
               &detached);
  std::cout << "refused: " << status.error_code() << " " << ReasonOf(status) << "\n";

  CloseSessionResponse closed;
  status = Ask([&](auto* c, const auto& q, auto* a) { return stub->CloseSession(c, q, a); }, opened.token(),
               CloseSessionRequest(), &closed);
  std::cout << (status.ok() ? "session closed" : status.error_message()) << "\n";
  return status.ok() ? 0 : 1;
}
